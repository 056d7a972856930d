//! The three functions as the simulation starts them: core's use cases over this world's ports.

use tidegate_core::error::Result;

use crate::actor::Ports;
use crate::mail::Event;

/// Runs the function that `event` starts; what it came to, in words.
pub(crate) async fn run(_ports: &Ports, event: Event) -> Result<String> {
    Ok(event.to_string())
}
