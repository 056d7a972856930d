//! The three use cases: *plan a run*, *read a task*, *finalize a run*; beside them what an operator
//! does: *reset* and *abort*. Functions with the ports as arguments; the decisions they take are
//! pure functions elsewhere in this crate.

mod abort;
mod commit;
mod committed;
mod finalizer;
mod layouts;
mod lease;
mod moving;
mod observing;
mod opening;
mod pass;
mod planner;
mod publish;
mod reader;
mod reset;
mod roll_forward;
mod slice_check;
mod staging;
mod starting;
mod state;
mod verify;

use std::time::Duration;

pub(crate) use publish::data_file_metadata;

pub use abort::{AbortPorts, Abortable, Aborted, abort, abortable};
pub use committed::{Committed, Unfinished};
pub use finalizer::{FinalizeOutcome, FinalizerPorts, finalize};
pub use observing::{LagReport, Preview, observe_lag, preview};
pub use planner::{PlannerPorts, TickOutcome, TickReport, tick};
pub use reader::{ReadOutcome, ReaderPorts, RunOfTask, TaskSummary, read_task, run_of_task};
pub use reset::{ResetOutcome, ResetRequest, reset};
pub use state::{check_destination, load_checkpoint, load_head, load_plan, load_task, set_paused};
pub use verify::{Verified, VerifyPorts, VerifyScope, verify};

/// What a deployment chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long the lease of those who started the readers lasts: longer than a reader's
    /// timeout and the age up to which its event is kept.
    pub reading_lease: Duration,
    /// How long a finalizer's lease lasts: longer than its timeout.
    pub finalizing_lease: Duration,
    /// How long documents are kept.
    pub document_expiry: Duration,
    /// How much earlier than its deadline a reader stops to fetch.
    pub reader_margin: Duration,
    /// How much earlier than its deadline a finalizer or a reader stops to work, so that there is
    /// time for a last word: a mark, a lease given back.
    pub last_word: Duration,
    /// How long a reader waits for progress.
    pub no_progress: Duration,
    /// Heap bytes that a reader's open files may hold together.
    pub staging_bytes_max: usize,
    /// How many files a reader keeps open at most, where so many small ones fit into
    /// `staging_bytes_max`.
    pub open_files_max: usize,
    /// How many of them may have an upload under way: on a directory each is an open file of the
    /// process.
    pub uploads_max: usize,
    /// Payload bytes of a row group.
    pub row_group_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            reading_lease: 20 * MINUTE,
            finalizing_lease: 16 * MINUTE,
            document_expiry: Duration::from_secs(365 * 86_400),
            reader_margin: MINUTE,
            last_word: Duration::from_secs(5),
            no_progress: MINUTE,
            staging_bytes_max: 64 << 20,
            open_files_max: 16_384,
            uploads_max: 256,
            row_group_bytes: 16 << 20,
        }
    }
}

impl Settings {
    /// The longest lease there is: one that ends later was made with a wrong clock.
    fn longest_lease(&self) -> Duration {
        self.reading_lease.max(self.finalizing_lease)
    }
}

/// After so many attempts without an output a task is abandoned.
const ATTEMPTS_MAX: u32 = 3;
/// After so many starts without a layout a finalizer is told to set everything aside.
const FINALIZER_STARTS_MAX: u32 = 3;
/// So many runs follow each other in one tick at most.
const CHAIN_MAX: u32 = 8;
/// How often a decision is taken again because somebody else was faster.
const CONFLICTS_MAX: u32 = 5;
/// The key of the pipeline in a data file's metadata.
pub(crate) const PIPELINE_KEY: &str = "tidegate.pipeline";
/// The key of the run.
pub(crate) const RUN_KEY: &str = "tidegate.run";
/// The key of the layout's hash.
pub(crate) const LAYOUT_KEY: &str = "tidegate.layout";
/// How many requests to a store are under way at once.
const SIDE_BY_SIDE: usize = 16;
