//! The same handle: topics, and what stands in their logs.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Broker, Result};
use crate::batch::{BatchSpec, Marker, control_batch};
use crate::error::BrokerError;
use crate::log::EmptyBatches;
use crate::state::TopicConfig;

/// The offsets of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// The first offset there is.
    pub log_start: i64,
    /// The offset after the last that is decided.
    pub last_stable: i64,
    /// The offset after the last.
    pub high_watermark: i64,
    /// The leader's epoch.
    pub leader_epoch: i32,
}

impl Broker {
    /// Creates a topic and gives its id, which is random.
    pub fn create_topic(&self, name: &str, config: TopicConfig) -> Result<[u8; 16]> {
        self.change(|state| state.create_topic(name, config))
    }

    /// Deletes a topic with all its records. One created by the same name has another id.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        self.change(|state| match state.topics.remove(name) {
            Some(_) => Ok(()),
            None => Err(BrokerError::UnknownTopic(name.to_owned())),
        })
    }

    /// Adds partitions until the topic has `partitions`.
    pub fn grow_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.change(|state| state.grow_topic(name, partitions))
    }

    /// Appends a batch and gives the offset of its first record.
    pub fn append(&self, topic: &str, partition: i32, batch: &BatchSpec) -> Result<i64> {
        // Compressed before the lock is taken: it is what takes the time.
        let bytes = batch.encode()?;
        let now = now_ms();
        self.change(|state| {
            let found = state.partition_mut(topic, partition)?;
            found.log.append(batch, bytes, found.leader_epoch, now)
        })
    }

    /// Appends `bytes` as they are, but for the base offset and (in format v2) the leader epoch,
    /// which stand outside the CRC, as a batch that covers `offsets` offsets. Gives the base offset.
    pub fn append_raw(
        &self,
        topic: &str,
        partition: i32,
        bytes: Vec<u8>,
        offsets: i64,
    ) -> Result<i64> {
        self.change(|state| {
            let found = state.partition_mut(topic, partition)?;
            found.log.append_raw(bytes, offsets, found.leader_epoch)
        })
    }

    /// Commits the open transaction of `producer`: a marker in each partition that has a part of
    /// it. A transaction begins with the first [`BatchSpec::transactional`] batch. Gives the
    /// markers' offsets, by topic and partition.
    pub fn commit(&self, producer: i64) -> Result<BTreeMap<(String, i32), i64>> {
        self.end_transaction(producer, Marker::Commit)
    }

    /// Aborts the open transaction of `producer`, likewise.
    pub fn abort(&self, producer: i64) -> Result<BTreeMap<(String, i32), i64>> {
        self.end_transaction(producer, Marker::Abort)
    }

    fn end_transaction(
        &self,
        producer: i64,
        marker: Marker,
    ) -> Result<BTreeMap<(String, i32), i64>> {
        let bytes = control_batch(marker, producer, now_ms())?;
        self.change(|state| {
            let mut markers = BTreeMap::new();
            for (name, topic) in &mut state.topics {
                for (index, found) in (0..).zip(&mut topic.partitions) {
                    if found.log.has_open(producer) {
                        let offset = found.log.append_raw(bytes.clone(), 1, found.leader_epoch)?;
                        markers.insert((name.clone(), index), offset);
                    }
                }
            }
            Ok(markers)
        })
    }

    /// Writes a marker into one partition, whether a transaction is open there or not.
    pub fn append_marker(
        &self,
        topic: &str,
        partition: i32,
        producer: i64,
        marker: Marker,
    ) -> Result<i64> {
        self.append_raw(topic, partition, control_batch(marker, producer, now_ms())?, 1)
    }

    /// Removes the records that `keep` does not want, markers included, by their offset, as
    /// compaction does: batches still cover the offsets that they did.
    pub fn compact(
        &self,
        topic: &str,
        partition: i32,
        keep: impl Fn(i64) -> bool,
        empty: EmptyBatches,
    ) -> Result<()> {
        self.change(|state| state.partition_mut(topic, partition)?.log.compact(keep, empty))
    }

    /// Moves the log start to `before`, as retention and DeleteRecords do.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<()> {
        self.change(|state| state.partition_mut(topic, partition)?.log.delete_records(before))
    }

    /// Cuts the log back to end at `to`, as an unclean election does: the same node leads in a new
    /// leader epoch. A batch that covers `to` goes whole.
    pub fn truncate(&self, topic: &str, partition: i32, to: i64) -> Result<()> {
        self.change(|state| {
            let found = state.partition_mut(topic, partition)?;
            found.log.truncate(to)?;
            found.next_epoch();
            Ok(())
        })
    }

    /// Sets the leader epoch of a partition: batches appended from now on carry it.
    pub fn set_leader_epoch(&self, topic: &str, partition: i32, epoch: i32) -> Result<()> {
        self.change(|state| {
            let found = state.partition_mut(topic, partition)?;
            found.leader_epoch = epoch;
            found.log.begin_epoch(epoch);
            Ok(())
        })
    }

    /// Makes `node` lead a partition, or nobody, in a new leader epoch.
    pub fn move_leader(&self, topic: &str, partition: i32, node: Option<i32>) -> Result<()> {
        if let Some(unknown) = node.filter(|node| !self.addresses.contains_key(node)) {
            return Err(BrokerError::UnknownNode(unknown));
        }
        self.change(|state| {
            let found = state.partition_mut(topic, partition)?;
            found.leader = node;
            found.next_epoch();
            Ok(())
        })
    }

    /// The offsets of a partition.
    pub fn offsets(&self, topic: &str, partition: i32) -> Result<Offsets> {
        let state = self.shared.lock();
        let found = state.partition(topic, partition)?;
        Ok(Offsets {
            log_start: found.log.start(),
            last_stable: found.log.last_stable(),
            high_watermark: found.log.end(),
            leader_epoch: found.leader_epoch,
        })
    }
}

/// Milliseconds since 1970, by the real clock: what LogAppendTime and markers carry.
#[expect(clippy::disallowed_methods, reason = "the one clock of this crate, which has no ports")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
