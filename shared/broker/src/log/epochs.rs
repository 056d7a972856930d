//! Leader epochs and where they begin: what tells a consumer that the log was cut back.

/// The leader epochs of a log, rising in epoch and start.
#[derive(Clone, Debug)]
pub(crate) struct Epochs {
    /// Epoch and its first offset.
    entries: Vec<(i32, i64)>,
}

impl Epochs {
    pub(super) fn new(epoch: i32) -> Self {
        Self { entries: vec![(epoch, 0)] }
    }

    /// `epoch` begins at `start`, unless it has begun already. Entries that contradict it go.
    pub(super) fn assign(&mut self, epoch: i32, start: i64) {
        if self.entries.last().is_some_and(|last| last.0 == epoch && last.1 <= start) {
            return;
        }
        self.entries.retain(|entry| entry.0 < epoch && entry.1 < start);
        self.entries.push((epoch, start));
    }

    /// The log now ends at `end`.
    pub(super) fn cut_back(&mut self, end: i64) {
        self.entries.retain(|entry| entry.1 < end);
    }

    /// The log now starts at `start`: what lies before is known no more.
    pub(super) fn cut_front(&mut self, start: i64) {
        let first = self.entries.partition_point(|entry| entry.1 <= start).saturating_sub(1);
        self.entries.drain(..first);
        if let Some(entry) = self.entries.first_mut() {
            entry.1 = entry.1.max(start);
        }
    }

    /// The largest epoch that is not larger than `epoch`, and the offset after its last; (−1, −1)
    /// where Kafka knows none (OffsetForLeaderEpoch).
    pub(crate) fn end_of(&self, epoch: i32, log_end: i64) -> (i32, i64) {
        if epoch < 0 {
            return (-1, -1);
        }
        let after = self.entries.partition_point(|entry| entry.0 <= epoch);
        let floor = after.checked_sub(1).map(|index| self.entries[index].0);
        match (floor, self.entries.get(after)) {
            // The current epoch has no end yet: the log's is given.
            (Some(floor), None) if floor == epoch => (epoch, log_end),
            (_, None) => (-1, -1),
            (floor, Some((_, start))) => (floor.unwrap_or(epoch), *start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let mut epochs = Epochs::new(0);
        epochs.assign(2, 10);
        epochs.assign(2, 15);
        epochs.assign(5, 20);
        for (epoch, end) in
            [(-1, (-1, -1)), (0, (0, 10)), (1, (0, 10)), (2, (2, 20)), (4, (2, 20)), (5, (5, 33))]
        {
            assert_eq!(epochs.end_of(epoch, 33), end, "{epoch}");
        }
        assert_eq!(epochs.end_of(6, 33), (-1, -1));
    }

    #[test]
    fn cutting_the_log_forgets_epochs() {
        let mut epochs = Epochs::new(0);
        epochs.assign(2, 10);
        epochs.assign(5, 20);
        epochs.cut_back(15);
        epochs.assign(7, 15);
        assert_eq!(epochs.end_of(5, 18), (2, 15));
        epochs.cut_front(12);
        assert_eq!(epochs.end_of(0, 18), (0, 12));
        assert_eq!(epochs.end_of(2, 18), (2, 15));
    }
}
