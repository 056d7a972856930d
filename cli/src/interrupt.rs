//! Ctrl-C and a container's stop.

use std::io;

use crate::console;
use crate::exit::{Exit, Failure};

/// Ends when the process is asked to: SIGINT, or SIGTERM. There is nothing to be saved: whatever
/// moment it is, the next run goes on from what stands.
pub(crate) async fn interrupted() -> Result<Exit, Failure> {
    asked_to_stop().await.map_err(|error| Failure::io("listen for signals", error))?;
    console::complain(
        "interrupted: nothing is lost, and the next `tidegate run` goes on from here",
    );
    Ok(Exit::Interrupted)
}

#[cfg(unix)]
async fn asked_to_stop() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
