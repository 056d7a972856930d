//! The log of one partition: batches in offset order, and what follows from them.

mod cleaning;
mod epochs;
mod transactions;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use cleaning::EmptyBatches;

use crate::batch::{BatchHeader, BatchSpec, Patch, Span, attribute, spans};
use crate::error::BrokerError;
use epochs::Epochs;
use transactions::Transactions;

/// Who sets the timestamps of a topic's records (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer.
    #[default]
    CreateTime,
    /// The broker, when it appends.
    LogAppendTime,
}

/// A batch in the log.
#[derive(Clone, Debug)]
struct Stored {
    /// Offset of the batch.
    base: i64,
    /// The offset after the last that it covers.
    next: i64,
    /// Epoch of the leader that appended it.
    epoch: i32,
    /// The largest timestamp of its records; `i64::MIN` if it is not of format v2.
    max_timestamp: i64,
    /// Number of the segment: an answer holds batches of one.
    segment: u32,
    bytes: Bytes,
}

/// What is asked of [`Log::read`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// The first offset wanted.
    pub(crate) offset: i64,
    /// Batches from here on are not given: the high watermark, or the last stable offset.
    pub(crate) before: i64,
    /// Room, in bytes.
    pub(crate) max_bytes: usize,
    /// Whether the first batch is given whole even if it is larger than the room (KIP-74).
    pub(crate) whole_first: bool,
    /// Whether the room is filled with the front of a batch that does not fit.
    pub(crate) cut_tail: bool,
}

/// What [`Log::read`] found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// The batches: handles, not copies.
    pub(crate) batches: Vec<Bytes>,
    /// Their bytes.
    pub(crate) size: usize,
    /// The offset after the last that they cover; the offset asked for if there are none.
    pub(crate) until: i64,
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timed {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) epoch: i32,
}

#[derive(Debug)]
pub(crate) struct Log {
    timestamp_type: TimestampType,
    /// A segment that would become larger is closed.
    segment_bytes: usize,
    batches: Vec<Stored>,
    start: i64,
    end: i64,
    epochs: Epochs,
    transactions: Transactions,
    /// The next sequence number of each idempotent producer.
    sequences: BTreeMap<i64, i32>,
    segment: u32,
    /// Bytes in the open segment.
    segment_len: usize,
}

impl Log {
    pub(crate) fn new(timestamp_type: TimestampType, segment_bytes: usize, epoch: i32) -> Self {
        Self {
            timestamp_type,
            segment_bytes,
            batches: Vec::new(),
            start: 0,
            end: 0,
            epochs: Epochs::new(epoch),
            transactions: Transactions::default(),
            sequences: BTreeMap::new(),
            segment: 0,
            segment_len: 0,
        }
    }

    /// The first offset there is.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The offset after the last. All of the log is replicated: this is the high watermark, too.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// The first offset of the oldest open transaction, or the log's end.
    pub(crate) fn last_stable(&self) -> i64 {
        self.transactions.first_open().map_or(self.end, |open| open.clamp(self.start, self.end))
    }

