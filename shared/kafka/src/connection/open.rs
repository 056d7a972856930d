//! From an address to a connection on which requests may be sent.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rskafka::messenger::Messenger;
use tidegate_core::error::{Error, Result};
use tokio::time::{Instant, timeout, timeout_at};

use super::channel::{Broken, Channel};
use super::explain::{Stage, explain};
use super::{ANSWER_OVERHEAD, BrokerConnection};
use crate::gate::{Admitted, Budget, Gate};
use crate::login::log_in;
use crate::options::{Counters, KafkaOptions};
use crate::security::{Security, Tls};
use crate::transport::{self, Endpoint};
use crate::versions;

/// How long it is looked into why a listener closed a connection.
const EXPLAIN_WITHIN: Duration = Duration::from_secs(3);

/// What all connections of a source are opened with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) options: &'a KafkaOptions,
    pub(crate) counters: &'a Arc<Counters>,
    pub(crate) budget: &'a Budget,
    pub(crate) security: &'a Security,
}

impl Opening<'_> {
    /// Connects to `endpoint`, learns which versions it has, and logs in. `Unavailable` if
    /// trying again may help; `Denied` or `Config` if only a change of the spec, of its secrets or
    /// of the broker does.
    pub(crate) async fn open(
        &self,
        endpoint: &Endpoint,
        within: Duration,
    ) -> Result<BrokerConnection> {
        let within = within.min(self.options.connect_timeout);
        let end = Instant::now() + within;
        let opened = timeout_at(end, Box::pin(self.connect(endpoint))).await;
        let (stage, broken) = match opened {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(failed)) => failed,
            Err(_) => {
                return Err(Error::unavailable(format!(
                    "{endpoint} did not answer within {} ms of connecting; is it a Kafka listener \
                     with this kafka.security_protocol?",
                    within.as_millis()
                )));
            }
        };
        match broken {
            Broken::Known(error) => Err(error),
            Broken::Closed(error) => {
                let left = end.saturating_duration_since(Instant::now());
                Err(self.explain(endpoint, stage, left).await.unwrap_or(error))
            }
        }
    }

    /// Why `endpoint` closed the connection at `stage`, if that can be found out.
    pub(crate) async fn explain(
        &self,
        endpoint: &Endpoint,
        stage: Stage,
        within: Duration,
    ) -> Option<Error> {
        let within = within.min(EXPLAIN_WITHIN);
        timeout(within, Box::pin(explain(self, endpoint, stage))).await.ok().flatten()
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<BrokerConnection, (Stage, Broken)> {
        let received = Arc::new(AtomicU64::new(0));
        let security = self.security;
        let channel = self.channel(endpoint, security.tls.as_ref(), &received).await;
        let mut channel = channel.map_err(|broken| (Stage::Tls, broken))?;
        let ranges = channel.learn_versions().await.map_err(|broken| (Stage::Versions, broken))?;
        versions::check(endpoint, &ranges, security.login.is_some())
            .map_err(|error| (Stage::Versions, error.into()))?;
        if let Some(login) = &security.login {
            log_in(&channel, login).await.map_err(|broken| (Stage::Login, broken))?;
        }
        let (messenger, admitted) = channel.into_parts();
        admitted.forget();
        admitted.set_max(self.answer_max());
        Ok(BrokerConnection {
            endpoint: endpoint.clone(),
            messenger,
            admitted,
            received,
            counters: Arc::clone(self.counters),
            broken: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            closed_at_once: AtomicBool::new(false),
            throttled_until: Mutex::new(None),
        })
    }

    /// The largest answer that is taken, with what is beside its records.
    fn answer_max(&self) -> usize {
        self.options.answer_bytes_max.saturating_add(ANSWER_OVERHEAD)
    }

    /// A stream to `endpoint`, with a messenger on it. Until it is known to be a broker's, it takes
    /// small answers only.
    pub(super) async fn channel<'a>(
        &self,
        endpoint: &'a Endpoint,
        tls: Option<&'a Tls>,
        received: &Arc<AtomicU64>,
    ) -> Result<Channel<'a>, Broken> {
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let stream = transport::open(endpoint, tls, received).await?;
        let admitted = Arc::new(Admitted::default());
        admitted.set_max(ANSWER_OVERHEAD);
        let stream = Gate::new(stream, self.budget.clone(), Arc::clone(&admitted));
        let client_id = Arc::clone(&self.options.client_id);
        let messenger = Messenger::new(stream, self.answer_max(), client_id);
        Ok(Channel::new(messenger, admitted, endpoint, tls))
    }
}
