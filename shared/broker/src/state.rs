//! The cluster as all nodes see it: topics, partitions and who leads them.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::error::BrokerError;
use crate::log::{Log, TimestampType};
use crate::protocol::{Api, codes};
use crate::request::RequestLog;
use crate::script::Script;

/// The longest topic name Kafka takes.
const TOPIC_NAME_MAX: usize = 249;

/// How a topic is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// How many partitions. Partition p is led by the node p modulo their number.
    pub partitions: i32,
    /// Who sets the timestamps.
    pub timestamp_type: TimestampType,
    /// Whether Metadata says that the topic is Kafka's own.
    pub internal: bool,
    /// A segment that would become larger than these bytes is closed; no answer crosses its end.
    pub segment_bytes: usize,
}

impl Default for TopicConfig {
    /// One partition, CreateTime, segments of 1 GiB.
    fn default() -> Self {
        Self {
            partitions: 1,
            timestamp_type: TimestampType::CreateTime,
            internal: false,
            segment_bytes: 1 << 30,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Partition {
    /// The node that leads; none: offline.
    pub(crate) leader: Option<i32>,
    pub(crate) leader_epoch: i32,
    pub(crate) log: Log,
}

impl Partition {
    /// A leader is elected.
    pub(crate) fn next_epoch(&mut self) {
        self.leader_epoch = self.leader_epoch.saturating_add(1);
        self.log.begin_epoch(self.leader_epoch);
    }
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: [u8; 16],
    pub(crate) internal: bool,
    pub(crate) partitions: Vec<Partition>,
    config: TopicConfig,
}

impl Topic {
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get(index))
    }

    fn add_partitions(&mut self, nodes: &BTreeMap<i32, u16>) {
        for index in self.partitions.len()..usize::try_from(self.config.partitions).unwrap_or(0) {
            let leader = nodes.keys().nth(index % nodes.len().max(1)).copied();
            let log = Log::new(self.config.timestamp_type, self.config.segment_bytes, 0);
            self.partitions.push(Partition { leader, leader_epoch: 0, log });
        }
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) cluster_id: String,
    /// Node id and port. All are on 127.0.0.1, and stay listed while they are down.
    pub(crate) nodes: BTreeMap<i32, u16>,
    pub(crate) down: BTreeSet<i32>,
    pub(crate) topics: BTreeMap<String, Topic>,
    /// Versions answered, where they are not the usual ones.
    pub(crate) versions: BTreeMap<Api, (i16, i16)>,
    pub(crate) cut_tail: bool,
    pub(crate) script: Script,
    pub(crate) requests: RequestLog,
    /// How many connections there were.
    connections: u64,
}

impl State {
    pub(crate) fn new(nodes: BTreeMap<i32, u16>) -> Self {
        Self {
            cluster_id: format!("{:022x}", u128::from_be_bytes(random_id()) >> 40),
            nodes,
            down: BTreeSet::new(),
            topics: BTreeMap::new(),
            versions: BTreeMap::new(),
            cut_tail: false,
            script: Script::default(),
            requests: RequestLog::default(),
            connections: 0,
        }
    }

    /// The number of a new connection.
    pub(crate) fn next_connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// The versions of `api` that are answered, both ends included.
    pub(crate) fn versions(&self, api: Api) -> (i16, i16) {
        self.versions.get(&api).copied().unwrap_or(api.versions())
    }

    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        config: TopicConfig,
    ) -> Result<[u8; 16], BrokerError> {
        if !is_topic_name(name) {
            return Err(BrokerError::InvalidTopic(format!(
                "{name:?} is no topic name: 1 to {TOPIC_NAME_MAX} characters of a-z, A-Z, 0-9, \
                 '.', '_' and '-', but not \".\" or \"..\""
            )));
        }
        if config.partitions < 1 {
            let why = format!("a topic has one partition at least, not {}", config.partitions);
            return Err(BrokerError::InvalidTopic(why));
        }
        if self.topics.contains_key(name) {
            return Err(BrokerError::TopicExists(name.to_owned()));
        }
        let (id, internal) = (random_id(), config.internal);
        let mut topic = Topic { id, internal, partitions: Vec::new(), config };
        topic.add_partitions(&self.nodes);
        self.topics.insert(name.to_owned(), topic);
        Ok(id)
    }

