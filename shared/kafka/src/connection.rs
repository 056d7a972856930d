//! One connection to one broker.

use std::fmt;
use std::io::Cursor;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rskafka::messenger::{Messenger, RequestError, SyncVersionsError};
use rskafka::protocol::api_key::ApiKey;
use rskafka::protocol::api_version::{ApiVersion, ApiVersionRange};
use rskafka::protocol::frame::ReadError;
use rskafka::protocol::messages::{
    ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType,
};
use rskafka::protocol::primitives::Int16;
use tidegate_core::error::{Error, Result};
use tidegate_core::spec::KafkaSpec;
use tokio::time::{Instant, sleep_until, timeout};

use crate::gate::{Admitted, Budget, Gate, TooLarge};
use crate::options::{Counters, KafkaOptions};
use crate::requests::Request;
use crate::transport::{self, Endpoint, Stream};

/// Bytes of an answer beside the records that it carries; and of all of one that comes before
/// the broker is known to be one.
const ANSWER_OVERHEAD: usize = 1 << 20;

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection is of no use any more; a new one may be.
    Lost(Error),
    /// The answer is larger than the largest that is taken. The connection is of no use either.
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The broker cannot answer this request at all.
    Unsupported(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(error) | Failure::Unsupported(error) => error,
            Failure::TooLarge { bytes } => Self::unavailable(format!(
                "an answer of {bytes} bytes is larger than any that is taken"
            )),
        }
    }
}

/// A connection. Requests are answered in their order: what is asked behind a fetch waits for
/// that fetch.
pub(crate) struct BrokerConnection {
    endpoint: Endpoint,
    messenger: Messenger<Gate<Stream>>,
    admitted: Arc<Admitted>,
    received: Arc<AtomicU64>,
    counters: Arc<Counters>,
    broken: AtomicBool,
    /// The broker asked to be left alone until then.
    throttled_until: Mutex<Option<Instant>>,
}

impl fmt::Debug for BrokerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConnection").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl BrokerConnection {
    /// Connects, and learns which versions the broker has.
    pub(crate) async fn open(
        spec: &KafkaSpec,
        options: &KafkaOptions,
        (counters, budget): (&Arc<Counters>, &Budget),
        endpoint: &Endpoint,
        within: Duration,
    ) -> Result<Self> {
        let within = within.min(options.connect_timeout);
        let shared = (counters, budget);
        let opened = timeout(within, Self::connect(spec, options, shared, endpoint)).await;
        opened.unwrap_or_else(|_| {
            Err(Error::unavailable(format!(
                "{endpoint} did not answer within {} ms of connecting; is it a Kafka listener \
                 with this kafka.security_protocol?",
                within.as_millis()
            )))
        })
    }

    async fn connect(
        spec: &KafkaSpec,
        options: &KafkaOptions,
        (counters, budget): (&Arc<Counters>, &Budget),
        endpoint: &Endpoint,
    ) -> Result<Self> {
        let received = Arc::new(AtomicU64::new(0));
        counters.connections.fetch_add(1, Ordering::Relaxed);
        let stream = transport::open(spec, endpoint, &received).await?;
        let admitted = Arc::new(Admitted::default());
        admitted.set_max(ANSWER_OVERHEAD);
        let stream = Gate::new(stream, budget.clone(), Arc::clone(&admitted));
        let message_max = options.answer_bytes_max.saturating_add(ANSWER_OVERHEAD);
        let mut messenger = Messenger::new(stream, message_max, Arc::clone(&options.client_id));
        messenger.sync_versions().await.map_err(|error| no_versions(endpoint, error))?;
        admitted.forget();
        admitted.set_max(message_max);
        Ok(Self {
            endpoint: endpoint.clone(),
            messenger,
            admitted,
            received,
            counters: Arc::clone(counters),
            broken: AtomicBool::new(false),
            throttled_until: Mutex::new(None),
        })
    }

    /// Where it leads.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether it must not be used any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Sends a request and waits for its answer: until nothing came in for `quiet`, at most
    /// until `within` has passed. After that, as after any error, the connection is broken,
    /// since the answer may still come.
    pub(crate) async fn request<R: Request>(
        &self,
        request: &R,
        quiet: Duration,
        within: Duration,
    ) -> Result<R::Answer, Failure> {
        let end = Instant::now() + within;
        self.wait_out_throttle(end).await?;
        self.counters.count(R::KEY);
        let answered = self.patiently(self.messenger.request(Wire(request)), quiet, end).await;
        let Some(answered) = answered else {
            self.broken.store(true, Ordering::Relaxed);
            return Err(self.lost(format!("did not answer {:?} in time", R::KEY)));
        };
        let raw = answered.map_err(|error| self.failed(R::KEY, &error))?;
        let body = self.admitted.hold(raw.frame_bytes, raw.body);
        let answer = R::parse(raw.version, body).map_err(|malformed| {
            self.broken.store(true, Ordering::Relaxed);
            let (key, version, why) = (R::KEY, raw.version, malformed.0);
            self.lost(format!("answered {key:?} version {version} with what is none: {why}"))
        })?;
        self.throttle(R::throttle(&answer));
        Ok(answer)
    }

    async fn patiently<T>(
        &self,
        answer: impl Future<Output = T>,
        quiet: Duration,
        end: Instant,
    ) -> Option<T> {
        let mut answer = std::pin::pin!(answer);
        loop {
            let before = self.received.load(Ordering::Relaxed);
            let wait = quiet.min(end.saturating_duration_since(Instant::now()));
            if let Ok(answer) = timeout(wait, answer.as_mut()).await {
                return Some(answer);
            }
            let is_silent = self.received.load(Ordering::Relaxed) == before;
            if Instant::now() >= end || (is_silent && !self.admitted.is_waiting()) {
                return None;
            }
        }
    }

    /// Brokers answer first and throttle then: it is up to the client to wait.
    async fn wait_out_throttle(&self, end: Instant) -> Result<(), Failure> {
        let until = *self.throttled_until.lock().unwrap_or_else(PoisonError::into_inner);
        match until {
            None => Ok(()),
            Some(until) if until > end => {
                Err(self.lost("throttles this client for longer than there is time".to_owned()))
            }
            Some(until) => {
                sleep_until(until).await;
                Ok(())
            }
        }
    }

    fn throttle(&self, millis: i32) {
        let millis = u64::try_from(millis).unwrap_or(0);
        let until = (millis > 0).then(|| Instant::now() + Duration::from_millis(millis));
        let mut throttled = self.throttled_until.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer that was on its way already does not end what another one asked for.
        *throttled = until.max(*throttled);
    }

    fn lost(&self, what: String) -> Failure {
        Failure::Lost(Error::unavailable(format!("{} {what}", self.endpoint)))
    }

    fn failed(&self, key: ApiKey, error: &RequestError) -> Failure {
        self.broken.store(true, Ordering::Relaxed);
        match error {
            RequestError::NoVersionMatch { .. } => {
                self.broken.store(false, Ordering::Relaxed);
                Failure::Unsupported(Error::config(format!(
                    "{} has no version of {key:?} that is spoken here; Kafka 0.11 or later is \
                     needed",
                    self.endpoint
                )))
            }
            RequestError::Poisoned(beneath) => match too_large(beneath) {
                Some(bytes) => Failure::TooLarge { bytes },
                None => self.lost(format!("closed the connection during {key:?}: {beneath}")),
            },
            error => self.lost(format!("could not be asked {key:?}: {error}")),
        }
    }
}

