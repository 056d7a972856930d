//! A model of Kafka's topics: what stands in each log, and what ever stood there. It is also
//! the truth that the invariants are judged by.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_core::words::{Isolation, TopicId};

mod log;
mod record;

pub(crate) use log::BatchRead;
pub use log::{Log, Slot, SlotKind};
pub use record::Identity;

/// The cluster.
#[derive(Clone, Debug, Default)]
pub struct Kafka {
    topics: BTreeMap<Arc<str>, Topic>,
    /// Topics that were deleted.
    deleted: Vec<Topic>,
    topics_made: u8,
    records_made: u64,
}

/// One incarnation of a topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// Its partitions, by index.
    pub partitions: Vec<Log>,
}

impl Kafka {
    /// Creates a topic, or deletes it and creates it anew: with another id.
    pub fn create_topic(&mut self, name: &str, partitions: usize) {
        self.topics_made += 1;
        let topic = Topic {
            id: TopicId([self.topics_made; 16]),
            partitions: vec![Log::default(); partitions],
        };
        self.deleted.extend(self.topics.insert(name.into(), topic));
    }

    /// Deletes a topic.
    pub fn delete_topic(&mut self, name: &str) {
        self.deleted.extend(self.topics.remove(name));
    }

    /// Adds a partition to a topic.
    pub fn add_partition(&mut self, name: &str) {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.partitions.push(Log::default());
        }
    }

    /// The topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = (&Arc<str>, &Topic)> {
        self.topics.iter()
    }

    /// The topic that has this name now.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// A partition of the topic that has this name now.
    pub fn log(&self, name: &str, partition: i32) -> Option<&Log> {
        self.topic(name)?.partitions.get(usize::try_from(partition).ok()?)
    }

    /// The same, to be changed.
    pub fn log_mut(&mut self, name: &str, partition: i32) -> Option<&mut Log> {
        self.topics.get_mut(name)?.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// A partition by its topic's id, though the topic be deleted.
    pub fn log_by_id(&self, id: TopicId, partition: i32) -> Option<&Log> {
        let topic = self.topics.values().chain(&self.deleted).find(|topic| topic.id == id)?;
        topic.partitions.get(usize::try_from(partition).ok()?)
    }

    /// Appends a record at the time `time`; `transaction` is the producer of an open one.
    pub fn produce(&mut self, name: &str, partition: i32, time: i64, transaction: Option<u64>) {
        self.records_made += 1;
        let seq = self.records_made;
        if let Some(log) = self.log_mut(name, partition) {
            log.append(seq, time, transaction);
        }
    }

    /// The offset up to which a reader may read.
    pub fn end_of(log: &Log, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadCommitted => log.last_stable(),
            Isolation::ReadUncommitted => log.high_watermark(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_created_anew_has_another_id_and_the_old_log_is_remembered() {
        let mut kafka = Kafka::default();
        kafka.create_topic("a", 1);
        let old = kafka.topic("a").expect("created").id;
        kafka.produce("a", 0, 5, None);
        kafka.create_topic("a", 1);
        let new = kafka.topic("a").expect("created").id;
        assert_ne!(old, new);
        assert_eq!(kafka.log("a", 0).map(Log::high_watermark), Some(0));
        assert_eq!(kafka.log_by_id(old, 0).map(Log::high_watermark), Some(1));
    }
}
