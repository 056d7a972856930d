//! What becomes of one partition: where it goes on, what was lost, why it stands still.

use std::sync::Arc;

use super::identity::{Identity, goes_on_again, identify};
use super::start::{self, readable_end};
use crate::documents::{
    CheckpointEntry, EndFound, LeftOut, Loss, PartitionState, PlannedEnd, StopCause, Why,
};
use crate::error::ErrorKind;
use crate::ports::{Cause, ObservedPartition, PartitionOffsets};
use crate::spec::{OnDataLoss, Spec};
use crate::time::Millis;
use crate::words::OffsetRange;

/// What the judgement of a partition rests on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// Now.
    pub now: Millis,
    /// Whether the pipeline has no checkpoint yet: only then does `start` count.
    pub first_run: bool,
    /// Whether the cluster is the one that the checkpoint knows.
    pub same_cluster: bool,
    /// What the checkpoint says of the partition.
    pub entry: Option<&'a CheckpointEntry>,
    /// What was observed.
    pub observed: &'a ObservedPartition,
}

/// A partition after judgement.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// Its entry from now on; none if it could not be observed and has none.
    pub entry: Option<CheckpointEntry>,
    /// Whether the entry is new or changed.
    pub changed: bool,
    /// What is passed over.
    pub loss: Option<Loss>,
    /// Where it ends; none if it could not be observed.
    pub end: Option<PlannedEnd>,
    /// Whether it can be read.
    pub standing: Result<Standing, LeftOut>,
}

/// A partition that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// What is there to read; none if it is caught up.
    pub pending: Option<OffsetRange>,
    /// The leader's epoch.
    pub leader_epoch: i32,
}

/// Judges a partition.
pub(super) fn judge(case: Case<'_>) -> Judged {
    let observed = case.observed;
    let offsets = match &observed.offsets {
        Ok(offsets) => *offsets,
        Err(cause) => return unobserved(case, cause),
    };
    let end = planned_end(case, offsets);
    let Some(known) = case.entry else {
        return go_on(case, start::begin(case, offsets), true, offsets, end);
    };
    match &known.state {
        PartitionState::Stopped { stop, message } if !goes_on_again(case, known, *stop) => {
            let standing = Err(left_out(observed, Why::Stopped, message.clone()));
            let entry = Some(known.clone());
            Judged { entry, changed: false, loss: None, end: Some(end), standing }
        }
        PartitionState::Unresolved { from } => resolve(case, known, *from, offsets, end),
        PartitionState::Fine | PartitionState::Quarantined(_) | PartitionState::Stopped { .. } => {
            go_on_known(case, known, offsets, end)
        }
    }
}

/// A partition that could not be looked at. At the first run its start is kept for later.
fn unobserved(case: Case<'_>, cause: &Cause) -> Judged {
    let why = Why::Unobserved(cause.clone());
    let standing = Err(left_out(case.observed, why, cause.message.clone()));
    let entry = case.entry.cloned().or_else(|| start::keep(case));
    let changed = case.entry.is_none() && entry.is_some();
    Judged { entry, changed, loss: None, end: None, standing }
}

/// A partition that could not be observed at the first run, and now can. If its topic was made
/// anew meanwhile, it is one that appeared later.
fn resolve(
    case: Case<'_>,
    known: &CheckpointEntry,
    from: Option<Millis>,
    offsets: PartitionOffsets,
    end: PlannedEnd,
) -> Judged {
    let now = case.observed.topic_id;
    if known.topic_id.is_some() && now.is_some() && known.topic_id != now {
        let later = Case { first_run: false, ..case };
        return go_on(case, start::begin(later, offsets), true, offsets, end);
    }
    let entry = start::resolve(known, from, case, offsets);
    if entry.offset > offsets.high_watermark {
        let message = format!(
            "the log of {} ends at {}, before {}, where `start` said that it begins; \
             `tidegate reset` decides where to go on",
            entry.partition, offsets.high_watermark, entry.offset
        );
        return stop(case, entry, end, StopCause::Truncated, message);
    }
    go_on(case, entry, true, offsets, end)
}