fn too_large(error: &RequestError) -> Option<usize> {
    match error {
        RequestError::ReadFramedMessageError(ReadError::IO(error)) => {
            error.get_ref()?.downcast_ref::<TooLarge>().map(|answer| answer.bytes)
        }
        RequestError::Poisoned(beneath) => too_large(beneath),
        _ => None,
    }
}

fn no_versions(endpoint: &Endpoint, error: SyncVersionsError) -> Error {
    let message = format!(
        "{endpoint} closed the connection or answered nonsense when asked for its versions \
         ({error}); is it a Kafka listener with this kafka.security_protocol?"
    );
    Error::unavailable(message).with_source(error)
}

/// A request as rskafka's messenger wants it.
struct Wire<'a, R>(&'a R);

/// An answer's body as it came, and the version that it is in.
struct Raw {
    version: i16,
    body: Bytes,
    /// Bytes of the body and of the header before it.
    frame_bytes: usize,
}

impl<R: Request> RequestBody for Wire<'_, R> {
    type ResponseBody = Raw;
    const API_KEY: ApiKey = R::KEY;
    const API_VERSION_RANGE: ApiVersionRange =
        ApiVersionRange::new(ApiVersion(Int16(R::VERSIONS.0)), ApiVersion(Int16(R::VERSIONS.1)));
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = ApiVersion(Int16(R::FIRST_FLEXIBLE));
}

impl<R: Request> WriteVersionedType<Vec<u8>> for Wire<'_, R> {
    fn write_versioned(
        &self,
        writer: &mut Vec<u8>,
        version: ApiVersion,
    ) -> Result<(), WriteVersionedError> {
        self.0.encode(version.0.0, writer);
        Ok(())
    }
}

impl ReadVersionedType<Cursor<Vec<u8>>> for Raw {
    /// Takes the frame's buffer instead of a copy. The position goes back to 0 of an empty
    /// buffer, so that the messenger finds nothing left to be read.
    fn read_versioned(
        reader: &mut Cursor<Vec<u8>>,
        version: ApiVersion,
    ) -> Result<Self, ReadVersionedError> {
        let at = usize::try_from(reader.position()).unwrap_or(usize::MAX);
        reader.set_position(0);
        let frame = Bytes::from(std::mem::take(reader.get_mut()));
        let body = frame.slice(at.min(frame.len())..);
        Ok(Self { version: version.0.0, body, frame_bytes: frame.len() })
    }
}
