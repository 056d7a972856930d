use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::FileFooter;
use crate::error::Result;

/// What a footer says of the rows of one row group: smallest and largest values, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowGroupBounds {
    /// How many rows.
    pub rows: u64,
    /// Topics.
    pub topic: (Arc<str>, Arc<str>),
    /// Partitions.
    pub partition: (i32, i32),
    /// Offsets.
    pub offset: (i64, i64),
    /// Timestamps in milliseconds; none if all are null.
    pub timestamp: Option<(i64, i64)>,
    /// How many timestamps are null.
    pub timestamps_null: u64,
}

/// Rows of one partition that stand one behind the other in a file.
#[derive(Clone, Copy, Debug)]
pub struct RowRun<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// Their offsets.
    pub offsets: &'a [i64],
    /// As many timestamps in milliseconds; none is null.
    pub timestamps: &'a [Option<i64>],
}

/// Reads data files back, to prove them. CPU only.
pub trait ReadBack: Send + Sync {
    /// A file that is read.
    type File: FileReadBack;

    /// Begins with what the footer says. `Corrupt` where the file is none of the raw table, or
    /// the footer contradicts itself.
    fn open(&self, footer: &FileFooter) -> Result<Self::File>;
}

/// A file that is read piece by piece: every byte between its magic and its footer.
pub trait FileReadBack: Send {
    /// What the footer says of each row group.
    fn bounds(&self) -> &[RowGroupBounds];

    /// The bytes to read next; none at the end. What was asked for last must be given to
    /// [`Self::accept`] first.
    fn wanted(&self) -> Option<Range<u64>>;

    /// Takes the bytes that were asked for, and gives their rows on, in the file's order.
    /// `Corrupt` where a page is not what was written.
    fn accept(&mut self, bytes: &Bytes, rows: &mut dyn FnMut(RowRun<'_>)) -> Result<()>;
}
