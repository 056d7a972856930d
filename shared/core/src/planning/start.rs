//! Where a partition begins: decided once, at the pipeline's first run.

use std::sync::Arc;

use super::judge::Case;
use crate::documents::{CheckpointEntry, PartitionState};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{Observation, PartitionOffsets};
use crate::spec::units::time_text;
use crate::spec::{Spec, Start};
use crate::time::Millis;
use crate::words::{Isolation, TopicPartition};

/// P12: refuses offsets that `start` gives for what is not there or lies beyond `end`, all of them
/// at once (`Config`). A topic that is not there at all is passed over: it may come.
pub(super) fn check(spec: &Spec, seen: &Observation, now: Millis) -> Result<()> {
    let mut wrong: Vec<String> =
        given(spec).iter().filter_map(|given| fault(given, seen)).collect();
    if let (Start::Latest, Some(end)) = (&spec.start, spec.end)
        && end <= now
    {
        let end = time_text(end);
        wrong.push(format!("end: {end} is past, and start is \"latest\": nothing lies between"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::config(wrong.join("; "))) }
}

/// The offsets that `start` gives, in order.
fn given(spec: &Spec) -> &[(Arc<str>, i32, i64)] {
    match &spec.start {
        Start::Offsets(offsets) => offsets,
        Start::Earliest | Start::Latest | Start::Time(_) => &[],
    }
}

/// What is wrong with an offset that is given, if its topic is there.
fn fault(given: &(Arc<str>, i32, i64), seen: &Observation) -> Option<String> {
    let (topic, partition, offset) = given;
    let path = format!("start.{topic}.{partition}");
    let first = seen.partitions.partition_point(|found| *found.partition.topic < **topic);
    let of_topic = seen.partitions.get(first..)?;
    let count = of_topic.partition_point(|found| found.partition.topic == *topic);
    let mut of_topic = of_topic.iter().take(count);
    let Some(found) = of_topic.find(|found| found.partition.partition == *partition) else {
        return (count > 0).then(|| {
            format!("{path}: there is no such partition: the topic has {count}, numbered from 0")
        });
    };
    let offsets = found.offsets.as_ref().ok()?;
    let end = offsets.high_watermark;
    if *offset > end {
        return Some(format!(
            "{path}: {offset} lies beyond the end of the log, {end}: give an offset up to there, \
             or \"latest\""
        ));
    }
    let end = offsets.end_offset.filter(|end| offset > end)?;
    Some(format!("{path}: {offset} lies beyond the spec's end, which is offset {end} there"))
}

/// The entry of a partition that the checkpoint does not know: it begins now.
pub(super) fn begin(case: Case<'_>, offsets: PartitionOffsets) -> CheckpointEntry {
    let offset = match &case.spec.start {
        _ if !case.first_run => offsets.log_start,
        Start::Earliest => offsets.log_start,
        Start::Latest => readable_end(case.spec, offsets),
        Start::Time(_) => by_time(offsets),
        Start::Offsets(_) => {
            given_for(case.spec, &case.observed.partition).unwrap_or(offsets.log_start)
        }
    };
    let entry =
        CheckpointEntry::new(case.observed.partition.clone(), case.observed.topic_id, offset);
    CheckpointEntry { leader_epoch: offsets.leader_epoch, ..entry }
}

/// The entry of a partition that can be observed at last, which begins where the first run's
/// `start` said: where its log ended while it had no leader, or at the first record `from` then
/// on, or at the offset that it has.
pub(super) fn resolve(
    known: &CheckpointEntry,
    from: Option<Millis>,
    case: Case<'_>,
    offsets: PartitionOffsets,
) -> CheckpointEntry {
    CheckpointEntry {
        topic_id: case.observed.topic_id,
        offset: if from.is_some() {
            end_of_vacancy(known, offsets).unwrap_or(by_time(offsets))
        } else {
            known.offset
        },
        leader_epoch: offsets.leader_epoch,
        state: PartitionState::Fine,
        ..known.clone()
    }
}

/// What is kept of `start` for a partition that cannot be observed at the first run; none where
/// it begins at its log start in any case.
pub(super) fn keep(case: Case<'_>) -> Option<CheckpointEntry> {
    let observed = case.observed;
    let (offset, from, leader_epoch) = match &case.spec.start {
        _ if !case.first_run => return None,
        Start::Earliest => return None,
        // Where its log ends nobody can see: without a leader at the end of this epoch, else
        // where the records from now on begin.
        Start::Latest => (0, Some(case.now), observed.vacant_epoch.unwrap_or(-1)),
        Start::Time(time) => (0, Some(*time), -1),
        Start::Offsets(_) => (given_for(case.spec, &observed.partition)?, None, -1),
    };
    let state = PartitionState::Unresolved { from };
    let entry = CheckpointEntry::new(observed.partition.clone(), observed.topic_id, offset);
    Some(CheckpointEntry { leader_epoch, state, ..entry })
}

/// The same for topics of which nothing can be seen, but which may be there: for the partitions
/// that `start` names.
pub(super) fn keep_of_missing(spec: &Spec, seen: &Observation) -> Vec<CheckpointEntry> {
    let hidden = |topic: &str| {
        let mut missing = seen.topics_missing.iter();
        missing.any(|(name, cause)| name == topic && cause.kind != ErrorKind::Config)
    };
    let given = given(spec).iter().filter(|(topic, _, _)| hidden(topic));
    given
        .map(|(topic, partition, offset)| CheckpointEntry {
            state: PartitionState::Unresolved { from: None },
            ..CheckpointEntry::new(
                TopicPartition::new(Arc::clone(topic), *partition),
                None,
                *offset,
            )
        })
        .collect()
}

fn given_for(spec: &Spec, partition: &TopicPartition) -> Option<i64> {
    let given = given(spec);
    let key = (&partition.topic, partition.partition);
    let at = given.binary_search_by(|(topic, index, _)| (topic, *index).cmp(&key)).ok()?;
    given.get(at).map(|(_, _, offset)| *offset)
}

/// Where the log ended while it had no leader, if the brokers know.
fn end_of_vacancy(known: &CheckpointEntry, offsets: PartitionOffsets) -> Option<i64> {
    let answer = offsets.epoch_end.filter(|_| known.leader_epoch >= 0)?;
    (answer.epoch >= 0 && answer.end >= 0).then_some(answer.end)
}

/// The first record at or after the time that was asked for; without one, what is not decided
/// yet.
pub(super) fn by_time(offsets: PartitionOffsets) -> i64 {
    offsets.start_offset.unwrap_or(offsets.last_stable)
}

/// The offset that no run reads at or past, but for the spec's `end`.
pub(super) fn readable_end(spec: &Spec, offsets: PartitionOffsets) -> i64 {
    match spec.kafka.isolation_level {
        Isolation::ReadCommitted => offsets.last_stable.min(offsets.high_watermark),
        Isolation::ReadUncommitted => offsets.high_watermark,
    }
}

#[cfg(test)]
mod tests;
