//! Which batches belong to aborted transactions, as Kafka's own consumer finds it.

use std::collections::HashSet;

use super::batch::Batch;

/// An entry of a fetch answer's list of aborted transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    /// The producer.
    pub(crate) producer_id: i64,
    /// The transaction's first offset.
    pub(crate) first_offset: i64,
}

/// The aborted transactions of one partition in one answer. The list covers what that answer
/// spans, and no other: each answer begins afresh.
#[derive(Clone, Debug, Default)]
pub(crate) struct AbortedTransactions {
    /// Those that did not begin yet, the last first.
    waiting: Vec<AbortedTransaction>,
    /// Producers whose transaction is open at this point of the log, and will be aborted.
    open: HashSet<i64>,
}

impl AbortedTransactions {
    /// The list as it came, in any order.
    pub(crate) fn new(mut list: Vec<AbortedTransaction>) -> Self {
        list.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.first_offset));
        Self { waiting: list, open: HashSet::new() }
    }

    /// Moves to `batch`: transactions that begin up to its last offset are open now.
    pub(crate) fn enter(&mut self, batch: &Batch<'_>) {
        while let Some(next) = self.waiting.pop_if(|next| next.first_offset <= batch.last) {
            self.open.insert(next.producer_id);
        }
    }

    /// An abort marker of `batch`'s producer ends its transaction.
    pub(crate) fn aborted(&mut self, batch: &Batch<'_>) {
        self.open.remove(&batch.producer_id);
    }

    /// Whether `batch`, which was entered, holds records of an aborted transaction.
    pub(crate) fn covers(&self, batch: &Batch<'_>) -> bool {
        batch.is_transactional() && !batch.is_control() && self.open.contains(&batch.producer_id)
    }
}
