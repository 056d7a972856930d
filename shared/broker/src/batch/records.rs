//! The records of a batch, before compression.

use std::io;
use std::ops::Range;

use super::Record;
use super::header::{BatchHeader, HEADER_LEN};
use crate::codec::Codec;
use crate::wire::{Reader, put_varint, varint_len};

/// Appends `record` to `out`. `scratch` is empty; its capacity is what is wanted of it.
pub(super) fn encode(
    record: &Record<'_>,
    timestamp_delta: i64,
    offset_delta: i32,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    // The head goes to the scratch buffer, so that key and value are copied only once.
    scratch.push(0); // attributes: none are defined
    put_varint(scratch, timestamp_delta);
    put_varint(scratch, i64::from(offset_delta));
    let mut body = scratch.len() + bytes_len(record.key) + bytes_len(record.value);
    body += varint_len(signed(record.headers.len()));
    for (key, value) in record.headers {
        body += bytes_len(Some(key)) + bytes_len(*value);
    }
    put_varint(out, signed(body));
    out.extend_from_slice(scratch);
    put_bytes(out, record.key);
    put_bytes(out, record.value);
    put_varint(out, signed(record.headers.len()));
    for (key, value) in record.headers {
        put_bytes(out, Some(key));
        put_bytes(out, *value);
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).expect("no buffer is larger than isize::MAX")
}

fn bytes_len(bytes: Option<&[u8]>) -> usize {
    let length = bytes.map_or(0, <[u8]>::len);
    varint_len(bytes.map_or(-1, |bytes| signed(bytes.len()))) + length
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(out, bytes.map_or(-1, |bytes| signed(bytes.len())));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// Where a record stands in its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: i64,
    /// The record's own, whatever the batch's timestamp type.
    pub(crate) timestamp: i64,
    /// Its bytes in the decompressed payload, its length included.
    pub(crate) bytes: Range<usize>,
}

/// The decompressed payload of a batch, and where its records stand in it.
pub(crate) fn spans(header: &BatchHeader, batch: &[u8]) -> io::Result<(Vec<u8>, Vec<Span>)> {
    let packed = batch.get(HEADER_LEN..).ok_or(io::ErrorKind::UnexpectedEof)?;
    let codec = Codec::of_attributes(header.attributes)
        .ok_or_else(|| io::Error::other("the batch has an unknown codec"))?;
    let payload = if header.count == 0 { Vec::new() } else { codec.decompress(packed)? };
    let mut found = Vec::new();
    let mut reader = Reader::new(&payload);
    for _ in 0..header.count {
        let start = payload.len() - reader.rest().len();
        let (timestamp_delta, offset_delta) = head(&mut reader).map_err(io::Error::other)?;
        found.push(Span {
            offset: header.base_offset.wrapping_add(offset_delta),
            timestamp: header.base_timestamp.wrapping_add(timestamp_delta),
            bytes: start..payload.len() - reader.rest().len(),
        });
    }
    Ok((payload, found))
}

/// Reads a record's head and skips its body.
fn head(reader: &mut Reader<'_>) -> Result<(i64, i64), String> {
    let read = |reader: &mut Reader<'_>| {
        let length = usize::try_from(reader.varint()?).map_err(|_| crate::wire::Malformed)?;
        let mut body = Reader::new(reader.take(length)?);
        body.i8()?;
        Ok((body.varint()?, body.varint()?))
    };
    read(reader).map_err(|_: crate::wire::Malformed| "the batch's records are malformed".to_owned())
}
