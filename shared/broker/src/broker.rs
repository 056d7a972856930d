//! The handle by which tests and the demo drive the broker: its nodes, scripts and settings.

mod topics;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::error::BrokerError;
use crate::protocol::Api;
use crate::request::{Request, RequestLog};
use crate::script::Rule;
use crate::server;
use crate::state::{Shared, State};

pub use topics::Offsets;

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
        self.shared.lock().requests = RequestLog::default();
    }

    /// Changes the state, and tells the fetches that wait.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let changed = change(&mut self.shared.lock())?;
        self.shared.changed.notify_waiters();
        Ok(changed)
    }
}
