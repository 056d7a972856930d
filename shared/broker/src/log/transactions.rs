//! Open and aborted transactions, as they follow from the batches.

use std::collections::BTreeMap;

use crate::batch::{BatchHeader, Marker, marker_of};

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Aborted {
    producer: i64,
    /// Offset of its first batch.
    first: i64,
    /// Offset of its marker.
    last: i64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    /// Producer id and first offset.
    open: BTreeMap<i64, i64>,
    /// In the order of their markers.
    aborted: Vec<Aborted>,
}

impl Transactions {
    /// Follows the log past one batch, whose offset is `base`.
    pub(super) fn observe(&mut self, base: i64, header: &BatchHeader, batch: &[u8]) {
        if !header.is_control() {
            if header.is_transactional() {
                self.open.entry(header.producer_id).or_insert(base);
            }
            return;
        }
        let Some(marker) = marker_of(header, batch) else { return };
        let begun = self.open.remove(&header.producer_id);
        if let (Marker::Abort, Some(first)) = (marker, begun) {
            self.aborted.push(Aborted { producer: header.producer_id, first, last: base });
        }
    }

    /// Where the oldest open transaction begins.
    pub(super) fn first_open(&self) -> Option<i64> {
        self.open.values().min().copied()
    }

    pub(super) fn is_open(&self, producer: i64) -> bool {
        self.open.contains_key(&producer)
    }

    /// Producer id and first offset of those that have batches or their marker in
    /// `[from, until)`.
    pub(super) fn aborted(&self, from: i64, until: i64) -> Vec<(i64, i64)> {
        let spanned = self.aborted.iter().filter(|txn| txn.last >= from && txn.first < until);
        spanned.map(|txn| (txn.producer, txn.first)).collect()
    }

    /// Forgets the aborted transactions whose marker is gone: a consumer that heard of one would
    /// wait for that marker, and drop the producer's next transaction.
    pub(super) fn keep_aborted(&mut self, marker_stands: impl Fn(i64) -> bool) {
        self.aborted.retain(|txn| marker_stands(txn.last));
    }
}
