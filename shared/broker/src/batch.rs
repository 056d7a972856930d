//! Record batches (message format v2): how tests and the demo describe one, and its bytes.

mod header;
mod marker;
mod records;

pub use header::{BatchHeader, seal};
pub use marker::Marker;

pub(crate) use header::{Patch, attribute};
pub(crate) use marker::{control_batch, marker_of};
pub(crate) use records::{Span, spans};

use crate::codec::Codec;
use crate::error::BrokerError;

/// A record's header: key and value; `None` is a null value.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// A record as a producer has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// Milliseconds since 1970; any value, −1 for none.
    pub timestamp: i64,
    /// The key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null, a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
}

impl<'a> Record<'a> {
    /// A record with key and value, at timestamp 0, without headers.
    pub fn new(key: &'a [u8], value: &'a [u8]) -> Self {
        Self { timestamp: 0, key: Some(key), value: Some(value), headers: &[] }
    }

    /// The same at `timestamp`, in milliseconds since 1970.
    #[must_use]
    pub fn at(self, timestamp: i64) -> Self {
        Self { timestamp, ..self }
    }
}

/// A batch to be appended. Records are encoded as they are pushed: no block per record is held.
///
/// ```
/// # use tidegate_broker::{BatchSpec, Codec, Record};
/// let batch = BatchSpec::new()
///     .codec(Codec::Lz4)
///     .record(Record::new(b"key", b"value").at(1_700_000_000_000))
///     .record(Record { value: None, ..Record::new(b"tombstone", b"") });
/// assert_eq!(batch.offsets(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSpec {
    codec: Codec,
    producer: Option<(i64, i16)>,
    transactional: bool,
    append_time: Option<i64>,
    /// The records, encoded, not compressed.
    records: Vec<u8>,
    count: i32,
    /// Timestamp of the first record, if there is one.
    base_timestamp: Option<i64>,
    max_timestamp: i64,
    /// Offset delta of the record that is pushed next.
    next_delta: i32,
    /// Bytes of one record, kept for its capacity.
    scratch: Vec<u8>,
}

impl Default for BatchSpec {
    fn default() -> Self {
        Self {
            codec: Codec::None,
            producer: None,
            transactional: false,
            append_time: None,
            records: Vec::new(),
            count: 0,
            base_timestamp: None,
            max_timestamp: -1,
            next_delta: 0,
            scratch: Vec::new(),
        }
    }
}

impl BatchSpec {
    /// An empty batch: not compressed, no producer, no transaction.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compresses the records.
    #[must_use]
    pub fn codec(self, codec: Codec) -> Self {
        Self { codec, ..self }
    }

    /// An idempotent producer's batch.
    #[must_use]
    pub fn producer(self, id: i64, epoch: i16) -> Self {
        Self { producer: Some((id, epoch)), ..self }
    }

    /// A batch of the open transaction of producer `id`, which its first such batch begins.
    #[must_use]
    pub fn transactional(self, id: i64) -> Self {
        Self { producer: Some((id, 0)), transactional: true, ..self }
    }

    /// The time that a topic with LogAppendTime gives to the batch, instead of the real one.
    #[must_use]
    pub fn append_time(self, millis: i64) -> Self {
        Self { append_time: Some(millis), ..self }
    }

    /// Adds a record.
    #[must_use]
    pub fn record(mut self, record: Record<'_>) -> Self {
        self.push(record);
        self
    }

    /// Leaves out `offsets` offsets, as compaction does: a hole before the next record, or at the
    /// batch's end.
    #[must_use]
    pub fn hole(mut self, offsets: i32) -> Self {
        self.next_delta = self.next_delta.saturating_add(offsets.max(0));
        self
    }

    /// Adds a record.
    pub fn push(&mut self, record: Record<'_>) {
        let base = *self.base_timestamp.get_or_insert(record.timestamp);
        let delta = record.timestamp.wrapping_sub(base);
        self.scratch.clear();
        records::encode(&record, delta, self.next_delta, &mut self.scratch, &mut self.records);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.count += 1;
        self.next_delta = self.next_delta.saturating_add(1);
    }

    /// How many offsets the batch covers, holes included.
    pub fn offsets(&self) -> i64 {
        i64::from(self.next_delta)
    }

    /// Bytes of the records before compression: when to begin the next batch.
    pub fn payload_len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn given_append_time(&self) -> Option<i64> {
        self.append_time
    }

    pub(crate) fn producer_id(&self) -> Option<i64> {
        self.producer.map(|(id, _)| id)
    }

    /// The batch's bytes, at base offset 0, leader epoch 0 and (with a producer) sequence 0: to be
    /// changed by a test and given to [`Broker::append_raw`](crate::Broker::append_raw).
    pub fn encode(&self) -> Result<Vec<u8>, BrokerError> {
        if self.next_delta < 1 {
            return Err(BrokerError::InvalidBatch("a batch covers one offset at least".to_owned()));
        }
        // An empty batch names no codec: Kafka never compresses nothing.
        let codec = if self.count == 0 { Codec::None } else { self.codec };
        let (producer_id, producer_epoch) = self.producer.unwrap_or((-1, -1));
        let transactional = if self.transactional { attribute::TRANSACTIONAL } else { 0 };
        let header = BatchHeader {
            attributes: codec.bits() | transactional,
            last_offset_delta: self.next_delta - 1,
            base_timestamp: self.base_timestamp.unwrap_or(-1),
            max_timestamp: self.max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence: if self.producer.is_some() { 0 } else { -1 },
            count: self.count,
            ..BatchHeader::default()
        };
        match codec {
            // The common case spares a copy.
            Codec::None => header.with_records(&self.records),
            Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => {
                header.with_records(&codec.compress(&self.records)?)
            }
        }
    }
}

#[cfg(test)]
mod tests;
