use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Accounting, CheckpointEntry, CheckpointRef, Loss, Reset};
use crate::time::Millis;
use crate::words::{PipelineName, RandomId, RunNumber, TopicId, TopicPartition};

/// What a run comes to. Written once, in the destination, as the successor of the layout before
/// it. Data files, manifest and checkpoint follow from it alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The format's version.
    pub format: u32,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The head's birth id.
    pub birth_id: RandomId,
    /// The run.
    pub run: RunNumber,
    /// Its plan.
    pub plan: RandomId,
    /// SHA-256 of the layout before this one; none for the first.
    pub previous_layout: Option<String>,
    /// The run of the manifest before this run's.
    pub previous_manifest: Option<RunNumber>,
    /// When the run was planned.
    pub planned_at: Millis,
    /// When this was written.
    pub laid_out_at: Millis,
    /// SHA-256 of the run's spec.
    pub spec_hash: String,
    /// The checkpoint that the run goes on from.
    pub base: Option<CheckpointRef>,
    /// The cluster that was read.
    pub cluster_id: Option<String>,
    /// Every slice that counts, in order. Those with `reached = start` are left out.
    pub slices: Vec<CountedSlice>,
    /// Offsets that were passed over.
    pub losses: Vec<Loss>,
    /// The checkpoint's entries that the run makes or changes.
    pub entries: Vec<CheckpointEntry>,
    /// The data files, in the order of their numbers.
    pub files: Vec<DataFile>,
    /// Tasks whose output does not count.
    pub set_aside: Vec<SetAside>,
    /// What an operator decided, if the run is a reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// Why the run was given up, if it had no layout when it was: then this one takes the name
    /// in the chain, and nothing comes of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
}

/// What counts of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedSlice {
    /// The partition.
    #[serde(flatten)]
    pub partition: TopicPartition,
    /// The topic's id.
    pub topic_id: Option<TopicId>,
    /// The first offset.
    pub start: i64,
    /// The offset to be read next.
    pub reached: i64,
    /// What the offsets between hold.
    #[serde(flatten)]
    pub accounting: Accounting,
    /// Key, value and header bytes of the rows.
    pub payload_bytes: u64,
}

/// A data file: which staged files it is joined from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its name.
    pub path: String,
    /// Its number in the run, from 1.
    pub number: u32,
    /// Its rows.
    pub rows: u64,
    /// The staged files, in order.
    pub staged: Vec<String>,
    /// What it holds of each partition, in order.
    pub slices: Vec<FileSlice>,
}

/// What a data file holds of a partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileSlice {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Offset of its first row in the file.
    pub start: i64,
    /// The offset after its last.
    pub end: i64,
}

/// A task whose output does not count: as if it had been abandoned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// The task.
    pub task: u32,
    /// Why.
    pub cause: String,
}
