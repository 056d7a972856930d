//! The connections of one call: one per broker, opened when needed, none kept for the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tidegate_core::error::{Error, ErrorKind, Result};
use tidegate_core::spec::KafkaSpec;
use tidegate_core::time::Deadline;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::clock::{backoff, remaining};
use crate::connection::{BrokerConnection, Failure, Opening, Stage};
use crate::gate::Budget;
use crate::options::{Counters, KafkaOptions};
use crate::requests::{Metadata, MetadataAnswer, Request};
use crate::secrets::Secrets;
use crate::security::{Security, SecurityOnce};
use crate::transport::Endpoint;

/// A broker that has not answered for so long is left to it, and the next one is asked as well.
const NEXT_AFTER: Duration = Duration::from_secs(2);

/// What all sessions of a source have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) spec: KafkaSpec,
    pub(crate) bootstrap: Vec<Endpoint>,
    pub(crate) options: KafkaOptions,
    pub(crate) counters: Arc<Counters>,
    /// For the answers that all sessions hold together.
    pub(crate) budget: Budget,
    pub(crate) secrets: Secrets,
    pub(crate) security: SecurityOnce,
    /// The bootstrap server that answered last: the next session asks it first, so that others
    /// that are silent cost their wait but once.
    pub(crate) answered: Mutex<Option<Endpoint>>,
}

impl Shared {
    fn answered(&self) -> MutexGuard<'_, Option<Endpoint>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secrets, read within a time.
    async fn security(&self, within: Duration) -> Result<Arc<Security>> {
        let within = within.min(self.options.connect_timeout);
        let read = timeout(within, self.security.get(&self.spec, &self.secrets)).await;
        read.unwrap_or_else(|_| Err(Error::unavailable("the spec's secrets were not read in time")))
    }

    fn opening<'a>(&'a self, security: &'a Security) -> Opening<'a> {
        Opening { options: &self.options, counters: &self.counters, budget: &self.budget, security }
    }
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

    /// See [`Budget::keep_large_out`].
    pub(crate) fn keep_large_out(&self, row_bytes: u64) -> Option<OwnedSemaphorePermit> {
        self.shared.budget.keep_large_out(row_bytes)
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
        let end = Instant::now() + within;
        let left = || end.saturating_duration_since(Instant::now());
        let connection = self.connection(endpoint, within).await.map_err(Failure::of_opening)?;
        let answer = connection.request(request, quiet, left()).await;
        if connection.is_broken() {
            self.known().connections.retain(|_, other| !Arc::ptr_eq(other, &connection));
        }
        if connection.was_closed_at_once()
            && let Ok(security) = self.shared.security(left()).await
            && let Some(error) =
                self.shared.opening(&security).explain(endpoint, Stage::Requests, left()).await
        {
            return Err(Failure::Refused(error));
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
        let security = self.shared.security(within).await?;
        let opened = self.shared.opening(&security).open(endpoint, within).await;
        if opened.as_ref().is_err_and(|error| error.kind() != ErrorKind::Unavailable) {
            self.shared.security.forget(&security).await;
        }
        let opened = opened?;
        tracing::debug!(endpoint = %opened.endpoint(), "connected");
        let opened = Arc::new(opened);
        self.known().connections.insert(endpoint.clone(), Arc::clone(&opened));
        Ok(opened)
    }

    /// Asks whichever broker answers for metadata, and learns where the brokers listen. Each is
    /// tried once, the next one when the one before failed or is slow.
    pub(crate) async fn metadata(
        &self,
        request: &Metadata,
        deadline: Deadline,
    ) -> Result<MetadataAnswer> {
        let mut last = Error::unavailable("there is no time left to ask for metadata");
        let mut candidates = self.candidates().into_iter();
        let mut asked = FuturesUnordered::new();
        loop {
            match candidates.next() {
                Some(endpoint) if !remaining(deadline).is_zero() => {
                    asked.push(self.metadata_of(endpoint, request, deadline));
                }
                _ if asked.is_empty() => return Err(last),
                _ => {}
            }
            let wait = if candidates.len() == 0 { Duration::MAX } else { NEXT_AFTER };
            match timeout(wait, asked.next()).await {
                Ok(Some(Ok((endpoint, answer)))) => {
                    self.learn(&answer);
                    if self.shared.bootstrap.contains(&endpoint) {
                        *self.shared.answered() = Some(endpoint);
                    }
                    return Ok(answer);
                }
                Ok(Some(Err(error))) if error.kind() != ErrorKind::Unavailable => {
                    return Err(error);
                }
                Ok(Some(Err(error))) => last = error,
                Ok(None) | Err(_) => {}
            }
        }
    }

    async fn metadata_of(
        &self,
        endpoint: Endpoint,
        request: &Metadata,
        deadline: Deadline,
    ) -> Result<(Endpoint, MetadataAnswer)> {
        let (quiet, within) = (self.options().request_timeout, remaining(deadline));
        let answer = Box::pin(self.ask_at(&endpoint, request, quiet, within)).await;
        match answer {
            Ok(answer) => Ok((endpoint, answer)),
            Err(failure) => {
                let error = Error::from(failure);
                tracing::debug!(%endpoint, %error, "no metadata");
                Err(error)
            }
        }
    }

    /// [`Self::metadata`], again and again until somebody answers. After `patience` no more
    /// tries are begun.
    pub(crate) async fn metadata_persistently(
        &self,
        request: &Metadata,
        patience: Duration,
        deadline: Deadline,
    ) -> Result<MetadataAnswer> {
        let give_up = Deadline(crate::clock::now().after(patience)).min(deadline);
        // The first try may take its time: who is slow is not away.
        let mut end = deadline;
        let mut failures = 0;
        loop {
            let error = match self.metadata(request, end).await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.kind() != ErrorKind::Unavailable => return Err(error),
                Err(error) => error,
            };
            end = give_up;
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
        let answered = self.shared.answered();
        let known = known.connections.keys().chain(known.nodes.values());
        let all = known.chain(answered.as_ref()).chain(&self.shared.bootstrap);
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