/// A partition that was planned before.
fn go_on_known(
    case: Case<'_>,
    known: &CheckpointEntry,
    offsets: PartitionOffsets,
    end: PlannedEnd,
) -> Judged {
    match identify(case, known, offsets) {
        Identity::Same { topic_id } => {
            let changed = known.topic_id != topic_id;
            let entry = CheckpointEntry { topic_id, ..known.clone() };
            go_on(case, entry, changed, offsets, end)
        }
        Identity::Other { cause, message } => stop(case, known.clone(), end, cause, message),
        Identity::Untold { message } => {
            let cause = Cause { kind: ErrorKind::Unavailable, message: message.clone() };
            let standing = Err(left_out(case.observed, Why::Unobserved(cause), message));
            let entry = Some(known.clone());
            Judged { entry, changed: false, loss: None, end: Some(end), standing }
        }
    }
}

/// A partition whose log is the right one: is anything lost, and what is pending?
fn go_on(
    case: Case<'_>,
    mut entry: CheckpointEntry,
    mut changed: bool,
    offsets: PartitionOffsets,
    end: PlannedEnd,
) -> Judged {
    let mut loss = None;
    let limit = limit(case, offsets);
    if let (Some(time), Some(offset)) = (case.spec.end, limit)
        && entry.end != Some(EndFound { time, offset })
    {
        entry.end = Some(EndFound { time, offset });
        changed = true;
    }
    // What `end` leaves alone is no loss.
    let gone = offsets.log_start.min(limit.unwrap_or(i64::MAX));
    if entry.offset < gone {
        let (start, end_lost) = (entry.offset, gone);
        if case.spec.on_data_loss == OnDataLoss::Stop {
            let message = format!(
                "offsets [{start}, {end_lost}) of {} are gone: retention or DeleteRecords \
                 removed them before they were read; set on_data_loss to \"skip\", or \
                 `tidegate reset`",
                entry.partition
            );
            return stop(case, entry, end, StopCause::Lost, message);
        }
        loss = Some(Loss {
            topic: Arc::clone(&entry.partition.topic),
            topic_id: entry.topic_id,
            partition: entry.partition.partition,
            start,
            end: end_lost,
        });
        entry.offset = end_lost;
        // The batch that was read last is behind the loss, and so is one that could not be read.
        entry.leader_epoch = offsets.leader_epoch;
        entry.state = PartitionState::Fine;
        changed = true;
    }
    if matches!(entry.state, PartitionState::Stopped { .. }) {
        entry.state = PartitionState::Fine;
        changed = true;
    }
    let pending = OffsetRange::new(entry.offset, end.end);
    let standing = Ok(Standing { pending, leader_epoch: offsets.leader_epoch });
    Judged { entry: Some(entry), changed, loss, end: Some(end), standing }
}

fn stop(
    case: Case<'_>,
    mut entry: CheckpointEntry,
    end: PlannedEnd,
    stop: StopCause,
    message: String,
) -> Judged {
    let state = PartitionState::Stopped { stop, message: message.clone() };
    let changed = case.entry.is_none_or(|known| known.state != state);
    entry.state = state;
    let standing = Err(left_out(case.observed, Why::Stopped, message));
    Judged { entry: Some(entry), changed, loss: None, end: Some(end), standing }
}

/// The first offset that the spec's `end` leaves alone; none while there is none. Once found it
/// stays, whatever becomes of the record that decided it.
fn limit(case: Case<'_>, offsets: PartitionOffsets) -> Option<i64> {
    let time = case.spec.end?;
    let known = case.entry.and_then(|entry| entry.end).filter(|end| end.time == time);
    known.map(|end| end.offset).or(offsets.end_offset)
}

/// Where a partition ends, for this run and for who asks how far behind it is.
pub(super) fn planned_end(case: Case<'_>, offsets: PartitionOffsets) -> PlannedEnd {
    let limit = limit(case, offsets).unwrap_or(i64::MAX);
    PlannedEnd {
        partition: case.observed.partition.clone(),
        end: readable_end(case.spec, offsets).min(limit),
        high_watermark: offsets.high_watermark.min(limit),
        log_start: offsets.log_start,
        log_start_time: offsets.log_start_time,
    }
}

fn left_out(observed: &ObservedPartition, why: Why, message: String) -> LeftOut {
    LeftOut {
        topic: Arc::clone(&observed.partition.topic),
        partition: Some(observed.partition.partition),
        why,
        message,
    }
}

#[cfg(test)]
mod tests;
