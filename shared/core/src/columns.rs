//! What passes from Kafka to Parquet: one partition's rows as reused buffers.
//!
//! The decoder appends, the encoder reads; [`Columns::clear`] keeps the capacity, so that a
//! task allocates no block per record.

use std::ops::Range;

/// The first millisecond of the year 1, UTC.
const TIMESTAMP_MIN: i64 = -62_135_596_800_000;
/// The last millisecond of the year 9999, UTC.
const TIMESTAMP_MAX: i64 = 253_402_300_799_999;

/// Beyond this the bytes of a column are given back once their rows are forgotten: they came from
/// a single large batch, and the next may be far away.
const DATA_KEPT_MAX: usize = 8 << 20;

/// A record's timestamp as it is written: null for −1, which means none, and outside the years
/// 1–9999, which would make the whole column unreadable to query engines.
pub fn timestamp_or_null(millis: i64) -> Option<i64> {
    (millis != -1 && (TIMESTAMP_MIN..=TIMESTAMP_MAX).contains(&millis)).then_some(millis)
}

/// Nullable byte strings, one after another in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BinaryColumn {
    data: Vec<u8>,
    /// Where each entry ends in `data`; a null ends where it begins.
    ends: Vec<usize>,
    /// One flag per entry.
    valid: Vec<bool>,
}

impl BinaryColumn {
    /// Appends an entry; `None` is null.
    pub fn push(&mut self, entry: Option<&[u8]>) {
        if let Some(bytes) = entry {
            self.data.extend_from_slice(bytes);
        }
        self.ends.push(self.data.len());
        self.valid.push(entry.is_some());
    }

    /// The entry at `index`: `None` is null.
    ///
    /// # Panics
    /// If there is no such entry.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.valid[index].then(|| &self.data[self.span(index..index + 1)])
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of the entries `rows`.
    pub fn bytes_in(&self, rows: Range<usize>) -> usize {
        self.span(rows).len()
    }

    fn span(&self, rows: Range<usize>) -> Range<usize> {
        let start = rows.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = rows.end.checked_sub(1).map_or(0, |last| self.ends[last]);
        start..end.max(start)
    }

    fn clear(&mut self) {
        if self.data.capacity() > DATA_KEPT_MAX {
            self.data = Vec::new();
        }
        self.data.clear();
        self.ends.clear();
        self.valid.clear();
    }

    fn capacity_bytes(&self) -> usize {
        self.data.capacity() + self.ends.capacity() * size_of::<usize>() + self.valid.capacity()
    }

    fn truncate(&mut self, len: usize) {
        self.data.truncate(len.checked_sub(1).map_or(0, |last| self.ends[last]));
        self.ends.truncate(len);
        self.valid.truncate(len);
    }
}

/// Record headers: per record a list of (key, value), in order, duplicates kept, any bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadersColumn {
    /// Where each record's headers end in `keys` and `values`.
    ends: Vec<usize>,
    keys: BinaryColumn,
    values: BinaryColumn,
}

impl HeadersColumn {
    /// Appends a header to the record that is being built. A header's key is never null.
    pub fn push_header(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.keys.push(Some(key));
        self.values.push(value);
    }

    /// Ends the headers of a record.
    fn end_record(&mut self) {
        self.ends.push(self.keys.len());
    }

    /// Where the headers of record `index` stand in [`Self::keys`] and [`Self::values`]; empty
    /// when it has none.
    pub fn range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[index]
    }

    /// The keys of all headers.
    pub fn keys(&self) -> &BinaryColumn {
        &self.keys
    }

    /// The values of all headers.
    pub fn values(&self) -> &BinaryColumn {
        &self.values
    }

    fn clear(&mut self) {
        self.ends.clear();
        self.keys.clear();
        self.values.clear();
    }

    fn truncate(&mut self, len: usize) {
        let headers = len.checked_sub(1).map_or(0, |last| self.ends[last]);
        self.ends.truncate(len);
        self.keys.truncate(headers);
        self.values.truncate(headers);
    }
}

/// Rows of one partition, in offset order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    append_time: Vec<bool>,
    keys: BinaryColumn,
    values: BinaryColumn,
    headers: HeadersColumn,
}

/// Everything of a record but its headers, as the decoder finds it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The record's offset.
    pub offset: i64,
    /// Milliseconds since 1970, any value; −1 means none.
    pub timestamp: i64,
    /// Whether the broker set the timestamp (LogAppendTime) or the producer (CreateTime).
    pub append_time: bool,
    /// The key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null, a tombstone.
    pub value: Option<&'a [u8]>,
}

impl Columns {
    /// The headers of the row that is appended next: push them before [`Self::push`].
    pub fn next_headers(&mut self) -> &mut HeadersColumn {
        &mut self.headers
    }

    /// Appends a row, with the headers pushed to [`Self::next_headers`] since the last one.
    pub fn push(&mut self, row: Row<'_>) {
        self.offsets.push(row.offset);
        self.timestamps.push(row.timestamp);
        self.append_time.push(row.append_time);
        self.keys.push(row.key);
        self.values.push(row.value);
        self.headers.end_record();
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// The offsets, rising.
    pub fn offsets(&self) -> &[i64] {
        &self.offsets
    }

    /// The timestamps, milliseconds since 1970, as the log has them (−1: none).
    pub fn timestamps(&self) -> &[i64] {
        &self.timestamps
    }

    /// Whether each timestamp is the broker's.
    pub fn append_time(&self) -> &[bool] {
        &self.append_time
    }

    /// The keys.
    pub fn keys(&self) -> &BinaryColumn {
        &self.keys
    }

    /// The values.
    pub fn values(&self) -> &BinaryColumn {
        &self.values
    }

    /// The headers.
    pub fn headers(&self) -> &HeadersColumn {
        &self.headers
    }

    /// Key, value and header bytes of the rows `rows`: what the byte limits of a spec count.
    pub fn payload_bytes(&self, rows: Range<usize>) -> u64 {
        let headers = match (rows.is_empty(), rows.end.checked_sub(1)) {
            (false, Some(last)) => {
                self.headers.range(rows.start).start..self.headers.range(last).end
            }
            (true, _) | (false, None) => 0..0,
        };
        let bytes = self.keys.bytes_in(rows.clone())
            + self.values.bytes_in(rows)
            + self.headers.keys.bytes_in(headers.clone())
            + self.headers.values.bytes_in(headers);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Forgets all rows, and the headers of an unfinished one; keeps the buffers, but for those that
    /// became large.
    pub fn clear(&mut self) {
        self.offsets.clear();
        self.timestamps.clear();
        self.append_time.clear();
        self.keys.clear();
        self.values.clear();
        self.headers.clear();
    }

    /// Forgets all rows but the first `len`, and the headers of an unfinished one.
    pub fn truncate(&mut self, len: usize) {
        if len == 0 {
            return self.clear();
        }
        self.offsets.truncate(len);
        self.timestamps.truncate(len);
        self.append_time.truncate(len);
        self.keys.truncate(len);
        self.values.truncate(len);
        self.headers.truncate(len);
    }

    /// Heap bytes held, used or not: part of a reader's memory budget.
    pub fn capacity_bytes(&self) -> usize {
        self.offsets.capacity() * 8
            + self.timestamps.capacity() * 8
            + self.append_time.capacity()
            + self.keys.capacity_bytes()
            + self.values.capacity_bytes()
            + self.headers.ends.capacity() * size_of::<usize>()
            + self.headers.keys.capacity_bytes()
            + self.headers.values.capacity_bytes()
    }
}

#[cfg(test)]
mod tests;
