//! The header of a record batch v2 (Kafka's documentation, "Record Batch").

use std::ops::Range;

use super::Defect;

/// Bytes of the header; the records follow.
const HEADER: usize = 61;
/// Bytes before those that the length field counts.
const BEFORE_LENGTH_COUNTS: usize = 12;
/// Where the bytes begin that the CRC covers.
const CRC_COVERS_FROM: usize = 21;

const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// A whole batch: its header's fields, and its records as they came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    /// Offset of its first record, whether that is still there or not.
    pub(crate) base: i64,
    /// Offset of its last record, likewise.
    pub(crate) last: i64,
    /// Epoch of the leader that appended it.
    pub(crate) leader_epoch: i32,
    attributes: i16,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    /// The producer's id; −1 if it has none.
    pub(crate) producer_id: i64,
    /// How many records are there.
    pub(super) count: u32,
    crc: u32,
    covered: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// What stands at the front of the records of an answer.
#[derive(Debug)]
pub(crate) enum Split<'a> {
    /// A whole batch, and what follows it.
    Whole(Batch<'a>, &'a [u8]),
    /// A batch that was cut off, as the last of an answer may be. Its whole size in bytes,
    /// where that much is there to tell.
    Cut(Option<usize>),
    /// Nothing is left.
    Empty,
}

/// Splits the first batch off the records of an answer. Looks at nothing but the header: not at
/// the CRC, not at the records.
pub(crate) fn split(bytes: &[u8]) -> Result<Split<'_>, Defect> {
    if bytes.is_empty() {
        return Ok(Split::Empty);
    }
    // The magic byte stands at the same place in all formats: look at it before the length.
    if let Some(magic) = bytes.get(16)
        && *magic != 2
    {
        return Err(wrong_magic(*magic));
    }
    let Some(length) = bytes.get(8..12).and_then(|field| field.try_into().ok()) else {
        return Ok(Split::Cut(None));
    };
    let length = i32::from_be_bytes(length);
    let size = usize::try_from(length).ok().map(|length| length + BEFORE_LENGTH_COUNTS);
    let Some(size) = size.filter(|size| *size >= HEADER) else {
        return Err(Defect::with(format!("its length field says {length}")));
    };
    match bytes.split_at_checked(size) {
        None => Ok(Split::Cut(Some(size))),
        Some((batch, rest)) => Ok(Split::Whole(parse(batch)?, rest)),
    }
}

fn wrong_magic(magic: u8) -> Defect {
    match magic {
        0 | 1 => Defect::with(format!(
            "its message format is older than Kafka 0.11 (magic {magic}), which is not read"
        )),
        other => Defect::with(format!("its message format is unknown (magic {other})")),
    }
}

/// The header of `batch`, which is whole.
fn parse(batch: &[u8]) -> Result<Batch<'_>, Defect> {
    let mut fields = Fields { batch, at: 0 };
    let base = i64::from_be_bytes(fields.next());
    let _length: [u8; 4] = fields.next();
    let leader_epoch = i32::from_be_bytes(fields.next());
    let _magic: [u8; 1] = fields.next();
    let crc = u32::from_be_bytes(fields.next());
    let attributes = i16::from_be_bytes(fields.next());
    let last_delta = i32::from_be_bytes(fields.next());
    let base_timestamp = i64::from_be_bytes(fields.next());
    let max_timestamp = i64::from_be_bytes(fields.next());
    let producer_id = i64::from_be_bytes(fields.next());
    let _producer_epoch: [u8; 2] = fields.next();
    let _base_sequence: [u8; 4] = fields.next();
    let count = i32::from_be_bytes(fields.next());

    if base < 0 || last_delta < 0 {
        return Err(Defect::with(format!(
            "its base offset is {base} and its last offset delta {last_delta}"
        )));
    }
    let last = base.checked_add(i64::from(last_delta)).filter(|last| *last < i64::MAX);
    let last = last.ok_or_else(|| Defect::with(format!("its base offset is {base}")))?;
    let count = u32::try_from(count)
        .ok()
        .filter(|count| i64::from(*count) <= i64::from(last_delta) + 1)
        .ok_or_else(|| {
            Defect::with(format!(
                "it says {count} records in {} offsets",
                i64::from(last_delta) + 1
            ))
        })?;
    let (covered, payload) = (&batch[CRC_COVERS_FROM..], &batch[HEADER..]);
    Ok(Batch {
        base,
        last,
        leader_epoch,
        attributes,
        base_timestamp,
        max_timestamp,
        producer_id,
        count,
        crc,
        covered,
        payload,
    })
}

/// The fields of a header, one after another.
struct Fields<'a> {
    batch: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let field = self.batch[self.at..self.at + N].try_into().expect("a range of N bytes");
        self.at += N;
        field
    }
}

impl Batch<'_> {
    /// The header alone, which outlives the bytes.
    pub(super) fn header(&self) -> Batch<'static> {
        Batch {
            base: self.base,
            last: self.last,
            leader_epoch: self.leader_epoch,
            attributes: self.attributes,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            count: self.count,
            crc: self.crc,
            covered: &[],
            payload: &[],
        }
    }

    /// The offsets that the batch covers, with a record or without.
    pub(crate) fn offsets(&self) -> Range<i64> {
        self.base..self.last + 1
    }

    /// The records as they came.
    pub(crate) fn payload(&self) -> &[u8] {
        self.payload
    }

    /// Whether the broker set the timestamps.
    pub(crate) fn append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// Whether it belongs to a transaction.
    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether it is a control batch: transaction markers, no data.
    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Kafka's number of the codec.
    pub(super) fn codec(&self) -> i16 {
        self.attributes & 0x07
    }

    /// Compares the checksum with the bytes that it covers.
    pub(crate) fn check_crc(&self) -> Result<(), Defect> {
        let found = crc32c::crc32c(self.covered);
        if found == self.crc {
            return Ok(());
        }
        Err(Defect::with(format!("its checksum says {:08x}, its bytes {found:08x}", self.crc)))
    }
}
