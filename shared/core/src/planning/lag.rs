//! How far behind a checkpoint is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::documents::{CheckpointEntry, PlannedEnd};
use crate::time::Millis;
use crate::words::TopicPartition;

/// How far behind a pipeline, a topic or a partition is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// Offsets up to the high watermark, as Kafka's own tools count them.
    pub records: u64,
    /// Age of the oldest record that is not committed, or an upper bound of it; 0 when caught
    /// up, never negative.
    pub seconds: u64,
}

impl Lag {
    /// The lag of two taken together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_add(other.records),
            seconds: self.seconds.max(other.seconds),
        }
    }
}

/// The lag of each partition that was observed. One without an entry counts from the log start.
pub fn lag(
    entries: &[CheckpointEntry],
    ends: &[PlannedEnd],
    now: Millis,
) -> BTreeMap<TopicPartition, Lag> {
    let entries: BTreeMap<_, _> = entries.iter().map(|e| (&e.partition, e)).collect();
    ends.iter()
        .map(|end| (end.partition.clone(), of(entries.get(&end.partition).copied(), end, now)))
        .collect()
}

fn of(entry: Option<&CheckpointEntry>, end: &PlannedEnd, now: Millis) -> Lag {
    let offset = entry.map_or(end.log_start, |entry| entry.offset);
    let records = u64::try_from(end.high_watermark.saturating_sub(offset)).unwrap_or(0);
    if records == 0 {
        return Lag::default();
    }
    // At the log start the oldest record's time is known; behind it, the record read last is
    // older than the oldest that was not.
    let read_last = entry.and_then(|entry| entry.last_timestamp);
    let oldest = if offset <= end.log_start {
        end.log_start_time.or(read_last)
    } else {
        read_last.or(end.log_start_time)
    };
    // The bound of last resort: what is pending came after the partition was last read.
    let oldest = oldest.or(entry.and_then(|entry| entry.last_read));
    Lag { records, seconds: oldest.map_or(0, |at| now.since(at).as_secs()) }
}

/// In how many seconds retention could reach a checkpoint, at the pace at which records came: the
/// time of the record there less the time at the log start, the least of all partitions that have
/// records pending. None if none has, or no times are known.
///
/// The record read last stands for the one that is next: it is not younger.
pub fn time_to_loss(entries: &[CheckpointEntry], ends: &[PlannedEnd]) -> Option<u64> {
    let entries: BTreeMap<_, _> = entries.iter().map(|e| (&e.partition, e)).collect();
    let left = ends.iter().filter_map(|end| {
        let entry = entries.get(&end.partition);
        let offset = entry.map_or(end.log_start, |entry| entry.offset);
        if offset >= end.high_watermark {
            return None;
        }
        if offset <= end.log_start {
            // The next record to go is the next to read; but for a log of which nothing went yet.
            return (end.log_start > 0).then_some(0);
        }
        Some(entry?.last_timestamp?.since(end.log_start_time?).as_secs())
    });
    left.min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::samples::{end, entry};

    fn one(offset: i64, last: Option<i64>, high_watermark: i64, now: i64) -> Lag {
        let mut entry = entry("t", 0, offset);
        entry.last_timestamp = last.map(Millis);
        let mut end = end("t", 0, high_watermark);
        end.log_start = 10;
        end.log_start_time = Some(Millis(1_000));
        lag(&[entry], &[end], Millis(now)).into_values().fold(Lag::default(), Lag::and)
    }

    #[test]
    fn a05_lag_is_counted_to_the_high_watermark() {
        assert_eq!(one(20, Some(5_000), 25, 9_000), Lag { records: 5, seconds: 4 });
    }

    #[test]
    fn lag_is_nothing_when_caught_up_and_never_negative() {
        assert_eq!(one(25, Some(5_000), 25, 9_000), Lag::default());
        assert_eq!(one(30, Some(5_000), 25, 9_000), Lag::default());
        assert_eq!(one(20, Some(99_000), 25, 9_000), Lag { records: 5, seconds: 0 });
    }

    #[test]
    fn at_the_log_start_its_first_record_is_the_oldest() {
        assert_eq!(one(10, None, 25, 9_000), Lag { records: 15, seconds: 8 });
        assert_eq!(one(12, None, 25, 9_000), Lag { records: 13, seconds: 8 });
    }

    #[test]
    fn loss_is_as_far_away_as_the_log_start() {
        let at = |offset, last: Option<i64>, high_watermark| {
            let mut entry = entry("t", 0, offset);
            entry.last_timestamp = last.map(Millis);
            let mut end = end("t", 0, high_watermark);
            (end.log_start, end.log_start_time) = (10, Some(Millis(1_000)));
            time_to_loss(&[entry], &[end])
        };
        assert_eq!(at(20, Some(61_000), 25), Some(60));
        assert_eq!(at(25, Some(61_000), 25), None, "nothing is pending");
        assert_eq!(at(10, None, 25), Some(0), "the next record to go is the next to read");
        assert_eq!(at(20, None, 25), None, "no time is known");
        let whole = end("t", 0, 25);
        assert_eq!(time_to_loss(&[], &[whole]), None, "nothing went yet, and nothing was read");
        assert_eq!(at(20, Some(500), 25), Some(0), "never negative");
    }
}
