//! What becomes of one partition: where it goes on, what was lost, why it stands still.

use std::sync::Arc;

use super::start::{self, readable_end};
use crate::documents::{
    CheckpointEntry, EndFound, LeftOut, Loss, PartitionState, PlannedEnd, StopCause, Why,
};
use crate::error::ErrorKind;
use crate::ports::{Cause, ObservedPartition, PartitionOffsets};
use crate::spec::{OnDataLoss, Spec};
use crate::time::Millis;
use crate::words::{OffsetRange, TopicId};

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
            identify(case, known, offsets, end)
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

/// Whether what stopped a partition is gone: the policy is another one, or the topic that the
/// entry knows is back (ids are never used again, so it was the wrong cluster that was seen).
fn goes_on_again(case: Case<'_>, known: &CheckpointEntry, stop: StopCause) -> bool {
    match stop {
        StopCause::Lost => case.spec.on_data_loss == OnDataLoss::Skip,
        StopCause::Recreated => {
            known.topic_id.is_some() && known.topic_id == case.observed.topic_id
        }
        StopCause::Truncated => false,
    }
}

/// Whether the topic is the one that the entry knows, and then whether its log is.
fn identify(
    case: Case<'_>,
    known: &CheckpointEntry,
    offsets: PartitionOffsets,
    end: PlannedEnd,
) -> Judged {
    let mut entry = known.clone();
    let mut changed = false;
    match (known.topic_id, case.observed.topic_id) {
        (Some(before), Some(now)) if before != now => {
            return stop(case, entry, end, StopCause::Recreated, recreated(case, before, now));
        }
        (None, Some(now)) if case.same_cluster => {
            entry.topic_id = Some(now);
            changed = true;
        }
        (None, Some(now)) => {
            let message = format!(
                "{} is on another cluster than before (topic id {now}): offset {} means nothing \
                 there; `tidegate reset` decides where to go on",
                known.partition, known.offset
            );
            return stop(case, entry, end, StopCause::Recreated, message);
        }
        (Some(before), None) => {
            let message = format!(
                "the broker gives no topic id for {}, which had {before}: wait until all \
                 brokers run a version that does",
                known.partition
            );
            let cause = Cause { kind: ErrorKind::Unavailable, message: message.clone() };
            let standing = Err(left_out(case.observed, Why::Unobserved(cause), message));
            return Judged { entry: Some(entry), changed, loss: None, end: Some(end), standing };
        }
        (None, None) if !case.same_cluster => {
            let message = format!(
                "{} is on another cluster than before, and neither gives topic ids: offset {} \
                 means nothing there; `tidegate reset` decides where to go on",
                known.partition, known.offset
            );
            return stop(case, entry, end, StopCause::Recreated, message);
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    if let Some(message) = truncated(&entry, offsets) {
        return stop(case, entry, end, StopCause::Truncated, message);
    }
    go_on(case, entry, changed, offsets, end)
}

fn recreated(case: Case<'_>, before: TopicId, now: TopicId) -> String {
    let partition = &case.observed.partition;
    format!(
        "topic {} was deleted and created anew (topic id {before}, now {now}): \
         `tidegate reset` decides where {partition} goes on",
        partition.topic
    )
}

/// Why the log is no longer the one that was read, if it is not: judged against the high
/// watermark, and by the end of the leader epoch that was read last (Kafka's KIP-320).
fn truncated(entry: &CheckpointEntry, offsets: PartitionOffsets) -> Option<String> {
    let advice = "`tidegate reset` decides where to go on";
    let (partition, offset) = (&entry.partition, entry.offset);
    if offset > offsets.high_watermark {
        return Some(format!(
            "the log of {partition} ends at {}, before the checkpoint {offset}: it was cut back \
             (unclean election, or a topic recreated); {advice}",
            offsets.high_watermark
        ));
    }
    if offset < offsets.log_start || entry.leader_epoch < 0 {
        return None;
    }
    let epoch = entry.leader_epoch;
    let answer = offsets.epoch_end?;
    if answer.epoch < 0 || answer.end < 0 {
        return Some(format!(
            "the log of {partition} no longer knows leader epoch {epoch}, which was read up to \
             {offset}: it was cut back; {advice}"
        ));
    }
    (answer.end < offset).then(|| {
        format!(
            "the log of {partition} was cut back to {} in leader epoch {epoch}, which was read \
             up to {offset}; {advice}",
            answer.end
        )
    })
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

fn planned_end(case: Case<'_>, offsets: PartitionOffsets) -> PlannedEnd {
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