    /// Adds partitions until the topic has `partitions`.
    pub(crate) fn grow_topic(&mut self, name: &str, partitions: i32) -> Result<(), BrokerError> {
        let topic =
            self.topics.get_mut(name).ok_or_else(|| BrokerError::UnknownTopic(name.to_owned()))?;
        topic.config.partitions = partitions.max(topic.config.partitions);
        topic.add_partitions(&self.nodes);
        Ok(())
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Result<&Partition, BrokerError> {
        self.topics
            .get(topic)
            .and_then(|found| found.partition(partition))
            .ok_or_else(|| BrokerError::UnknownPartition(topic.to_owned(), partition))
    }

    pub(crate) fn partition_mut(
        &mut self,
        topic: &str,
        partition: i32,
    ) -> Result<&mut Partition, BrokerError> {
        let index = usize::try_from(partition).ok();
        self.topics
            .get_mut(topic)
            .zip(index)
            .and_then(|(found, index)| found.partitions.get_mut(index))
            .ok_or_else(|| BrokerError::UnknownPartition(topic.to_owned(), partition))
    }

    /// The partition, if `node` leads it and the asker's idea of its leader epoch (−1: none) is
    /// right; else the error code of the answer.
    pub(crate) fn led_by(
        &self,
        node: i32,
        topic: &str,
        partition: i32,
        epoch: i32,
    ) -> Result<&Partition, i16> {
        let found =
            self.partition(topic, partition).map_err(|_| codes::UNKNOWN_TOPIC_OR_PARTITION)?;
        if found.leader != Some(node) {
            return Err(codes::NOT_LEADER_OR_FOLLOWER);
        }
        match epoch {
            ..0 => Ok(found),
            epoch if epoch < found.leader_epoch => Err(codes::FENCED_LEADER_EPOCH),
            epoch if epoch > found.leader_epoch => Err(codes::UNKNOWN_LEADER_EPOCH),
            _ => Ok(found),
        }
    }
}

/// What the nodes and the handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Tells waiting fetches that something changed.
    pub(crate) changed: Notify,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// The state. Never held across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A test's closure that panicked while it was held left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether Kafka would take the name.
pub(crate) fn is_topic_name(name: &str) -> bool {
    (1..=TOPIC_NAME_MAX).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// A random (version 4) UUID. Each `RandomState` has other keys: enough to tell topics apart.
fn random_id() -> [u8; 16] {
    let half = || RandomState::new().hash_one(0u8);
    let bits = (u128::from(half()) << 64) | u128::from(half());
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    bits.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_ids_are_random_uuids() {
        let ids: BTreeSet<_> = (0..1000).map(|_| random_id()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id[6] >> 4 == 4 && id[8] >> 6 == 2));
    }

    #[test]
    fn topic_names_are_kafkas() {
        for good in ["rides", "a.b-c_D9", &"x".repeat(249)] {
            assert!(is_topic_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "ä", "a b", &"x".repeat(250)] {
            assert!(!is_topic_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_wrong_leader_or_epoch_is_told() {
        let mut state = State::new([(1, 0), (2, 0)].into());
        let config = TopicConfig { partitions: 2, ..TopicConfig::default() };
        state.create_topic("t", config).expect("new");
        state.partition_mut("t", 1).expect("it is there").leader_epoch = 5;
        let ask = |node, topic, partition, epoch| {
            state.led_by(node, topic, partition, epoch).map(|found| found.leader_epoch)
        };
        assert_eq!(ask(2, "t", 1, -1), Ok(5));
        assert_eq!(ask(2, "t", 1, 5), Ok(5));
        assert_eq!(ask(2, "t", 1, 4), Err(codes::FENCED_LEADER_EPOCH));
        assert_eq!(ask(2, "t", 1, 6), Err(codes::UNKNOWN_LEADER_EPOCH));
        assert_eq!(ask(1, "t", 1, -1), Err(codes::NOT_LEADER_OR_FOLLOWER));
        assert_eq!(ask(1, "t", 2, -1), Err(codes::UNKNOWN_TOPIC_OR_PARTITION));
        assert_eq!(ask(1, "u", 0, -1), Err(codes::UNKNOWN_TOPIC_OR_PARTITION));
    }
}
