use std::sync::{Arc, Mutex};

use tidegate_core::error::{Error, Result};
use tidegate_core::ports::{FetchSlice, LogSource, Observation, ObserveRequest};
use tidegate_core::spec::KafkaSpec;
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::Isolation;

use crate::clock::remaining;
use crate::fetch::KafkaFetch;
use crate::gate::Budget;
use crate::observe;
use crate::options::{Counters, KafkaOptions, RequestCounts};
use crate::secrets::Secrets;
use crate::security::{self, SecurityOnce};
use crate::session::{Session, Shared};
use crate::transport::Endpoint;

/// Requests of an observation end so long before its deadline, to leave time for the answer.
const MARGIN_MILLIS: i64 = 50;

/// Kafka as a [`LogSource`]. Each call opens its own connections, one per broker, and closes
/// them at its end.
#[derive(Clone, Debug)]
pub struct KafkaSource {
    shared: Arc<Shared>,
}

impl KafkaSource {
    /// A source for the cluster of `config`. Connects to nothing yet, and reads no secret: that
    /// is done for the first connection, by [`crate::read_secret`]. `Config` where the spec asks
    /// for what is not supported.
    pub fn new(config: &KafkaSpec, options: KafkaOptions) -> Result<Self> {
        Self::with_secrets(config, options, Secrets::default())
    }

    /// The same for a process that reads secrets in a way of its own.
    pub fn with_secrets(
        config: &KafkaSpec,
        options: KafkaOptions,
        secrets: Secrets,
    ) -> Result<Self> {
        security::check(config, &secrets)?;
        let bootstrap = config.bootstrap_servers.iter().map(|text| Endpoint::parse(text));
        let bootstrap = bootstrap.collect::<Result<Vec<_>>>()?;
        if bootstrap.is_empty() {
            return Err(Error::config("kafka.bootstrap_servers: at least one is needed"));
        }
        let counters = Arc::new(Counters::default());
        let security = SecurityOnce::default();
        let (spec, answered) = (config.clone(), Mutex::default());
        let budget = Budget::new(options.answers_bytes);
        let shared =
            Shared { spec, bootstrap, options, counters, budget, secrets, security, answered };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How many requests were sent so far.
    pub fn requests(&self) -> RequestCounts {
        self.shared.counters.read()
    }

    fn session(&self) -> Arc<Session> {
        Arc::new(Session::new(Arc::clone(&self.shared)))
    }
}

impl LogSource for KafkaSource {
    type Fetch = KafkaFetch;

    async fn observe(&self, request: &ObserveRequest, deadline: Deadline) -> Result<Observation> {
        let session = self.session();
        // What some brokers answered counts, although others did not in time.
        let inner = Deadline(Millis(deadline.0.0.saturating_sub(MARGIN_MILLIS)));
        let observed = Box::pin(observe::observe(&session, request, inner));
        let out_of_time =
            |_| Err(Error::out_of_time("the cluster was not observed by the deadline"));
        tokio::time::timeout(remaining(deadline), observed).await.unwrap_or_else(out_of_time)
    }

    async fn fetch(
        &self,
        slices: &[FetchSlice],
        isolation: Isolation,
        deadline: Deadline,
    ) -> Result<KafkaFetch> {
        let opened = Box::pin(KafkaFetch::open(self.session(), slices, isolation, deadline));
        let out_of_time = |_| Err(Error::out_of_time("the fetch was not begun by the deadline"));
        tokio::time::timeout(remaining(deadline), opened).await.unwrap_or_else(out_of_time)
    }
}
