use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ports::Cause;
use crate::time::Millis;
use crate::words::{PipelineName, RandomId, RunNumber, TopicId, TopicPartition};

/// The state of a partition whose entry says nothing of its position yet, as manifests show it.
pub(crate) const UNRESOLVED: &str = "unresolved";

/// A checkpoint, by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRef {
    /// The run that made it.
    pub run: RunNumber,
    /// That run's plan.
    pub plan: RandomId,
    /// SHA-256 of its bytes.
    pub hash: String,
}

/// Where every partition ever planned stands. Written once per run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The format's version.
    pub format: u32,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The run that made it; 0 for the empty one before the first.
    pub run: RunNumber,
    /// The cluster that was read.
    pub cluster_id: Option<String>,
    /// One entry per partition, in order.
    pub entries: Vec<CheckpointEntry>,
}

impl Checkpoint {
    /// The entry of a partition.
    pub fn entry(&self, partition: &TopicPartition) -> Option<&CheckpointEntry> {
        let at = self.entries.binary_search_by(|e| e.partition.cmp(partition)).ok()?;
        self.entries.get(at)
    }

    /// This checkpoint with `changed` in place of, or beside, its entries.
    #[must_use]
    pub fn with(&self, changed: &[CheckpointEntry]) -> Vec<CheckpointEntry> {
        let mut entries: std::collections::BTreeMap<_, _> =
            self.entries.iter().map(|e| (&e.partition, e)).collect();
        entries.extend(changed.iter().map(|e| (&e.partition, e)));
        entries.into_values().cloned().collect()
    }

    /// Reads a checkpoint and puts its entries in order.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut checkpoint: Self = super::decode(bytes, "the checkpoint")?;
        checkpoint.entries.sort_by(|a, b| a.partition.cmp(&b.partition));
        Ok(checkpoint)
    }
}

/// Where a partition stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointEntry {
    /// The partition.
    #[serde(flatten)]
    pub partition: TopicPartition,
    /// The topic's id, where the brokers gave one.
    pub topic_id: Option<TopicId>,
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the batch that holds or follows offset - 1, or of the leader when it began
    /// there; −1 if unknown.
    pub leader_epoch: i32,
    /// Timestamp of the last record read that had one.
    pub last_timestamp: Option<Millis>,
    /// Key, value and header bytes per offset, as measured last.
    pub mean_bytes: Option<u64>,
    /// When the run that read it last was planned.
    pub last_read: Option<Millis>,
    /// When the last run that tried to read it and crossed nothing was planned; none if it
    /// crossed something since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_tried: Option<Millis>,
    /// Where the spec's `end` falls, once a record was seen there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndFound>,
    /// Whether it is read.
    #[serde(flatten)]
    pub state: PartitionState,
    /// Whether no manifest has told of this entry's last change yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
}

impl CheckpointEntry {
    /// A partition of which nothing is known but that it goes on at `offset`.
    pub fn new(partition: TopicPartition, topic_id: Option<TopicId>, offset: i64) -> Self {
        Self {
            partition,
            topic_id,
            offset,
            leader_epoch: -1,
            last_timestamp: None,
            mean_bytes: None,
            last_read: None,
            last_tried: None,
            end: None,
            state: PartitionState::Fine,
            untold: false,
        }
    }

    /// When it last had its turn, whatever came of it: the longest waiting are served first.
    pub fn last_served(&self) -> Option<Millis> {
        self.last_read.max(self.last_tried)
    }

    /// The next offset to read; none while it is not known where the partition begins.
    pub fn position(&self) -> Option<i64> {
        match self.state {
            PartitionState::Unresolved { .. } => None,
            PartitionState::Fine
            | PartitionState::Quarantined(_)
            | PartitionState::Stopped { .. } => Some(self.offset),
        }
    }

    /// Whether it says anything to those who read manifests that `before` does not.
    pub fn tells_more_than(&self, before: Option<&Self>) -> bool {
        let told =
            |entry: &Self| (entry.topic_id, entry.offset, entry.leader_epoch, entry.state.clone());
        before.map(told) != Some(told(self))
    }
}

/// Where a spec's `end` falls in a partition. Kept, since retention and compaction may take the
/// record that decided it: what lies behind stays behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndFound {
    /// The spec's `end`.
    pub time: Millis,
    /// The first offset whose record has that time or a later one.
    pub offset: i64,
}

/// Whether a partition is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PartitionState {
    /// Yes.
    Fine,
    /// Seldom, until it succeeds once.
    Quarantined(Quarantine),
    /// Not yet: it could not be observed at the first run, whose `start` holds for it.
    Unresolved {
        /// It begins where the entry's leader epoch ends, or, if that is unknown, at its first
        /// record with this timestamp or a later one; without, at the entry's offset, which the
        /// spec gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Millis>,
    },
    /// No, until an operator decides.
    Stopped {
        /// Why.
        stop: StopCause,
        /// The same in words: where, and what to do.
        message: String,
    },
}

/// A partition that failed for a cause of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What went wrong.
    pub cause: Cause,
    /// How often in a row.
    pub failures: u32,
    /// It is tried again from this run on…
    pub retry_run: RunNumber,
    /// …or from this time on, whichever comes first.
    pub retry_at: Millis,
}

/// Why a partition is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Retention or DeleteRecords removed records before they were read.
    Lost,
    /// The topic was deleted and created anew.
    Recreated,
    /// The log was cut back behind the checkpoint.
    Truncated,
}

impl PartitionState {
    /// The state as a manifest shows it: `fine`, `quarantined`, `unresolved`, `stopped`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Quarantined(_) => "quarantined",
            Self::Unresolved { .. } => UNRESOLVED,
            Self::Stopped { .. } => "stopped",
        }
    }

    /// Why it is not fine, in words.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Fine => None,
            Self::Quarantined(quarantine) => Some(&quarantine.cause.message),
            Self::Unresolved { .. } => Some(
                "it could not be observed at the first run: it begins where `start` said, once \
                 it can be",
            ),
            Self::Stopped { message, .. } => Some(message),
        }
    }

    /// Why it is not fine, for programs: what stopped it, or the kind of what failed.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Fine | Self::Unresolved { .. } => None,
            Self::Quarantined(quarantine) => Some(quarantine.cause.kind.as_str()),
            Self::Stopped { stop, .. } => Some(stop.as_str()),
        }
    }

    /// Whether it is one that operators are told of.
    pub fn is_amiss(&self) -> bool {
        matches!(self, Self::Quarantined(_) | Self::Stopped { .. })
    }
}

impl StopCause {
    /// The cause as it stands in documents and in what is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Recreated => "recreated",
            Self::Truncated => "truncated",
        }
    }
}

#[cfg(test)]
mod tests;
