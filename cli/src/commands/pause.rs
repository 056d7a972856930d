//! `pause` and `resume`.

use serde_json::json;
use tidegate_core::use_cases::set_paused;
use tidegate_local::SystemClock;

use crate::console::{say, say_json};
use crate::deployment::{Deployment, look_deadline};
use crate::exit::{Exit, Failure};

/// Sets or lifts the pause. An open run is still rolled forward while it holds.
pub(crate) async fn set(
    spec: &str,
    state: Option<&str>,
    paused: bool,
    json: bool,
) -> Result<Exit, Failure> {
    let at = Deployment::open(spec, state).await?;
    let pipeline = &at.spec.pipeline;
    set_paused(&at.state, &SystemClock, pipeline, paused, look_deadline()).await?;
    if json {
        say_json(&json!({ "pipeline": pipeline, "paused": paused }));
    } else if paused {
        say(&format!("pipeline {pipeline} is paused: `tidegate resume` lets it go on"));
    } else {
        say(&format!("pipeline {pipeline} goes on with its next run"));
    }
    Ok(Exit::Done)
}
