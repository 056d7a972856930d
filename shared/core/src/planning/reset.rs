//! Where an operator's `reset` puts each partition, and what that skips or reads again. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compose::{NewRun, PlannedRun};
use super::draft::Draft;
use super::judge::{Case, planned_end};
use super::start::{by_time, readable_end};
use crate::documents::{
    Checkpoint, CheckpointEntry, Loss, Move, PartitionState, Reset as ResetRecord, StopCause,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{Cause, Observation, ObservedPartition, PartitionOffsets};
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

/// A partition with the offset that is given for it; none: the log tells.
type Target<'a> = (&'a ObservedPartition, Option<i64>);

fn config(message: String) -> Cause {
    Cause { kind: ErrorKind::Config, message }
}

/// The partitions that are chosen. What cannot be found is a fault.
fn targets<'a>(
    spec: &Spec,
    seen: &'a Observation,
    scope: &ResetScope,
    faults: &mut Vec<Cause>,
) -> Vec<Target<'a>> {
    for topic in &scope.topics {
        if let Err(fault) = known_topic(spec, seen, topic) {
            faults.push(fault);
        }
    }
    let chosen =
        |topic: &str| scope.topics.is_empty() || scope.topics.iter().any(|t| **t == *topic);
    if let ResetTo::Offsets(offsets) = &scope.to {
        return named(spec, seen, offsets, chosen, faults);
    }
    let missing = seen.topics_missing.iter().filter(|_| scope.topics.is_empty());
    faults.extend(missing.map(|(topic, cause)| Cause {
        kind: cause.kind,
        message: format!("{} (choose the others with --topic)", about(topic, cause)),
    }));
    let partitions = seen.partitions.iter();
    let partitions = partitions.filter(|observed| chosen(&observed.partition.topic));
    partitions
        .filter(|observed| spec.table_of(&observed.partition.topic).is_ok())
        .map(|observed| (observed, None))
        .collect()
}

fn about(topic: &str, cause: &Cause) -> String {
    if cause.message.contains(topic) {
        cause.message.clone()
    } else {
        format!("topic {topic}: {}", cause.message)
    }
}

/// Whether a topic that is named takes part, and is there.
fn known_topic(spec: &Spec, seen: &Observation, topic: &str) -> Result<(), Cause> {
    if !spec.topics.matches(topic) {
        return Err(config(format!("topic {topic} is not among the topics of the spec")));
    }
    if let Some((_, cause)) = seen.topics_missing.iter().find(|(missing, _)| missing == topic) {
        return Err(Cause { kind: cause.kind, message: about(topic, cause) });
    }
    if let Err(error) = spec.table_of(topic) {
        return Err(config(error.message().to_owned()));
    }
    match seen.partitions.iter().any(|observed| *observed.partition.topic == *topic) {
        true => Ok(()),
        false => Err(config(format!("topic {topic} does not exist"))),
    }
}

/// The partitions whose offsets are given.
fn named<'a>(
    spec: &Spec,
    seen: &'a Observation,
    offsets: &[(Arc<str>, i32, i64)],
    chosen: impl Fn(&str) -> bool,
    faults: &mut Vec<Cause>,
) -> Vec<Target<'a>> {
    let by_partition: BTreeMap<&TopicPartition, &ObservedPartition> =
        seen.partitions.iter().map(|observed| (&observed.partition, observed)).collect();
    let mut targets = Vec::new();
    let mut refused: BTreeSet<&str> = BTreeSet::new();
    for (topic, partition, offset) in offsets {
        if refused.contains(&**topic) {
            continue;
        }
        let topic_fault = match chosen(topic) {
            true => known_topic(spec, seen, topic).err(),
            false => Some(config(format!("topic {topic} is not among those of --topic"))),
        };
        if let Some(fault) = topic_fault {
            // Once for all of its partitions.
            refused.insert(topic);
            faults.push(fault);
            continue;
        }
        let place = TopicPartition::new(Arc::clone(topic), *partition);
        match by_partition.get(&place) {
            Some(observed) => targets.push((*observed, Some(*offset))),
            None => faults.push(config(format!("{place} does not exist"))),
        }
    }
    targets
}

/// What becomes of one partition; none if it stands there and is fine.
fn change(
    spec: &Spec,
    entry: Option<&CheckpointEntry>,
    (same_cluster, observed): (bool, &ObservedPartition),
    (to, given): (&ResetTo, Option<i64>),
) -> Result<Option<ResetChange>, Cause> {
    let partition = &observed.partition;
    let offsets = *observed.offsets.as_ref().map_err(Clone::clone)?;
    if let (Some(before), None) = (entry.and_then(|entry| entry.topic_id), observed.topic_id) {
        return Err(Cause {
            kind: ErrorKind::Unavailable,
            message: format!(
                "the broker gives no topic id for {partition}, which had {before}: wait until \
                 all brokers run a version that does"
            ),
        });
    }
    let same = entry.filter(|known| match known.topic_id {
        Some(before) => observed.topic_id == Some(before),
        None => same_cluster,
    });
    let from = same.and_then(CheckpointEntry::position);
    let to = match given {
        Some(offset) => check_offset(partition, offset, offsets)?,
        None => resolve(spec, to, from, offsets),
    };
    if same.is_some_and(|known| {
        (known.offset, &known.state, known.topic_id)
            == (to, &PartitionState::Fine, observed.topic_id)
    }) {
        return Ok(None);
    }
    let (topic, topic_id) = (Arc::clone(&partition.topic), observed.topic_id);
    let index = partition.partition;
    let start = from.unwrap_or(offsets.log_start);
    let skipped = (start < to).then(|| Loss {
        topic: Arc::clone(&topic),
        topic_id,
        partition: index,
        start,
        end: to,
    });
    Ok(Some(ResetChange {
        before: entry.cloned(),
        after: CheckpointEntry {
            // What stands before `to` was written in this epoch at the latest: if its end ever
            // falls below, the log was cut back.
            leader_epoch: offsets.leader_epoch,
            mean_bytes: same.and_then(|known| known.mean_bytes),
            last_read: same.and_then(|known| known.last_read),
            // In a log that was cut back it may fall elsewhere now.
            end: same.filter(|known| !is_truncated(known)).and_then(|known| known.end),
            ..CheckpointEntry::new(partition.clone(), topic_id, to)
        },
        moves: Move { topic, topic_id, partition: index, from, to },
        skipped,
    }))
}

fn is_truncated(known: &CheckpointEntry) -> bool {
    matches!(known.state, PartitionState::Stopped { stop: StopCause::Truncated, .. })
}

/// An offset that is given must be one of the log, or its end.
fn check_offset(
    partition: &TopicPartition,
    offset: i64,
    offsets: PartitionOffsets,
) -> Result<i64, Cause> {
    let (start, end) = (offsets.log_start, offsets.high_watermark);
    match (start..=end).contains(&offset) {
        true => Ok(offset),
        false => Err(config(format!(
            "{partition}: {offset} is not in the log, which holds {start} to {end}"
        ))),
    }
}

/// The offset that a word or a time means.
fn resolve(spec: &Spec, to: &ResetTo, from: Option<i64>, offsets: PartitionOffsets) -> i64 {
    match to {
        ResetTo::Earliest | ResetTo::Offsets(_) => offsets.log_start,
        ResetTo::Time(_) => by_time(offsets),
        // What was read past an open transaction (read_uncommitted, before) is not read again.
        ResetTo::Latest => {
            let read = from.filter(|from| *from <= offsets.high_watermark);
            readable_end(spec, offsets).max(read.unwrap_or(0))
        }
    }
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
