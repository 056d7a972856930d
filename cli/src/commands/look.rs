//! What the verbs that change nothing have in common.

use tidegate_core::Result;
use tidegate_core::documents::{LeftOut, Why};
use tidegate_core::ports::Clock;
use tidegate_core::use_cases::{PlannerPorts, Preview, Settings, preview};
use tidegate_local::SystemClock;

use crate::deployment::{Deployment, look_deadline};

/// What a tick would find and do.
pub(crate) async fn look(at: &Deployment) -> Result<Preview> {
    let ports = PlannerPorts {
        state: &at.state,
        log: &at.log,
        // Nothing is started.
        invoker: &(),
        clock: &SystemClock,
        holder: SystemClock.random_id(),
        observer: None,
        settings: Settings::default(),
    };
    Box::pin(preview(&ports, &at.spec, look_deadline())).await
}

/// Why a topic or partition is left out, in one word.
pub(crate) fn why(left_out: &LeftOut) -> &'static str {
    match left_out.why {
        Why::Unobserved(_) => "unobserved",
        Why::Stopped => "stopped",
        Why::Quarantined => "quarantined",
        Why::Batching => "waiting",
        Why::Capped => "capped",
        Why::Table => "no_table",
    }
}

/// Whether a topic or partition that is left out needs somebody to look at it.
pub(crate) fn is_trouble(left_out: &LeftOut) -> bool {
    match left_out.why {
        Why::Unobserved(_) | Why::Stopped | Why::Quarantined => true,
        Why::Batching | Why::Capped | Why::Table => false,
    }
}
