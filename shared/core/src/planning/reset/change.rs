//! What a reset makes of one partition.

use std::sync::Arc;

use super::{ResetChange, ResetTo, config};
use crate::documents::{CheckpointEntry, Loss, Move, PartitionState, StopCause};
use crate::error::{ErrorKind, Result};
use crate::planning::start::{by_time, readable_end};
use crate::ports::{Cause, ObservedPartition, PartitionOffsets};
use crate::spec::Spec;
use crate::words::TopicPartition;

/// What becomes of one partition; none if it stands there and is fine.
pub(super) fn change(
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
