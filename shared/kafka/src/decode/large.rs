//! A batch that is too large to be decompressed whole: read twice, first to see whether it is
//! good, so that no row of a bad one is given.

use std::ops::Range;

use tidegate_core::columns::Columns;

use super::Defect;
use super::batch::Batch;
use super::records::{Holes, read_record, too_many_bytes};
use super::window::Window;

/// Such a batch, read up to some record.
#[derive(Debug)]
pub(crate) struct Large {
    batch: Batch<'static>,
    window: Window,
    holes: Holes,
    /// Records that were read.
    read: u32,
}

impl Large {
    /// Reads all of `batch` without a row, to see whether it is what its header says.
    pub(crate) fn check(batch: &Batch<'_>, mut window: Window) -> Result<(), Defect> {
        let (mut holes, mut no_rows) = (Holes::new(batch, 0..0), Columns::default());
        for _ in 0..batch.count {
            read_record(batch, window.record()?, &mut holes, &mut no_rows)?;
        }
        match window.left()? {
            0 => Ok(()),
            left => Err(too_many_bytes(batch, left)),
        }
    }

    /// Before the first record of a batch that was checked. `window` is at its first record.
    pub(crate) fn new(batch: &Batch<'_>, window: Window, wanted: Range<i64>) -> Self {
        Self { batch: batch.header(), window, holes: Holes::new(batch, wanted), read: 0 }
    }

    /// Where it stands in the log.
    pub(crate) fn base(&self) -> i64 {
        self.batch.base
    }

    /// Epoch of the leader that appended it.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.batch.leader_epoch
    }

    /// The wanted offset behind those that were read.
    pub(crate) fn next(&self) -> i64 {
        self.holes.next.clamp(self.holes.wanted.start, self.holes.wanted.end)
    }

    /// Appends rows until they come to `chunk_bytes` or the wanted offsets are read; answers
    /// whether they are, and how many offsets without a record were crossed.
    pub(crate) fn read(
        &mut self,
        rows: &mut Columns,
        chunk_bytes: u64,
    ) -> Result<(bool, u64), Defect> {
        let before = self.holes.count;
        while self.read < self.batch.count && self.next() < self.holes.wanted.end {
            if rows.payload_bytes(0..rows.len()) >= chunk_bytes {
                return Ok((false, self.holes.count - before));
            }
            read_record(&self.batch, self.window.record()?, &mut self.holes, rows)?;
            self.read += 1;
        }
        if self.read == self.batch.count {
            self.holes.cross_to(self.batch.last + 1);
            self.holes.next = self.batch.last + 1;
        }
        Ok((true, self.holes.count - before))
    }
}
