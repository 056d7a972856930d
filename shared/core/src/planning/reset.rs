//! Where an operator's `reset` puts each partition, and what that skips or reads again. Pure.

mod change;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use change::change;
use targets::targets;

use super::compose::{NewRun, PlannedRun};
use super::draft::Draft;
use super::judge::{Case, planned_end};
use crate::documents::{
    Checkpoint, CheckpointEntry, Loss, Move, PartitionState, Reset as ResetRecord,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{Cause, Observation};
use crate::spec::Spec;
use crate::time::Millis;
use crate::words::TopicPartition;

/// Where partitions are to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResetTo {
    /// At the log start.
    Earliest,
    /// At the end: only what comes later.
    Latest,
    /// At the first record with this timestamp or a later one; at the end if there is none.
    Time(Millis),
    /// At these offsets (topic, partition, offset); partitions that are not named stay.
    Offsets(Vec<(Arc<str>, i32, i64)>),
}

/// What is to be reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetScope {
    /// Where to.
    pub to: ResetTo,
    /// These topics only; empty: all of the spec.
    pub topics: Vec<Arc<str>>,
}

/// What becomes of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetChange {
    /// Where it stood; none if it was never planned.
    pub before: Option<CheckpointEntry>,
    /// Where it stands from now on.
    pub after: CheckpointEntry,
    /// The same as it is recorded.
    pub moves: Move,
    /// Offsets that are never read, if it skips some.
    pub skipped: Option<Loss>,
}

impl ResetChange {
    /// How many offsets it passes over.
    pub fn lost(&self) -> u64 {
        self.skipped.as_ref().map_or(0, |loss| loss.end.abs_diff(loss.start))
    }

    /// How many offsets are read, and published, again.
    pub fn again(&self) -> u64 {
        self.moves.again().map_or(0, crate::words::OffsetRange::count)
    }
}

/// What a reset changes; partitions that stand there already, and are fine, are not among it.
///
/// # Errors
/// All that is wrong with it, in one error: `Config` for topics, partitions and offsets that are
/// not there; the cause's kind for partitions that cannot be observed.
pub fn reset(
    spec: &Spec,
    checkpoint: &Checkpoint,
    seen: &Observation,
    scope: &ResetScope,
) -> Result<Vec<ResetChange>> {
    let mut faults = Vec::new();
    let targets = targets(spec, seen, scope, &mut faults);
    let same_cluster = checkpoint.cluster_id == seen.cluster_id;
    let mut changes = Vec::new();
    for (observed, to) in &targets {
        let entry = checkpoint.entry(&observed.partition);
        match change(spec, entry, (same_cluster, observed), (&scope.to, *to)) {
            Ok(change) => changes.extend(change),
            Err(fault) => faults.push(fault),
        }
    }
    if !same_cluster {
        let chosen: BTreeSet<_> = targets.iter().map(|(observed, _)| &observed.partition).collect();
        faults.extend(strangers(spec, checkpoint, &chosen));
    }
    match faults.iter().find(|fault| fault.kind == ErrorKind::Config).or(faults.first()) {
        None => Ok(changes),
        Some(worst) => {
            let all: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
            Err(Error::new(worst.kind, all.join("; ")))
        }
    }
}

/// The run that makes the changes: no task, but the entries and the reason.
pub fn plan_reset(
    spec: &Spec,
    seen: &Observation,
    new: &NewRun,
    reason: &str,
    changes: &[ResetChange],
) -> PlannedRun {
    let mut draft = Draft::default();
    let changed: BTreeMap<_, _> =
        changes.iter().map(|change| (&change.after.partition, &change.after)).collect();
    for observed in &seen.partitions {
        let case = Case {
            spec,
            now: new.now,
            first_run: false,
            same_cluster: true,
            entry: changed.get(&observed.partition).copied(),
            observed,
        };
        if let Ok(offsets) = observed.offsets {
            draft.ends.push(planned_end(case, offsets));
        }
    }
    draft.entries = changes.iter().map(|change| change.after.clone()).collect();
    draft.losses = changes.iter().filter_map(|change| change.skipped.clone()).collect();
    let mut planned = draft.finish(spec, seen, new, Vec::new(), Vec::new());
    planned.plan.reset = Some(ResetRecord {
        reason: reason.to_owned(),
        moves: changes.iter().map(|change| change.moves.clone()).filter(moves).collect(),
    });
    planned
}

/// Whether it is more than a partition that is freed where it stands.
fn moves(of: &Move) -> bool {
    of.from != Some(of.to)
}

fn config(message: String) -> Cause {
    Cause { kind: ErrorKind::Config, message }
}

/// Partitions that are not chosen, and that only the cluster's id tells from those of another
/// cluster: a checkpoint names one cluster, so they would be taken for its own.
fn strangers(
    spec: &Spec,
    checkpoint: &Checkpoint,
    chosen: &BTreeSet<&TopicPartition>,
) -> Option<Cause> {
    let nameless = |entry: &&CheckpointEntry| {
        entry.topic_id.is_none()
            && entry.position().is_some()
            && !matches!(entry.state, PartitionState::Stopped { .. })
            && spec.topics.matches(&entry.partition.topic)
            && !chosen.contains(&entry.partition)
    };
    let first = checkpoint.entries.iter().find(nameless)?;
    Some(config(format!(
        "the cluster is another one than before, and {} has no topic id that would tell: reset \
         all topics at once",
        first.partition
    )))
}

#[cfg(test)]
mod tests;
