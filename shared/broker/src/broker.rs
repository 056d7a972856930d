//! The handle by which tests and the demo drive the broker.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::batch::{BatchSpec, Marker, control_batch};
use crate::error::BrokerError;
use crate::log::EmptyBatches;
use crate::protocol::Api;
use crate::request::Request;
use crate::script::Rule;
use crate::server;
use crate::state::{Shared, State, TopicConfig};

type Result<T> = std::result::Result<T, BrokerError>;

/// A cluster of one or more nodes in this process, all on free ports of 127.0.0.1, numbered from
/// 1. Dropping it closes listeners and connections.
#[derive(Debug)]
pub struct Broker {
    shared: Arc<Shared>,
    addresses: BTreeMap<i32, SocketAddr>,
    /// The tasks of each node that is up: one, which owns those of its connections.
    tasks: Mutex<BTreeMap<i32, JoinSet<()>>>,
}

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
    /// Starts a cluster of one node. Needs a running tokio runtime, which it must not outlive.
    pub async fn start() -> Result<Self> {
        Self::start_nodes(1).await
    }

    /// Starts a cluster of `nodes` nodes, at least one.
    pub async fn start_nodes(nodes: i32) -> Result<Self> {
        let mut listeners = BTreeMap::new();
        for node in 1..=nodes.max(1) {
            listeners.insert(node, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        }
        let mut addresses = BTreeMap::new();
        for (node, listener) in &listeners {
            addresses.insert(*node, listener.local_addr()?);
        }
        let ports = addresses.iter().map(|(node, address)| (*node, address.port())).collect();
        let shared = Arc::new(Shared::new(State::new(ports)));
        let broker = Self { shared, addresses, tasks: Mutex::default() };
        for (node, listener) in listeners {
            broker.serve(node, listener);
        }
        Ok(broker)
    }

    fn serve(&self, node: i32, listener: TcpListener) {
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&self.shared), node));
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(node, tasks);
    }

    /// Address of the first node: what a client is given to begin with.
    pub fn addr(&self) -> SocketAddr {
        let first = self.addresses.values().next();
        *first.expect("a cluster has one node at least")
    }

    /// Addresses of all nodes, by their id.
    pub fn addrs(&self) -> &BTreeMap<i32, SocketAddr> {
        &self.addresses
    }

    /// Closes all listeners and connections.
    pub async fn stop(self) {
        let nodes: Vec<i32> = self.addresses.keys().copied().collect();
        for node in nodes {
            self.end(node).await;
        }
    }

    /// Closes listener and connections of one node. Partitions that it leads have no leader
    /// until it is back, or another one is made it ([`Broker::move_leader`]).
    pub async fn stop_node(&self, node: i32) -> Result<()> {
        self.addresses.get(&node).ok_or(BrokerError::UnknownNode(node))?;
        self.end(node).await;
        self.shared.lock().down.insert(node);
        Ok(())
    }

    /// Starts a node again, at its old address.
    pub async fn start_node(&self, node: i32) -> Result<()> {
        let address = self.addresses.get(&node).ok_or(BrokerError::UnknownNode(node))?;
        self.end(node).await;
        self.serve(node, TcpListener::bind(address).await?);
        self.shared.lock().down.remove(&node);
        Ok(())
    }

    async fn end(&self, node: i32) {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).remove(&node);
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }

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

    /// Cuts the log back to end at `to`, as an unclean election does; the leader epoch stays.
    pub fn truncate(&self, topic: &str, partition: i32, to: i64) -> Result<()> {
        self.change(|state| state.partition_mut(topic, partition)?.log.truncate(to))
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
            found.leader_epoch = found.leader_epoch.saturating_add(1);
            found.log.begin_epoch(found.leader_epoch);
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

    /// Whether a fetch's room is filled with the front of a batch that does not fit, as brokers
    /// do that send from disk. At first it is not.
    pub fn set_cut_tail(&self, cut_tail: bool) {
        self.shared.lock().cut_tail = cut_tail;
    }

    /// Answers only these versions of `api`, both ends included, from now on.
    pub fn set_versions(&self, api: Api, min: i16, max: i16) {
        self.shared.lock().versions.insert(api, (min, max));
    }

    /// Sets the cluster's id, which is random at first.
    pub fn set_cluster_id(&self, id: &str) {
        id.clone_into(&mut self.shared.lock().cluster_id);
    }

    /// Adds a rule: the first one that applies to a request answers it.
    pub fn script(&self, rule: Rule) {
        self.shared.lock().script.add(rule);
    }

    /// Forgets all rules.
    pub fn clear_script(&self) {
        self.shared.lock().script.clear();
    }

    /// The requests received, the oldest first: the newest 10,000.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.shared.lock().requests.newest()
    }

    /// How many requests of `api` were received.
    pub fn count(&self, api: Api) -> u64 {
        self.shared.lock().requests.count(api)
    }

    /// Forgets the requests received, counts included.
    pub fn clear_requests(&self) {
        self.shared.lock().requests = crate::request::RequestLog::default();
    }

    /// Changes the state, and tells the fetches that wait.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let changed = change(&mut self.shared.lock())?;
        self.shared.changed.notify_waiters();
        Ok(changed)
    }
}

/// Milliseconds since 1970, by the real clock: what LogAppendTime and markers carry.
#[expect(clippy::disallowed_methods, reason = "the one clock of this crate, which has no ports")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
