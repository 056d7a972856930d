//! Whether the holder of a lease still works.

use super::Settings;
use crate::documents::Lease;
use crate::error::Result;
use crate::ports::{Clock, StateStore};
use crate::time::Deadline;
use crate::words::PipelineName;

/// What can be told of the holder of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// It works, as far as anybody can tell.
    Lives,
    /// Its time is over.
    TimeIsUp,
    /// Its process ended.
    Dead,
}

/// Asks the store, which may know better than the lease's time.
pub(super) async fn holder(
    state: &impl StateStore,
    clock: &impl Clock,
    settings: &Settings,
    pipeline: &PipelineName,
    lease: Lease,
    deadline: Deadline,
) -> Result<Holder> {
    Ok(match state.holder_lives(pipeline, lease.holder, deadline).await? {
        Some(true) => Holder::Lives,
        Some(false) => Holder::Dead,
        None if lease.holds(clock.now(), settings.longest_lease()) => Holder::Lives,
        None => Holder::TimeIsUp,
    })
}