    pub(crate) fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// A leader takes over.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        self.epochs.assign(epoch, self.end);
    }

    /// Whether `producer` has a transaction open here.
    pub(crate) fn has_open(&self, producer: i64) -> bool {
        self.transactions.is_open(producer)
    }

    /// Producer id and first offset of the aborted transactions that an answer spans.
    pub(crate) fn aborted(&self, from: i64, until: i64) -> Vec<(i64, i64)> {
        self.transactions.aborted(from, until)
    }

    /// Epoch of the first batch there is.
    pub(crate) fn start_epoch(&self) -> Option<i32> {
        self.batches.first().map(|batch| batch.epoch)
    }

    /// Appends what `spec` describes (`bytes` is its encoding) and gives its base offset.
    pub(crate) fn append(
        &mut self,
        spec: &BatchSpec,
        bytes: Vec<u8>,
        leader_epoch: i32,
        now: i64,
    ) -> Result<i64, BrokerError> {
        let append_time = match self.timestamp_type {
            TimestampType::CreateTime => None,
            TimestampType::LogAppendTime => Some(spec.given_append_time().unwrap_or(now)),
        };
        let base_sequence = spec.producer_id().map(|id| {
            let next = self.sequences.entry(id).or_insert(0);
            let count = i32::try_from(spec.offsets()).unwrap_or(i32::MAX);
            // Sequence numbers go round, to 0 and not below it.
            std::mem::replace(next, next.wrapping_add(count) & i32::MAX)
        });
        let patch = Patch { base_offset: self.end, leader_epoch, append_time, base_sequence };
        self.push(bytes, spec.offsets(), patch)
    }

    /// Appends `bytes`, changed only by base offset and leader epoch, as `offsets` offsets.
    pub(crate) fn append_raw(
        &mut self,
        bytes: Vec<u8>,
        offsets: i64,
        leader_epoch: i32,
    ) -> Result<i64, BrokerError> {
        if offsets < 1 {
            let why = format!("a batch covers one offset at least, not {offsets}");
            return Err(BrokerError::InvalidBatch(why));
        }
        let patch = Patch { base_offset: self.end, leader_epoch, ..Patch::default() };
        self.push(bytes, offsets, patch)
    }

    fn push(&mut self, mut bytes: Vec<u8>, offsets: i64, patch: Patch) -> Result<i64, BrokerError> {
        let base = self.end;
        let next = base.checked_add(offsets).ok_or_else(|| {
            BrokerError::InvalidBatch(format!("offset {base} and {offsets} more overflow"))
        })?;
        patch.apply(&mut bytes)?;
        if self.segment_len > 0 && self.segment_len + bytes.len() > self.segment_bytes {
            self.segment += 1;
            self.segment_len = 0;
        }
        self.segment_len += bytes.len();
        let header = BatchHeader::parse(&bytes);
        self.batches.push(Stored {
            base,
            next,
            epoch: patch.leader_epoch,
            max_timestamp: header.map_or(i64::MIN, |header| header.max_timestamp),
            segment: self.segment,
            bytes: bytes.into(),
        });
        self.end = next;
        self.epochs.assign(patch.leader_epoch, base);
        self.observe_transaction(self.batches.len() - 1);
        Ok(base)
    }

    fn observe_transaction(&mut self, index: usize) {
        let batch = &self.batches[index];
        if let Some(header) = BatchHeader::parse(&batch.bytes) {
            self.transactions.observe(batch.base, &header, &batch.bytes);
        }
    }

    /// Whole batches from the one that holds (or follows) the offset asked for.
    pub(crate) fn read(&self, ask: &Ask) -> Found {
        let mut found = Found { until: ask.offset, ..Found::default() };
        let from = self.batches.partition_point(|batch| batch.next <= ask.offset);
        let segment = self.batches.get(from).map(|batch| batch.segment);
        for batch in &self.batches[from..] {
            if batch.base >= ask.before || Some(batch.segment) != segment {
                break;
            }
            let room = ask.max_bytes.saturating_sub(found.size);
            let fits = batch.bytes.len() <= room || (ask.whole_first && found.batches.is_empty());
            let given = if fits { batch.bytes.len() } else { room };
            if fits || (ask.cut_tail && given > 0) {
                found.batches.push(batch.bytes.slice(..given));
                found.size += given;
                found.until = batch.next;
            }
            if !fits {
                break;
            }
        }
        found
    }

    /// The first record at or after `timestamp`, at an offset below `before`.
    pub(crate) fn find_time(&self, timestamp: i64, before: i64) -> Option<Timed> {
        let late = self.batches.iter().filter(|batch| batch.max_timestamp >= timestamp);
        late.take_while(|batch| batch.base < before)
            .find_map(|batch| self.find_in_batch(batch, timestamp, before))
    }

    fn find_in_batch(&self, batch: &Stored, timestamp: i64, before: i64) -> Option<Timed> {
        let header = BatchHeader::parse(&batch.bytes)?;
        let (_, records) = spans(&header, &batch.bytes).ok()?;
        let time = |record: &Span| match header.attributes & attribute::APPEND_TIME {
            0 => record.timestamp,
            _ => header.max_timestamp,
        };
        records
            .iter()
            .find(|record| record.offset >= self.start && time(record) >= timestamp)
            .filter(|record| record.offset < before)
            .map(|record| Timed {
                offset: record.offset,
                timestamp: time(record),
                epoch: batch.epoch,
            })
    }
}

#[cfg(test)]
mod tests;
