use std::fmt;
use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::columns::Columns;
use crate::error::{Error, ErrorKind, Result};
use crate::spec::TopicSelection;
use crate::time::{Deadline, Millis};
use crate::words::{Isolation, OffsetRange, TopicId, TopicPartition};

/// An error as it is kept in a document: why a partition is left out, why a slice ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cause {
    /// What to do about it.
    pub kind: ErrorKind,
    /// What happened, where, and what to do.
    pub message: String,
}

impl From<&Error> for Cause {
    fn from(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The end of this leader epoch is asked for: what tells a log that was cut back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEpoch {
    /// The partition.
    #[serde(flatten)]
    pub partition: TopicPartition,
    /// The leader epoch.
    pub epoch: i32,
}

/// The broker's answer to a [`PartitionEpoch`] (OffsetForLeaderEpoch): the largest epoch it
/// knows that is not larger, and the offset after that epoch's last. Both −1: it knows none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochEnd {
    /// The epoch.
    pub epoch: i32,
    /// The offset after its last.
    pub end: i64,
}

/// What is to be observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveRequest {
    /// Which topics.
    pub topics: TopicSelection,
    /// Whether offsets are wanted; otherwise only topic ids, leaders and epochs.
    pub offsets: bool,
    /// For each partition, the first offset whose timestamp is at or after this.
    pub start_time: Option<Millis>,
    /// The same for the spec's `end`.
    pub end_time: Option<Millis>,
    /// Leader epochs whose end is wanted, at most one per partition. Epochs of partitions that
    /// are not there are passed over.
    pub epochs: Vec<PartitionEpoch>,
}

/// What was seen of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The cluster's id, where the brokers give one.
    pub cluster_id: Option<String>,
    /// All partitions of all topics that match, in order.
    pub partitions: Vec<ObservedPartition>,
    /// Topics that could not be looked at, with the cause: named ones that do not exist
    /// (`Config`), those that may not be described (`Denied`).
    pub topics_missing: Vec<(String, Cause)>,
}

/// What was seen of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedPartition {
    /// Which.
    #[serde(flatten)]
    pub partition: TopicPartition,
    /// The topic's id, where the brokers give one.
    pub topic_id: Option<TopicId>,
    /// Its offsets, or why they cannot be had (no leader, no right).
    pub offsets: Result<PartitionOffsets, Cause>,
    /// The leader epoch in which it has no leader, if it has none: what a later leader appends
    /// is of a later epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vacant_epoch: Option<i32>,
}

/// The offsets of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionOffsets {
    /// The leader's epoch at this moment; −1 where the brokers give none.
    pub leader_epoch: i32,
    /// The first offset there is.
    pub log_start: i64,
    /// The offset after the last that is replicated.
    pub high_watermark: i64,
    /// The offset after the last that is decided: at most the high watermark.
    pub last_stable: i64,
    /// The first offset at or after `start_time`; none if there is no such record (or it was
    /// not asked).
    pub start_offset: Option<i64>,
    /// The first offset at or after `end_time`; none likewise.
    pub end_offset: Option<i64>,
    /// Timestamp of the first record of the log that has one.
    pub log_start_time: Option<Millis>,
    /// The answer to the [`PartitionEpoch`] asked for; none if none was asked.
    pub epoch_end: Option<EpochEnd>,
}

/// A slice to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchSlice {
    /// Which partition.
    pub partition: TopicPartition,
    /// Which offsets.
    pub range: OffsetRange,
}

/// Offsets of one slice that were crossed. They add up:
/// `next - (next before) = rows + markers + aborted + compacted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which slice: its index in the call of [`LogSource::fetch`].
    pub slice: usize,
    /// The offset to be read next: at most the slice's end.
    pub next: i64,
    /// Offsets of control batches, with or without their record.
    pub markers: u64,
    /// Offsets covered by batches of aborted transactions.
    pub aborted: u64,
    /// Offsets without a record: inside a batch, or between the offset asked for and the next
    /// batch's base. Counted from what an answer shows, never as the remainder.
    pub compacted: u64,
    /// Leader epoch of the batch that holds or follows offset `next - 1`; −1 if unknown.
    pub leader_epoch: i32,
}

/// What a fetch came to.
#[derive(Debug)]
pub enum Fetched {
    /// Offsets were crossed; their rows are in the columns (perhaps none).
    Progress(Progress),
    /// This slice cannot be read further, for a cause of its own. Rows before it were given.
    Ended {
        /// Which slice.
        slice: usize,
        /// Why.
        error: Error,
    },
    /// All slices were read to their end, ended or were stopped.
    Done,
}

/// Kafka, as far as core looks: what is there, and the records of slices.
pub trait LogSource: Send + Sync {
    /// A fetch under way.
    type Fetch: LogFetch;

    /// Looks at topics and partitions. Requests per broker, never per partition; the last stable
    /// offset is asked before any lookup by time. A partition that cannot be observed does not
    /// fail the others.
    fn observe(
        &self,
        request: &ObserveRequest,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Observation>> + Send;

    /// Begins to fetch `slices` (at most one per partition is the common case, but several are
    /// allowed), over one connection per broker.
    fn fetch(
        &self,
        slices: &[FetchSlice],
        isolation: Isolation,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Self::Fetch>> + Send;
}

/// Records of slices, in offset order within each slice.
pub trait LogFetch: Send {
    /// Clears `rows` and fills it with the next rows of one slice, a batch or a few. Waits until
    /// something was crossed; `OutOfTime` if nothing was by the deadline (and may be called
    /// again then).
    fn next(
        &mut self,
        rows: &mut Columns,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Fetched>> + Send;

    /// No more of this slice is wanted.
    fn stop(&mut self, slice: usize);
}
