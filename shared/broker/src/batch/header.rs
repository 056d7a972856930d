//! The 61 bytes before a batch's records.
//!
//! Offsets of the fields, from Kafka's message format: 0 base offset, 8 length, 12 leader epoch,
//! 16 magic, 17 CRC, 21 attributes, 23 last offset delta, 27 base timestamp, 35 max timestamp,
//! 43 producer id, 51 producer epoch, 53 base sequence, 57 count.

use crate::error::BrokerError;
use crate::wire::{Reader, Result};

/// Bytes before the records.
pub(crate) const HEADER_LEN: usize = 61;
/// Where what the CRC covers begins: at the attributes.
const CRC_FROM: usize = 21;
/// Bytes before what the length counts.
const LENGTH_FROM: usize = 12;

/// Bits of the attributes beside the codec's.
pub(crate) mod attribute {
    /// The codec.
    pub(crate) const CODEC: i16 = 0x07;
    /// The broker set the timestamp.
    pub(crate) const APPEND_TIME: i16 = 0x08;
    /// Part of a transaction.
    pub(crate) const TRANSACTIONAL: i16 = 0x10;
    /// Holds a transaction's marker.
    pub(crate) const CONTROL: i16 = 0x20;
}

/// A batch's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the batch.
    pub base_offset: i64,
    /// Bytes after this field: the whole batch has 12 more.
    pub length: i32,
    /// Epoch of the leader that appended it.
    pub leader_epoch: i32,
    /// The format's version: 2.
    pub magic: i8,
    /// CRC-32C of all from the attributes on.
    pub crc: u32,
    /// Codec (bits 0–2), LogAppendTime 0x08, transactional 0x10, control 0x20.
    pub attributes: i16,
    /// Last offset covered, relative to the base.
    pub last_offset_delta: i32,
    /// The timestamp to which the records' are relative, in milliseconds since 1970.
    pub base_timestamp: i64,
    /// The largest timestamp; with LogAppendTime that of all records.
    pub max_timestamp: i64,
    /// The producer's id; −1 for none.
    pub producer_id: i64,
    /// The producer's epoch; −1 for none.
    pub producer_epoch: i16,
    /// Sequence number of the first record; −1 for none.
    pub base_sequence: i32,
    /// How many records.
    pub count: i32,
}

impl Default for BatchHeader {
    /// Of an empty batch without producer. Length and CRC are set with the records.
    fn default() -> Self {
        Self {
            base_offset: 0,
            length: 0,
            leader_epoch: 0,
            magic: 2,
            crc: 0,
            attributes: 0,
            last_offset_delta: 0,
            base_timestamp: -1,
            max_timestamp: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: 0,
        }
    }
}

impl BatchHeader {
    /// The header at the front of `batch`; none if it is cut off or of another format.
    pub fn parse(batch: &[u8]) -> Option<Self> {
        Self::read(&mut Reader::new(batch)).ok().filter(|header| header.magic == 2)
    }

    fn read(from: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            base_offset: from.i64()?,
            length: from.i32()?,
            leader_epoch: from.i32()?,
            magic: from.i8()?,
            crc: u32::from_be_bytes(from.bytes()?),
            attributes: from.i16()?,
            last_offset_delta: from.i32()?,
            base_timestamp: from.i64()?,
            max_timestamp: from.i64()?,
            producer_id: from.i64()?,
            producer_epoch: from.i16()?,
            base_sequence: from.i32()?,
            count: from.i32()?,
        })
    }

    /// The offset after the last that the batch covers.
    pub fn next_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta)).saturating_add(1)
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & attribute::TRANSACTIONAL != 0
    }

    /// Whether the batch holds a transaction's marker.
    pub fn is_control(&self) -> bool {
        self.attributes & attribute::CONTROL != 0
    }

    /// The batch of this header and `records`, which are compressed as the attributes say.
    /// Length and CRC are computed.
    pub fn with_records(&self, records: &[u8]) -> std::result::Result<Vec<u8>, BrokerError> {
        let mut batch = Vec::with_capacity(HEADER_LEN + records.len());
        batch.extend_from_slice(&self.base_offset.to_be_bytes());
        batch.extend_from_slice(&self.length.to_be_bytes());
        batch.extend_from_slice(&self.leader_epoch.to_be_bytes());
        batch.extend_from_slice(&self.magic.to_be_bytes());
        batch.extend_from_slice(&self.crc.to_be_bytes());
        batch.extend_from_slice(&self.attributes.to_be_bytes());
        batch.extend_from_slice(&self.last_offset_delta.to_be_bytes());
        batch.extend_from_slice(&self.base_timestamp.to_be_bytes());
        batch.extend_from_slice(&self.max_timestamp.to_be_bytes());
        batch.extend_from_slice(&self.producer_id.to_be_bytes());
        batch.extend_from_slice(&self.producer_epoch.to_be_bytes());
        batch.extend_from_slice(&self.base_sequence.to_be_bytes());
        batch.extend_from_slice(&self.count.to_be_bytes());
        batch.extend_from_slice(records);
        seal(&mut batch)?;
        Ok(batch)
    }
}

/// Sets a batch's length and CRC to what its bytes are, after a change.
pub fn seal(batch: &mut [u8]) -> std::result::Result<(), BrokerError> {
    if batch.len() < HEADER_LEN {
        return Err(BrokerError::InvalidBatch(format!(
            "a batch has {HEADER_LEN} bytes at least, not {}",
            batch.len()
        )));
    }
    let length = i32::try_from(batch.len() - LENGTH_FROM)
        .map_err(|_| BrokerError::InvalidBatch("a batch has 2 GiB at most".to_owned()))?;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    Ok(())
}

/// What the broker itself writes into a batch of format v2.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patch {
    pub(crate) base_offset: i64,
    pub(crate) leader_epoch: i32,
    /// The timestamp of all records, with LogAppendTime.
    pub(crate) append_time: Option<i64>,
    pub(crate) base_sequence: Option<i32>,
}

impl Patch {
    /// Writes it. The CRC is computed anew only if something that it covers changes, so that a
    /// broken batch stays as broken as it was.
    pub(crate) fn apply(&self, batch: &mut [u8]) -> std::result::Result<(), BrokerError> {
        let Some(header) = BatchHeader::parse(batch) else {
            // Not of format v2: all formats begin with their offset.
            if let Some(field) = batch.first_chunk_mut() {
                *field = self.base_offset.to_be_bytes();
            }
            return Ok(());
        };
        batch[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        batch[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        if let Some(sequence) = self.base_sequence {
            batch[53..57].copy_from_slice(&sequence.to_be_bytes());
        }
        if let Some(millis) = self.append_time {
            let attributes = header.attributes | attribute::APPEND_TIME;
            batch[21..23].copy_from_slice(&attributes.to_be_bytes());
            batch[35..43].copy_from_slice(&millis.to_be_bytes());
        }
        if self.base_sequence.is_some() || self.append_time.is_some() {
            seal(batch)?;
        }
        Ok(())
    }
}
