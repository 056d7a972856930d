use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CheckpointEntry, CheckpointRef, Reset};
use crate::ports::Cause;
use crate::time::Millis;
use crate::words::{OffsetRange, PipelineName, RandomId, RunNumber, TopicId, TopicPartition};

/// What a run is to do. Never changed. The tasks stand in documents of their own, so that a
/// reader loads only its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The format's version.
    pub format: u32,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The head's birth id.
    pub birth_id: RandomId,
    /// The run.
    pub run: RunNumber,
    /// Random: the plan's name.
    pub plan: RandomId,
    /// When it was made.
    pub planned_at: Millis,
    /// The spec of the run, in its canonical form.
    pub spec: serde_json::Value,
    /// SHA-256 of the canonical spec.
    pub spec_hash: String,
    /// The checkpoint that it goes on from; none for the empty one.
    pub base: Option<CheckpointRef>,
    /// The cluster that was observed.
    pub cluster_id: Option<String>,
    /// How many tasks.
    pub tasks: u32,
    /// SHA-256 of each task's document.
    pub task_hashes: Vec<String>,
    /// Name of the schema of each table that the run writes.
    pub schemas: Vec<(String, String)>,
    /// Offsets that are passed over, because they are gone (policy `skip`).
    pub losses: Vec<Loss>,
    /// Entries that the plan makes or changes whatever becomes of the run: starts resolved,
    /// topic ids adopted, losses skipped, partitions stopped.
    pub entries: Vec<CheckpointEntry>,
    /// Whether caps leave something for the next run.
    pub backlog: bool,
    /// Where every partition ended when it was observed.
    pub ends: Vec<PlannedEnd>,
    /// Topics and partitions that take no part, and why.
    pub left_out: Vec<LeftOut>,
    /// What an operator decided, if the run is a reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
}

/// The slices that one reader invocation reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The format's version.
    pub format: u32,
    /// Its index, from 0.
    pub task: u32,
    /// Its slices: those that begin at their partition's position first, in order.
    pub slices: Vec<PlannedSlice>,
}

/// A slice to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSlice {
    /// The partition.
    #[serde(flatten)]
    pub partition: TopicPartition,
    /// The topic's id when it was planned.
    pub topic_id: Option<TopicId>,
    /// The offsets.
    pub range: OffsetRange,
    /// The leader's epoch when it was planned; −1 if unknown. Its end must not fall below the
    /// slice's end while it is read.
    pub leader_epoch: i32,
    /// Whether it begins where its partition stands. One that does not has staged files of its
    /// own, since it counts only if all before it was read.
    pub leads: bool,
    /// The folder of the topic's files.
    pub table: Arc<str>,
    /// The reader stops the slice when it has read this much (unsplit slices under a cap in
    /// bytes).
    pub bytes_max: Option<u64>,
    /// Key, value and header bytes it is expected to hold.
    pub bytes_expected: u64,
}

/// Offsets that are gone before they were read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Loss {
    /// The topic.
    pub topic: Arc<str>,
    /// Its id.
    pub topic_id: Option<TopicId>,
    /// The partition.
    pub partition: i32,
    /// The first offset that is gone.
    pub start: i64,
    /// The first that is not.
    pub end: i64,
}

/// Where a partition ended when it was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedEnd {
    /// The partition.
    #[serde(flatten)]
    pub partition: TopicPartition,
    /// What a run may read up to.
    pub end: i64,
    /// The high watermark: what lag is counted to.
    pub high_watermark: i64,
    /// The log start.
    pub log_start: i64,
    /// Timestamp of the log's first record.
    pub log_start_time: Option<Millis>,
}

/// A topic or partition that takes no part in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; none: the whole topic.
    pub partition: Option<i32>,
    /// Why.
    pub why: Why,
    /// The same in words.
    pub message: String,
}

/// Why a topic or partition takes no part in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It could not be observed.
    Unobserved(Cause),
    /// It is stopped.
    Stopped,
    /// It is quarantined and not due.
    Quarantined,
    /// Its topic waits for `batching`.
    Batching,
    /// The run's caps or readers are used up.
    Capped,
    /// Its topic cannot be a folder.
    Table,
}
