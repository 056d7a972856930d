//! A run's plan, from what was observed.

use super::absent;
use super::draft::{Draft, smallest_slice};
use super::judge::{Case, judge};
use super::start;
use crate::documents::{Checkpoint, CheckpointRef, FORMAT, PartitionState, Plan, Task};
use crate::error::Result;
use crate::ports::Observation;
use crate::spec::Spec;
use crate::time::Millis;
use crate::words::{RandomId, RunNumber};

/// What a new run is.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The head's birth id.
    pub birth_id: RandomId,
    /// Its number.
    pub run: RunNumber,
    /// Its plan's name.
    pub plan: RandomId,
    /// Now.
    pub now: Millis,
    /// What it goes on from; none before the first commit.
    pub base: Option<CheckpointRef>,
}

/// A plan and its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// The plan.
    pub plan: Plan,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// The tasks that read a quarantined partition.
    pub quarantined: Vec<u32>,
    /// Whether it is the first run, and what it finds to be there decides where partitions
    /// begin.
    pub(super) decides_starts: bool,
}

impl PlannedRun {
    /// Whether there is nothing to do: nothing to read, no entry to make or change, and no first
    /// run to be remembered.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.plan.entries.is_empty() && !self.decides_starts
    }
}

/// Plans a run. `Config` if the spec asks for what is not there.
pub fn plan(
    spec: &Spec,
    checkpoint: &Checkpoint,
    seen: &Observation,
    new: &NewRun,
) -> Result<PlannedRun> {
    let first_run = new.base.is_none();
    let kept = if first_run { start::keep_of_missing(spec, seen) } else { Vec::new() };
    if first_run {
        start::check(spec, seen, new.now)?;
    }
    let mut draft = Draft::new(absent::absent(spec, checkpoint, seen), kept);
    let mut candidates = Vec::new();
    for observed in &seen.partitions {
        let judged = judge(Case {
            spec,
            now: new.now,
            first_run,
            same_cluster: checkpoint.cluster_id == seen.cluster_id,
            entry: checkpoint.entry(&observed.partition),
            observed,
        });
        candidates.extend(draft.take(spec, judged));
    }
    let candidates = draft.without_waiting(spec, checkpoint, new.now, candidates);
    let (quarantined, fine): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|c| matches!(c.entry.state, PartitionState::Quarantined(_)));
    let quarantined = draft.due(spec, new, quarantined);
    let readers = usize::try_from(spec.limits.readers).unwrap_or(usize::MAX);
    let mut tasks = draft.pack(spec, fine, readers.saturating_sub(quarantined.len()).max(1));
    let first_quarantined = tasks.len();
    tasks.extend(quarantined.iter().map(|candidate| vec![smallest_slice(candidate)]));
    let tasks: Vec<Task> =
        (0..).zip(tasks).map(|(task, slices)| Task { format: FORMAT, task, slices }).collect();
    let quarantined_tasks = tasks.iter().skip(first_quarantined).map(|task| task.task).collect();
    Ok(draft.finish(spec, seen, new, tasks, quarantined_tasks))
}

#[cfg(test)]
mod tests;
