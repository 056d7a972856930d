//! Whether a partition is the one that the checkpoint knows, and its log the one that was read.

use super::judge::Case;
use crate::documents::{CheckpointEntry, StopCause};
use crate::ports::PartitionOffsets;
use crate::spec::OnDataLoss;
use crate::words::TopicId;

/// What a partition turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The one that is known.
    Same {
        /// Its topic's id, which may have become known just now.
        topic_id: Option<TopicId>,
    },
    /// Another, or its log was cut back: it stops.
    Other {
        /// Which of them.
        cause: StopCause,
        /// The same in words, and what to do.
        message: String,
    },
    /// Nobody can tell for the moment.
    Untold {
        /// Why.
        message: String,
    },
}

/// Whether what stopped a partition is gone: the policy is another one, or the topic that the
/// entry knows is back (ids are never used again, so it was the wrong cluster that was seen).
pub(super) fn goes_on_again(case: Case<'_>, known: &CheckpointEntry, stop: StopCause) -> bool {
    match stop {
        StopCause::Lost => case.spec.on_data_loss == OnDataLoss::Skip,
        StopCause::Recreated => {
            known.topic_id.is_some() && known.topic_id == case.observed.topic_id
        }
        StopCause::Truncated => false,
    }
}

/// Whether the topic is the one that the entry knows, and then whether its log is.
pub(super) fn identify(
    case: Case<'_>,
    known: &CheckpointEntry,
    offsets: PartitionOffsets,
) -> Identity {
    let (partition, offset) = (&known.partition, known.offset);
    let recreated = |message| Identity::Other { cause: StopCause::Recreated, message };
    match (known.topic_id, case.observed.topic_id) {
        (Some(before), Some(now)) if before != now => recreated(format!(
            "topic {} was deleted and created anew (topic id {before}, now {now}): \
             `tidegate reset` decides where {partition} goes on",
            partition.topic
        )),
        (Some(before), None) => Identity::Untold {
            message: format!(
                "the broker gives no topic id for {partition}, which had {before}: wait until all \
                 brokers run a version that does"
            ),
        },
        (None, Some(now)) if !case.same_cluster => recreated(format!(
            "{partition} is on another cluster than before (topic id {now}): offset {offset} \
             means nothing there; `tidegate reset` decides where to go on"
        )),
        (None, None) if !case.same_cluster => recreated(format!(
            "{partition} is on another cluster than before, and neither gives topic ids: offset \
             {offset} means nothing there; `tidegate reset` decides where to go on"
        )),
        (_, topic_id) => match truncated(known, offsets) {
            Some(message) => Identity::Other { cause: StopCause::Truncated, message },
            None => Identity::Same { topic_id },
        },
    }
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
