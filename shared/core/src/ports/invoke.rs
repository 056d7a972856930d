use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::time::Deadline;
use crate::words::{PipelineName, RandomId, RunNumber};

/// What a tick may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannerMode {
    /// Roll forward the open run, or open one.
    #[default]
    Tick,
    /// Only roll forward.
    RollForward,
}

/// The planner's event (design: "Events").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannerEvent {
    /// The spec, as its JSON.
    pub spec: serde_json::Value,
    /// What it may do.
    #[serde(default)]
    pub mode: PlannerMode,
    /// How many runs of this tick came before (at most 8 are chained).
    #[serde(default)]
    pub chain: u32,
}

/// The reader's event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReaderEvent {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The run.
    pub run: RunNumber,
    /// The plan that the run was opened with.
    pub plan: RandomId,
    /// The task, from 0.
    pub task: u32,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// The finalizer's event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FinalizerEvent {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The run.
    pub run: RunNumber,
    /// The plan that the run was opened with.
    pub plan: RandomId,
    /// Whether all tasks are to be set aside.
    #[serde(default)]
    pub set_aside: bool,
}

/// Starts the other functions. Asynchronous and at least once: the call may be delivered twice,
/// late, or never; roll forward makes up for what is lost.
pub trait Invoker: Send + Sync {
    /// Starts a reader.
    fn start_reader(
        &self,
        event: &ReaderEvent,
        deadline: Deadline,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Starts a finalizer.
    fn start_finalizer(
        &self,
        event: &FinalizerEvent,
        deadline: Deadline,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Starts a planner, to catch up at once.
    fn start_planner(
        &self,
        event: &PlannerEvent,
        deadline: Deadline,
    ) -> impl Future<Output = Result<()>> + Send;
}
