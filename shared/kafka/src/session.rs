//! The connections of one call: one per broker, opened when needed, none kept for the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_core::error::{Error, ErrorKind, Result};
use tidegate_core::spec::KafkaSpec;
use tidegate_core::time::Deadline;

use crate::clock::{backoff, remaining};
use crate::connection::{BrokerConnection, Failure};
use crate::gate::Budget;
use crate::options::{Counters, KafkaOptions};
use crate::requests::{Metadata, MetadataAnswer, Request};
use crate::transport::Endpoint;

/// What all sessions of a source have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) spec: KafkaSpec,
    pub(crate) bootstrap: Vec<Endpoint>,
    pub(crate) options: KafkaOptions,
    pub(crate) counters: Arc<Counters>,
    /// For the answers that all sessions hold together.
    pub(crate) budget: Budget,
}

/// A cluster, as one call sees it. A process that slept between two calls meets no connection
/// and no leader of yesterday.
#[derive(Debug)]
pub(crate) struct Session {
    shared: Arc<Shared>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    nodes: HashMap<i32, Endpoint>,
    connections: HashMap<Endpoint, Arc<BrokerConnection>>,
}

impl Session {
    /// A session that knows nothing but the bootstrap servers.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, known: Mutex::new(Known::default()) }
    }

    /// How the client behaves.
    pub(crate) fn options(&self) -> &KafkaOptions {
        &self.shared.options
    }

    /// How to reach Kafka.
    pub(crate) fn spec(&self) -> &KafkaSpec {
        &self.shared.spec
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the broker `node`.
    pub(crate) async fn ask<R: Request>(
        &self,
        node: i32,
        request: &R,
        quiet: Duration,
        within: Duration,
    ) -> Result<R::Answer, Failure> {
        let endpoint = self.known().nodes.get(&node).cloned().ok_or_else(|| {
            Failure::Lost(Error::unavailable(format!("the cluster has no broker {node}")))
        })?;
        self.ask_at(&endpoint, request, quiet, within).await
    }

    async fn ask_at<R: Request>(
        &self,
        endpoint: &Endpoint,
        request: &R,
        quiet: Duration,
        within: Duration,
    ) -> Result<R::Answer, Failure> {
        let end = tokio::time::Instant::now() + within;
        let connection = self.connection(endpoint, within).await.map_err(Failure::Lost)?;
        let within = end.saturating_duration_since(tokio::time::Instant::now());
        let answer = connection.request(request, quiet, within).await;
        if connection.is_broken() {
            self.known().connections.retain(|_, other| !Arc::ptr_eq(other, &connection));
        }
        answer
    }

    async fn connection(
        &self,
        endpoint: &Endpoint,
        within: Duration,
    ) -> Result<Arc<BrokerConnection>> {
        if let Some(connection) = self.known().connections.get(endpoint) {
            return Ok(Arc::clone(connection));
        }
        let Shared { spec, options, counters, budget, .. } = self.shared.as_ref();
        let shared = (counters, budget);
        let opened = BrokerConnection::open(spec, options, shared, endpoint, within).await?;
        tracing::debug!(endpoint = %opened.endpoint(), "connected");
        let opened = Arc::new(opened);
        self.known().connections.insert(endpoint.clone(), Arc::clone(&opened));
        Ok(opened)
    }

    /// Asks whichever broker answers for metadata, and learns where the brokers listen. Each is
    /// tried once.
    pub(crate) async fn metadata(
        &self,
        request: &Metadata,
        deadline: Deadline,
    ) -> Result<MetadataAnswer> {
        let mut last = Error::unavailable("there is no time left to ask for metadata");
        for endpoint in self.candidates() {
            let (quiet, within) = (self.options().request_timeout, remaining(deadline));
            if within.is_zero() {
                break;
            }
            match self.ask_at(&endpoint, request, quiet, within).await {
                Ok(answer) => {
                    self.learn(&answer);
                    return Ok(answer);
                }
                Err(failure) => {
                    let error = Error::from(failure);
                    if error.kind() != ErrorKind::Unavailable {
                        return Err(error);
                    }
                    tracing::debug!(%endpoint, %error, "no metadata");
                    last = error;
                }
            }
        }
        Err(last)
    }

    /// [`Self::metadata`], again and again until somebody answers: at most for `retry_for`.
    pub(crate) async fn metadata_persistently(
        &self,
        request: &Metadata,
        deadline: Deadline,
    ) -> Result<MetadataAnswer> {
        let give_up = Deadline(crate::clock::now().after(self.options().retry_for)).min(deadline);
        let mut failures = 0;
        loop {
            let error = match self.metadata(request, give_up).await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.kind() != ErrorKind::Unavailable => return Err(error),
                Err(error) => error,
            };
            failures += 1;
            let wait = backoff(failures);
            if wait >= remaining(give_up) {
                let servers = &self.shared.spec.bootstrap_servers;
                return Err(error.while_doing(format!("reach Kafka at {}", servers.join(", "))));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Open connections first, then brokers that are known, then the bootstrap servers.
    fn candidates(&self) -> Vec<Endpoint> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let known = self.known();
        let all =
            known.connections.keys().chain(known.nodes.values()).chain(&self.shared.bootstrap);
        for endpoint in all {
            if !endpoints.contains(endpoint) {
                endpoints.push(endpoint.clone());
            }
        }
        endpoints
    }

    fn learn(&self, answer: &MetadataAnswer) {
        let nodes = answer
            .brokers
            .iter()
            .map(|(node, host, port)| (*node, Endpoint { host: host.clone(), port: *port }));
        self.known().nodes = nodes.collect();
    }
}
