//! Pure planning: what stands in the log and in the checkpoint goes in, tasks come out.
//!
//! [`judge`](judge::judge) decides per partition, `batching` per topic, `caps` how much each may
//! give, `pack` which task reads it; [`plan`] puts them together.
//! [`reset`] is the operator's way round all that.

mod absent;
mod batching;
mod caps;
mod compose;
mod draft;
mod identity;
mod judge;
mod lag;
mod pack;
mod reset;
#[cfg(test)]
pub(crate) mod samples;
mod start;

pub use compose::{NewRun, PlannedRun, plan};
pub use lag::{Lag, lag, time_to_loss};
pub use reset::{ResetChange, ResetScope, ResetTo, plan_reset, reset};

/// Key, value and header bytes that an offset is taken to hold until a slice of its partition
/// was read.
pub const MEAN_BYTES_UNKNOWN: u64 = 1024;
