//! Whether slices are still what was planned: checked before the first fetch and after the last.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::documents::PlannedSlice;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::ports::{Cause, LogSource, Observation, ObserveRequest, PartitionEpoch};
use crate::spec::TopicSelection;
use crate::time::Deadline;

/// How often a partition out of reach is looked at again; each look has retries of its own.
const LOOKS_MAX: u32 = 5;

/// The slices that are not what was planned, by index: another topic of the same name, or a log
/// that was cut back behind the slice's end.
pub(super) async fn check(
    log: &impl LogSource,
    slices: &[PlannedSlice],
    deadline: Deadline,
) -> Result<BTreeMap<usize, Cause>> {
    let mut topics: Vec<Arc<str>> =
        slices.iter().map(|slice| Arc::clone(&slice.partition.topic)).collect();
    topics.sort();
    topics.dedup();
    let mut epochs: Vec<PartitionEpoch> = slices
        .iter()
        .filter(|slice| slice.leader_epoch >= 0)
        .map(|slice| PartitionEpoch {
            partition: slice.partition.clone(),
            epoch: slice.leader_epoch,
        })
        .collect();
    epochs.sort_by(|a, b| a.partition.cmp(&b.partition));
    epochs.dedup();
    let request = ObserveRequest {
        topics: TopicSelection::Names(topics),
        offsets: false,
        start_time: None,
        end_time: None,
        epochs,
    };
    let seen = log.observe(&request, deadline).await;
    let seen = seen.while_doing(|| "check topic ids and leader epochs".into())?;
    let faults = slices.iter().enumerate().filter_map(|(at, slice)| {
        let error = fault(slice, &seen)?;
        Some((at, Cause::from(&error)))
    });
    Ok(faults.collect())
}

/// [`check`] after the last fetch. A partition that cannot be looked at for a moment (its leader
/// moves) is looked at again: only a change makes what was read void.
pub(super) async fn check_again(
    log: &impl LogSource,
    slices: &[PlannedSlice],
    deadline: Deadline,
) -> Result<BTreeMap<usize, Cause>> {
    let mut faults = check(log, slices, deadline).await?;
    for _ in 0..LOOKS_MAX {
        if faults.values().all(|cause| cause.kind != ErrorKind::Unavailable) {
            break;
        }
        faults = check(log, slices, deadline).await?;
    }
    Ok(faults)
}

/// Why a slice is not what was planned, if it is not.
fn fault(slice: &PlannedSlice, seen: &Observation) -> Option<Error> {
    let partition = &slice.partition;
    if let Some((_, cause)) = seen.topics_missing.iter().find(|(t, _)| **t == *partition.topic) {
        return Some(Error::new(cause.kind, cause.message.clone()));
    }
    let found = seen.partitions.binary_search_by(|found| found.partition.cmp(partition));
    let Some(found) = found.ok().and_then(|at| seen.partitions.get(at)) else {
        return Some(Error::data_loss(format!("{partition} is no longer there")));
    };
    if let (Some(planned), Some(now)) = (slice.topic_id, found.topic_id)
        && planned != now
    {
        return Some(Error::data_loss(format!(
            "topic {} was deleted and created anew while it was read (topic id {planned}, now {now})",
            partition.topic
        )));
    }
    let offsets = match &found.offsets {
        Ok(offsets) => offsets,
        Err(cause) => return Some(Error::new(cause.kind, cause.message.clone())),
    };
    let end = offsets.epoch_end.filter(|_| slice.leader_epoch >= 0)?;
    (end.end < slice.range.end()).then(|| {
        Error::data_loss(format!(
            "the log of {partition} was cut back to {} in leader epoch {}, while {} was planned",
            end.end, slice.leader_epoch, slice.range
        ))
    })
}
