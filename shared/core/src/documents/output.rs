use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ports::Cause;
use crate::time::Millis;
use crate::words::RandomId;

/// What one task's reader reports. Written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The format's version.
    pub format: u32,
    /// The task.
    pub task: u32,
    /// The attempt that wrote it; 0 where the planner did.
    pub attempt: u32,
    /// Whoever wrote it.
    pub writer: RandomId,
    /// One per slice of the task, in its order; none if it was abandoned.
    pub slices: Vec<SliceOutput>,
    /// The staged files, in the order in which they were begun.
    pub files: Vec<StagedFile>,
    /// Why the task was given up, if it was.
    pub abandoned: Option<Cause>,
}

/// What was read of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceOutput {
    /// The offset to be read next: `start` if nothing was read.
    pub reached: i64,
    /// What the offsets up to there hold.
    #[serde(flatten)]
    pub accounting: Accounting,
    /// Key, value and header bytes of the rows.
    pub payload_bytes: u64,
    /// Leader epoch of the batch that holds or follows offset `reached - 1`; −1 if unknown.
    pub leader_epoch: i32,
    /// The timestamp of the last row that has one.
    pub last_timestamp: Option<Millis>,
    /// Why it stopped before its end, if it did.
    pub cause: Option<Cause>,
}

/// What a range of offsets holds. The terms but the last add up to the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounting {
    /// Rows written.
    pub rows: u64,
    /// Records put aside as unreadable.
    pub dead_letters: u64,
    /// Records that the spec leaves out.
    pub filtered: u64,
    /// Control batches.
    pub markers: u64,
    /// Offsets of aborted transactions.
    pub aborted: u64,
    /// Offsets without a record.
    pub compacted: u64,
    /// Of the rows, those whose timestamp is missing or outside the years 1–9999.
    pub timestamps_nulled: u64,
}

impl Accounting {
    /// How many offsets are accounted for.
    pub fn offsets(&self) -> u64 {
        let terms = [
            self.rows,
            self.dead_letters,
            self.filtered,
            self.markers,
            self.aborted,
            self.compacted,
        ];
        terms.into_iter().fold(0, u64::saturating_add)
    }
}

/// A reader's file, private until a layout uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedFile {
    /// Rises in the order in which the reader began its files.
    pub number: u32,
    /// Where it stands.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// The table it is for.
    pub table: Arc<str>,
    /// The directory below the table; empty for none.
    pub directory: String,
    /// Fingerprint of its schema.
    pub fingerprint: String,
    /// The first slice (index in the task) of those that share files: files of one group follow
    /// each other.
    pub group: u32,
    /// What it holds of each slice, in the order of the slices.
    pub slices: Vec<StagedSlice>,
}

/// What a staged file holds of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedSlice {
    /// The slice: its index in the task.
    pub slice: u32,
    /// Offset of its first row in the file.
    pub start: i64,
    /// The offset after its last.
    pub end: i64,
    /// Its rows in the file.
    pub rows: u64,
}
