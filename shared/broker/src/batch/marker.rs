//! Control batches: the markers that end transactions.

use super::header::{BatchHeader, HEADER_LEN, attribute};
use super::{Record, records};
use crate::error::BrokerError;
use crate::wire::{Reader, Result};

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Marker {
    /// Its records count.
    Commit,
    /// Its records do not.
    Abort,
}

impl Marker {
    fn code(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
        }
    }
}

/// The batch that ends the open transaction of a producer: 78 bytes.
pub(crate) fn control_batch(
    marker: Marker,
    producer_id: i64,
    timestamp: i64,
) -> std::result::Result<Vec<u8>, BrokerError> {
    // Key: version 0 and type. Value: version 0 and the coordinator's epoch.
    let [type_high, type_low] = marker.code().to_be_bytes();
    let key = [0, 0, type_high, type_low];
    let record = Record { timestamp, key: Some(&key), value: Some(&[0; 6]), headers: &[] };
    let mut payload = Vec::new();
    records::encode(&record, 0, 0, &mut Vec::new(), &mut payload);
    let header = BatchHeader {
        attributes: attribute::TRANSACTIONAL | attribute::CONTROL,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id,
        producer_epoch: 0,
        count: 1,
        ..BatchHeader::default()
    };
    header.with_records(&payload)
}

/// The marker in a control batch; none if compaction has removed it, or it is of another type.
pub(crate) fn marker_of(header: &BatchHeader, batch: &[u8]) -> Option<Marker> {
    let payload = batch.get(HEADER_LEN..)?;
    let key = (header.is_control() && header.count > 0).then(|| control_key(payload))?.ok()?;
    [Marker::Commit, Marker::Abort].into_iter().find(|marker| marker.code() == key)
}

/// The type in a control record's key.
fn control_key(payload: &[u8]) -> Result<i16> {
    let mut record = Reader::new(payload);
    record.varint()?; // length
    record.i8()?; // attributes
    record.varint()?; // timestamp delta
    record.varint()?; // offset delta
    record.varint()?; // length of the key
    record.i16()?; // version
    record.i16()
}
