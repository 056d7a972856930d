//! Batches, and what comes out of them.

use bytes::Bytes;
use proptest::prelude::*;
use tidegate_core::columns::{Columns, Row};

use crate::decode::build::{BatchSpec, PACKINGS, Rec};
use crate::decode::*;

/// More than any batch of these tests comes to.
pub(super) const MAX: usize = 64 << 20;

/// Reads one batch as a fetch does, at all offsets: whole, and as one that is too large for that,
/// which must come to the same.
pub(super) fn read(bytes: &[u8], rows: &mut Columns) -> Result<u64, Defect> {
    let mut again = rows.clone();
    let whole = read_with(&mut Codecs::with_whole_max(MAX, MAX), bytes, rows);
    let in_pieces = read_with(&mut Codecs::with_whole_max(MAX, 1), bytes, &mut again);
    assert_eq!((whole.as_ref().ok(), &*rows), (in_pieces.as_ref().ok(), &again));
    whole
}

pub(super) fn read_with(
    codecs: &mut Codecs,
    bytes: &[u8],
    rows: &mut Columns,
) -> Result<u64, Defect> {
    let Split::Whole(batch, []) = split(bytes)? else { panic!("no whole batch") };
    batch.check_crc()?;
    if let Some(payload) = codecs.payload(&batch)? {
        return read_records(&batch, payload, &(0..i64::MAX), rows);
    }
    let payload = Bytes::copy_from_slice(batch.payload());
    Large::check(&batch, codecs.window(&batch, payload.clone())?)?;
    let mut large = Large::new(&batch, codecs.window(&batch, payload)?, 0..i64::MAX);
    let mut holes = 0;
    loop {
        let some_more = rows.payload_bytes(0..rows.len()) + 100;
        let (done, crossed) = large.read(rows, some_more)?;
        holes += crossed;
        if done {
            return Ok(holes);
        }
    }
}

pub(super) fn defect(spec: &BatchSpec) -> String {
    let mut rows = Columns::default();
    let read = read(&spec.bytes(), &mut rows);
    assert!(rows.is_empty(), "no row of a batch that is refused");
    read.expect_err("a defect").to_string()
}

pub(super) fn record() -> impl Strategy<Value = Rec> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let field = move || proptest::option::of(bytes());
    let headers = proptest::collection::vec((bytes(), field()), 0..4);
    (1..4_i32, any::<i64>(), field(), field(), headers).prop_map(
        |(delta, timestamp_delta, key, value, headers)| Rec {
            delta,
            timestamp_delta,
            key,
            value,
            headers,
        },
    )
}

/// Records whose `delta` are steps, made offsets: holes of up to 2 between them.
pub(super) fn batch() -> impl Strategy<Value = BatchSpec> {
    let records = proptest::collection::vec(record(), 0..60);
    (records, 0..PACKINGS.len(), any::<i64>(), any::<bool>(), 0..3_i32).prop_map(
        |(mut records, packing, base_timestamp, append_time, tail)| {
            let mut at = -1;
            for record in &mut records {
                at += record.delta;
                record.delta = at;
            }
            let attributes = if append_time { 0x08 } else { 0 };
            BatchSpec {
                packing: PACKINGS[packing],
                base_timestamp,
                attributes,
                last_delta: Some(at.max(0) + tail),
                ..BatchSpec::new(1_000, records)
            }
        },
    )
}

pub(super) fn expected(spec: &BatchSpec) -> Columns {
    let mut rows = Columns::default();
    for record in &spec.records {
        for (key, value) in &record.headers {
            rows.next_headers().push_header(key, value.as_deref());
        }
        let append_time = spec.attributes & 0x08 != 0;
        rows.push(Row {
            offset: spec.base + i64::from(record.delta),
            timestamp: match append_time {
                true => spec.max_timestamp,
                false => spec.base_timestamp.wrapping_add(record.timestamp_delta),
            },
            append_time,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
        });
    }
    rows
}
