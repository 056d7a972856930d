//! A file of the raw table in the making.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::metadata::KeyValue;
use tidegate_core::columns::Columns;
use tidegate_core::ports::{EncodeSettings, FileEncoder};
use tidegate_core::{Error, Result};

use super::compress::Compressors;
use super::row_group::OpenRowGroup;
use crate::footer::{FileHead, StoredRowGroup, file_end};
use crate::{CREATED_BY, MAGIC, schema};

/// A row group is closed after so many rows, however small they are.
const ROW_GROUP_ROWS_MAX: usize = 1 << 20;
/// Compressed share of a page before the first one was compressed.
const RATIO_GUESS: f64 = 0.4;

/// A file of the raw table in the making.
///
/// A row group's pages are held, compressed, until it closes: a chunk's pages must stand
/// together, and the chunks in the schema's order. (Chunks may stand in any order by the format,
/// so that the values could leave at once. But parquet-java, and so Spark, gives a row group to
/// the split that holds the position of its *first* column plus half its size: behind large
/// values that would lie past the file's end, and the rows would silently be read by nobody.)
/// After an error the file is of no use.
#[derive(Debug)]
pub struct RawFile {
    row_group_bytes: u64,
    compressors: Arc<Compressors>,
    open: OpenRowGroup,
    /// Payload of the open row group.
    payload_bytes: u64,
    stored: Vec<StoredRowGroup>,
    /// Heap bytes of `stored`, roughly.
    stored_held_bytes: usize,
    ready: Vec<Bytes>,
    ready_bytes: usize,
    /// Bytes that were ready at any time.
    written_bytes: u64,
    rows: u64,
    /// Pages of closed row groups, compressed and before.
    page_bytes: (u64, u64),
}

impl RawFile {
    pub(super) fn new(settings: EncodeSettings, compressors: Arc<Compressors>) -> Self {
        let magic = Bytes::from_static(MAGIC);
        Self {
            row_group_bytes: settings.row_group_bytes as u64,
            compressors,
            open: OpenRowGroup::new(settings.codec),
            payload_bytes: 0,
            stored: Vec::new(),
            stored_held_bytes: 0,
            ready_bytes: magic.len(),
            written_bytes: magic.len() as u64,
            ready: vec![magic],
            rows: 0,
            page_bytes: (0, 0),
        }
    }

    /// The rows from `rows.start` on that the open row group still takes: at least one.
    fn fitting(&self, columns: &Columns, rows: Range<usize>) -> (Range<usize>, u64) {
        let rows_max = rows.end.min(rows.start + ROW_GROUP_ROWS_MAX - self.open.rows());
        let room = self.row_group_bytes.saturating_sub(self.payload_bytes);
        let mut bytes = 0;
        for row in rows.start..rows_max {
            bytes += columns.payload_bytes(row..row + 1);
            if bytes >= room {
                return (rows.start..row + 1, bytes);
            }
        }
        (rows.start..rows_max, bytes)
    }

    fn emit(&mut self, bytes: Bytes) {
        self.ready_bytes += bytes.len();
        self.written_bytes += bytes.len() as u64;
        self.ready.push(bytes);
    }
}

impl FileEncoder for RawFile {
    fn append(
        &mut self,
        topic: &str,
        partition: i32,
        rows: &Columns,
        ranges: &[Range<usize>],
    ) -> Result<()> {
        for range in ranges {
            if range.end > rows.len() {
                return Err(Error::corrupt(format!(
                    "rows {range:?} of {topic}-{partition} asked for, of {}",
                    rows.len()
                )));
            }
            let mut left = range.clone();
            while !left.is_empty() {
                let (fitting, payload_bytes) = self.fitting(rows, left.clone());
                left.start = fitting.end;
                self.rows += fitting.len() as u64;
                self.open.append(topic, partition, rows, fitting, &self.compressors)?;
                self.payload_bytes += payload_bytes;
                if self.payload_bytes >= self.row_group_bytes
                    || self.open.rows() >= ROW_GROUP_ROWS_MAX
                {
                    self.close_row_group()?;
                }
            }
        }
        Ok(())
    }

    fn close_row_group(&mut self) -> Result<()> {
        if self.open.rows() == 0 {
            return Ok(());
        }
        self.payload_bytes = 0;
        let (bytes, stored) =
            self.open.close(self.written_bytes, self.stored.len(), &self.compressors)?;
        self.page_bytes.0 += bytes.iter().map(Bytes::len).sum::<usize>() as u64;
        self.page_bytes.1 += stored.metadata.total_byte_size() as u64;
        self.stored_held_bytes += stored.held_bytes();
        self.stored.push(stored);
        bytes.into_iter().for_each(|bytes| self.emit(bytes));
        Ok(())
    }

    fn take_ready(&mut self) -> Vec<Bytes> {
        if self.stored.is_empty() {
            return Vec::new();
        }
        self.ready_bytes = 0;
        std::mem::take(&mut self.ready)
    }

    fn held_bytes(&self) -> usize {
        self.open.held_bytes() + self.ready_bytes + self.stored_held_bytes + size_of::<Self>()
    }

    fn file_bytes(&self) -> u64 {
        let (finished, before, open) = self.open.page_bytes();
        let (compressed, uncompressed) = (self.page_bytes.0 + finished, self.page_bytes.1 + before);
        let ratio = match uncompressed {
            0 => RATIO_GUESS,
            _ => compressed as f64 / uncompressed as f64,
        };
        self.written_bytes + finished + (open as f64 * ratio) as u64
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn finish(mut self, metadata: &[(String, String)]) -> Result<Vec<Bytes>> {
        self.close_row_group()?;
        let head = FileHead {
            schema: Arc::clone(schema::raw_table()),
            created_by: CREATED_BY,
            key_values: metadata
                .iter()
                .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
                .collect(),
        };
        let end = file_end(self.written_bytes, head, self.stored)?;
        self.ready.push(end);
        Ok(self.ready)
    }
}
