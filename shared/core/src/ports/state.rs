use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;

use bytes::Bytes;

use crate::error::{ErrorKind, Result};
use crate::time::{Deadline, Millis};
use crate::words::{PipelineName, RandomId, RunNumber};

/// The head as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHead {
    /// The store's version of it, from 1: what a swap is conditional on.
    pub version: u64,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The outcome of a swap of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// It stands now, under this version.
    Ours {
        /// The new version.
        version: u64,
    },
    /// The head was no longer the expected one: reload it and decide again. Nothing changed;
    /// unless an answer was lost on the way, and what this call had made stand was replaced
    /// before it was asked again.
    Conflict,
}

/// The outcome of writing a document once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It stands now, and this call (or a former try of it) wrote it.
    Ours,
    /// Another stood there already: these are its bytes.
    Stands(Bytes),
}

/// The name of a document that is written once: `run/<n>/<plan id>/…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// The plan's header.
    Plan(RunNumber, RandomId),
    /// The slices of one task.
    Task(RunNumber, RandomId, u32),
    /// The output of one task.
    Output(RunNumber, RandomId, u32),
    /// The checkpoint that the run made.
    Checkpoint(RunNumber, RandomId),
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(run, plan) => write!(f, "run/{run}/{plan}/plan"),
            Self::Task(run, plan, task) => write!(f, "run/{run}/{plan}/plan/{task}"),
            Self::Output(run, plan, task) => write!(f, "run/{run}/{plan}/output/{task}"),
            Self::Checkpoint(run, plan) => write!(f, "run/{run}/{plan}/checkpoint"),
        }
    }
}

/// A hint that a reader leaves in the run's `progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The task's output stands.
    Done {
        /// The task.
        task: u32,
    },
    /// This attempt, which is not the first one, began.
    Begun {
        /// The task.
        task: u32,
        /// The attempt.
        attempt: u32,
    },
    /// This attempt ended without an output.
    Failed {
        /// The task.
        task: u32,
        /// The attempt.
        attempt: u32,
        /// Why: decides whether the task's partitions are quarantined once it is abandoned.
        kind: ErrorKind,
    },
}

/// The hints of a run. Nothing relies on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// All that was left.
    pub marks: BTreeSet<Mark>,
}

/// The state: one head per pipeline that is swapped by version, and documents that are written
/// once. All reads see all writes that ended before them.
pub trait StateStore: Send + Sync {
    /// What keeps a holder alive; dropping it lets go.
    type Hold: Send;

    /// The head; none if the pipeline has none.
    fn load_head(
        &self,
        pipeline: &PipelineName,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Option<StoredHead>>> + Send;

    /// Replaces the head if its version is `expected` (none: if there is no head). The bytes of
    /// two different swaps always differ, so that a lost answer can be resolved.
    fn swap_head(
        &self,
        pipeline: &PipelineName,
        expected: Option<u64>,
        bytes: Bytes,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Swapped>> + Send;

    /// Writes a document, if it is absent, with an expiry (none: never). The bytes may have any
    /// size up to 64 MiB.
    fn write(
        &self,
        pipeline: &PipelineName,
        document: Document,
        bytes: Bytes,
        expires: Option<Millis>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Written>> + Send;

    /// Reads a document; none if it is absent (or expired).
    fn load(
        &self,
        pipeline: &PipelineName,
        document: Document,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Option<Bytes>>> + Send;

    /// Gives a document an expiry that it did not have. Absent: nothing happens.
    fn expire(
        &self,
        pipeline: &PipelineName,
        document: Document,
        at: Millis,
        deadline: Deadline,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Adds a hint to a run's progress, which has `tasks` tasks in all. The call that adds the
    /// last missing `Done` sets the mark that starts the finalizer, where the store can.
    fn mark(
        &self,
        pipeline: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        mark: Mark,
        tasks: u32,
        deadline: Deadline,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The hints of a run.
    fn marks(
        &self,
        pipeline: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Marks>> + Send;

    /// Makes `holder` known as alive, before its name goes into the head as that of a lease.
    fn hold(
        &self,
        pipeline: &PipelineName,
        holder: RandomId,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Self::Hold>> + Send;

    /// Whether the holder of a lease lives, where the store knows better than the lease's time
    /// (a directory does, by an OS lock); none where only time can tell.
    fn holder_lives(
        &self,
        pipeline: &PipelineName,
        holder: RandomId,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Option<bool>>> + Send;
}
