//! What makes a log lose offsets: compaction, DeleteRecords, truncation.

use super::{Log, Stored, Transactions};
use crate::batch::{BatchHeader, Span, attribute, marker_of, spans};
use crate::codec::Codec;
use crate::error::BrokerError;

/// What compaction does with a batch that it leaves no record in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmptyBatches {
    /// Its header stays: Kafka keeps the last batch of each idempotent producer.
    Keep,
    /// It goes.
    Remove,
}

impl Log {
    /// Removes the records that `keep` does not want. Batches keep the offsets that they cover,
    /// so there are holes within them and at their ends; batches that cannot be read stay.
    pub(crate) fn compact(
        &mut self,
        keep: impl Fn(i64) -> bool,
        empty: EmptyBatches,
    ) -> Result<(), BrokerError> {
        let mut left = Vec::with_capacity(self.batches.len());
        for batch in &self.batches {
            left.extend(compacted(batch, &keep, empty)?);
        }
        self.batches = left;
        let batches = &self.batches;
        self.transactions.keep_aborted(|offset| {
            let at = batches.partition_point(|batch| batch.next <= offset);
            let header = batches.get(at).and_then(|batch| BatchHeader::parse(&batch.bytes));
            header.is_some_and(|header| marker_of(&header, &batches[at].bytes).is_some())
        });
        Ok(())
    }

    /// Moves the log start to `before`. A batch that covers it stays whole, as in Kafka.
    pub(crate) fn delete_records(&mut self, before: i64) -> Result<(), BrokerError> {
        self.check_offset(before)?;
        self.start = before;
        let gone = self.batches.partition_point(|batch| batch.next <= before);
        self.batches.drain(..gone);
        self.epochs.cut_front(before);
        self.transactions.keep_aborted(|marker| marker >= before);
        Ok(())
    }

    /// Cuts the log back to end at `to`. A batch that covers it goes whole.
    pub(crate) fn truncate(&mut self, to: i64) -> Result<(), BrokerError> {
        self.check_offset(to)?;
        self.batches.truncate(self.batches.partition_point(|batch| batch.next <= to));
        self.end = to;
        self.epochs.cut_back(to);
        self.transactions = Transactions::default();
        (0..self.batches.len()).for_each(|index| self.observe_transaction(index));
        Ok(())
    }

    fn check_offset(&self, offset: i64) -> Result<(), BrokerError> {
        if (self.start..=self.end).contains(&offset) {
            return Ok(());
        }
        Err(BrokerError::OffsetOutOfRange { offset, log_start: self.start, log_end: self.end })
    }
}

/// What compaction leaves of a batch.
fn compacted(
    batch: &Stored,
    keep: impl Fn(i64) -> bool,
    empty: EmptyBatches,
) -> Result<Option<Stored>, BrokerError> {
    let Some(header) = BatchHeader::parse(&batch.bytes) else { return Ok(Some(batch.clone())) };
    let Ok((payload, records)) = spans(&header, &batch.bytes) else {
        return Ok(Some(batch.clone()));
    };
    let kept: Vec<&Span> = records.iter().filter(|record| keep(record.offset)).collect();
    if kept.is_empty() {
        // As Kafka leaves it: a bare header that names no codec.
        let attributes = header.attributes & !attribute::CODEC;
        let base_timestamp = header.max_timestamp;
        let bare = BatchHeader { count: 0, attributes, base_timestamp, ..header };
        return match empty {
            EmptyBatches::Keep => rewritten(batch, &bare, &[]).map(Some),
            EmptyBatches::Remove => Ok(None),
        };
    }
    if kept.len() == records.len() {
        return Ok(Some(batch.clone()));
    }
    let plain: Vec<u8> =
        kept.iter().flat_map(|record| &payload[record.bytes.clone()]).copied().collect();
    let codec = Codec::of_attributes(header.attributes).unwrap_or_default();
    let max_timestamp = match header.attributes & attribute::APPEND_TIME {
        0 => kept.iter().map(|record| record.timestamp).fold(-1, i64::max),
        _ => header.max_timestamp,
    };
    let count = i32::try_from(kept.len()).unwrap_or(header.count);
    rewritten(batch, &BatchHeader { count, max_timestamp, ..header }, &codec.compress(&plain)?)
        .map(Some)
}

fn rewritten(batch: &Stored, header: &BatchHeader, records: &[u8]) -> Result<Stored, BrokerError> {
    let bytes = header.with_records(records)?;
    Ok(Stored { bytes: bytes.into(), max_timestamp: header.max_timestamp, ..batch.clone() })
}
