//! The records of a batch, into columns.

use std::ops::Range;

use tidegate_core::columns::{Columns, Row};

use super::Defect;
use super::batch::Batch;
use super::varint::Cursor;

/// Appends the records of `batch` at the offsets `wanted` to `rows`, and answers how many of
/// those offsets hold no record (`wanted` may reach beyond the batch: what is outside of either
/// is not counted). That is counted from one record to the next, so that a row that
/// got lost does not pass for a hole. `payload` is decompressed. On an error `rows` is as it
/// was.
pub(crate) fn read_records(
    batch: &Batch<'_>,
    payload: &[u8],
    wanted: &Range<i64>,
    rows: &mut Columns,
) -> Result<u64, Defect> {
    let before = rows.len();
    let read = append(batch, payload, wanted, rows);
    if read.is_err() {
        rows.truncate(before);
    }
    read
}

fn append(
    batch: &Batch<'_>,
    payload: &[u8],
    wanted: &Range<i64>,
    rows: &mut Columns,
) -> Result<u64, Defect> {
    let mut cursor = Cursor::new(payload);
    let mut holes = Holes::new(batch, wanted.clone());
    for _ in 0..batch.count {
        read_record(batch, record_body(&mut cursor)?, &mut holes, rows)?;
    }
    if cursor.left() > 0 {
        return Err(too_many_bytes(batch, cursor.left()));
    }
    holes.cross_to(batch.last + 1);
    Ok(holes.count)
}

/// What follows the last record of a batch is not of it.
pub(super) fn too_many_bytes(batch: &Batch<'_>, left: usize) -> Defect {
    Defect::with(format!("{left} bytes follow the last of its {} records", batch.count))
}

/// Appends one record, if its offset is wanted. `body` is what its length counts.
#[inline]
pub(super) fn read_record(
    batch: &Batch<'_>,
    body: Cursor<'_>,
    holes: &mut Holes,
    rows: &mut Columns,
) -> Result<(), Defect> {
    let RecordHead { timestamp_delta, offset_delta, mut body } = record_head(body)?;
    let offset = batch.base + i64::from(offset_delta);
    if offset < holes.next || offset > batch.last {
        return Err(Defect::with(format!(
            "a record has the offset delta {offset_delta} where {} to {} are possible",
            holes.next - batch.base,
            batch.last - batch.base
        )));
    }
    holes.cross_to(offset);
    holes.next = offset + 1;
    let append_time = batch.append_time();
    let timestamp = if append_time {
        batch.max_timestamp
    } else {
        // Java's addition, which wraps.
        batch.base_timestamp.wrapping_add(timestamp_delta)
    };
    let (key, value) = (body.nullable_bytes()?, body.nullable_bytes()?);
    if holes.wanted.contains(&offset) {
        headers(&mut body, |key, value| rows.next_headers().push_header(key, value))?;
        rows.push(Row { offset, timestamp, append_time, key, value });
    } else {
        headers(&mut body, |_, _| ())?;
    }
    if body.left() > 0 {
        return Err(Defect::with(format!("a record has {} bytes too many", body.left())));
    }
    Ok(())
}

/// What of a batch's wanted offsets holds no record.
#[derive(Debug)]
pub(super) struct Holes {
    /// The offset behind the last record.
    pub(super) next: i64,
    pub(super) wanted: Range<i64>,
    /// How many so far.
    pub(super) count: u64,
}

impl Holes {
    /// Before the first record of `batch`.
    pub(super) fn new(batch: &Batch<'_>, wanted: Range<i64>) -> Self {
        Self { next: batch.base, wanted, count: 0 }
    }

    /// There is no record from `next` up to `offset`.
    #[inline]
    pub(super) fn cross_to(&mut self, offset: i64) {
        if self.next == offset {
            return;
        }
        let (from, to) = (self.next.max(self.wanted.start), offset.min(self.wanted.end));
        self.count += u64::try_from(to.saturating_sub(from)).unwrap_or(0);
    }
}

struct RecordHead<'a> {
    timestamp_delta: i64,
    offset_delta: i32,
    body: Cursor<'a>,
}

/// The next record without its length.
#[inline]
pub(super) fn record_body<'a>(cursor: &mut Cursor<'a>) -> Result<Cursor<'a>, Defect> {
    let length = record_length(cursor)?;
    cursor.take(length).map(Cursor::new)
}

/// The length in front of a record.
#[inline]
pub(super) fn record_length(cursor: &mut Cursor<'_>) -> Result<usize, Defect> {
    let length = cursor.varint()?;
    usize::try_from(length).map_err(|_| Defect::with(format!("a record has the length {length}")))
}

#[inline]
fn record_head(mut body: Cursor<'_>) -> Result<RecordHead<'_>, Defect> {
    // No attribute of a record means anything yet.
    let _attributes = body.byte()?;
    let timestamp_delta = body.varlong()?;
    let offset_delta = body.varint()?;
    Ok(RecordHead { timestamp_delta, offset_delta, body })
}

#[inline]
fn headers(
    body: &mut Cursor<'_>,
    mut each: impl FnMut(&[u8], Option<&[u8]>),
) -> Result<(), Defect> {
    let count = body.varint()?;
    if count < 0 {
        return Err(Defect::with(format!("a record has {count} headers")));
    }
    for _ in 0..count {
        let key = body.nullable_bytes()?;
        let key = key.ok_or(Defect::new("a header has no key"))?;
        each(key, body.nullable_bytes()?);
    }
    Ok(())
}

/// Whether a control batch marks the end of an aborted transaction. One whose record was
/// compacted away marks nothing.
pub(crate) fn marker_aborts(batch: &Batch<'_>, payload: &[u8]) -> Result<bool, Defect> {
    if batch.count == 0 {
        return Ok(false);
    }
    let mut body = record_head(record_body(&mut Cursor::new(payload))?)?.body;
    let key = body.nullable_bytes()?;
    match key {
        // Its version, and its type: 0 abort, 1 commit, others are no transaction's.
        Some([_, _, high, low, ..]) => Ok(i16::from_be_bytes([*high, *low]) == 0),
        Some(_) | None => Err(Defect::new("it is a control batch without a type")),
    }
}
