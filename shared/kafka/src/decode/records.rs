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
    let mut holes = Holes { next: batch.base, wanted: wanted.clone(), count: 0 };
    let append_time = batch.append_time();
    for _ in 0..batch.count {
        let head = record_head(&mut cursor)?;
        let offset = batch.base + i64::from(head.offset_delta);
        if offset < holes.next || offset > batch.last {
            return Err(Defect::with(format!(
                "a record has the offset delta {} where {} to {} are possible",
                head.offset_delta,
                holes.next - batch.base,
                batch.last - batch.base
            )));
        }
        holes.cross_to(offset);
        holes.next = offset + 1;
        let timestamp = if append_time {
            batch.max_timestamp
        } else {
            // Java's addition, which wraps.
            batch.base_timestamp.wrapping_add(head.timestamp_delta)
        };
        let mut body = head.body;
        let (key, value) = (body.nullable_bytes()?, body.nullable_bytes()?);
        if wanted.contains(&offset) {
            headers(&mut body, |key, value| rows.next_headers().push_header(key, value))?;
            rows.push(Row { offset, timestamp, append_time, key, value });
        } else {
            headers(&mut body, |_, _| ())?;
        }
        if body.left() > 0 {
            return Err(Defect::with(format!("a record has {} bytes too many", body.left())));
        }
    }
    if cursor.left() > 0 {
        return Err(Defect::with(format!(
            "{} bytes follow the last of its {} records",
            cursor.left(),
            batch.count
        )));
    }
    holes.cross_to(batch.last + 1);
    Ok(holes.count)
}

/// What of a batch's wanted offsets holds no record.
struct Holes {
    /// The offset behind the last record.
    next: i64,
    wanted: Range<i64>,
    count: u64,
}

impl Holes {
    /// There is no record from `next` up to `offset`.
    #[inline]
    fn cross_to(&mut self, offset: i64) {
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

#[inline]
fn record_head<'a>(cursor: &mut Cursor<'a>) -> Result<RecordHead<'a>, Defect> {
    let length = cursor.varint()?;
    let length = usize::try_from(length)
        .map_err(|_| Defect::with(format!("a record has the length {length}")))?;
    let mut body = Cursor::new(cursor.take(length)?);
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
    let mut body = record_head(&mut Cursor::new(payload))?.body;
    let key = body.nullable_bytes()?;
    match key {
        // Its version, and its type: 0 abort, 1 commit, others are no transaction's.
        Some([_, _, high, low, ..]) => Ok(i16::from_be_bytes([*high, *low]) == 0),
        Some(_) | None => Err(Defect::new("it is a control batch without a type")),
    }
}
