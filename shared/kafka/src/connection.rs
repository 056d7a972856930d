//! One connection to one broker.

mod channel;
mod explain;
mod open;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rskafka::messenger::{Messenger, RequestError};
use rskafka::protocol::api_key::ApiKey;
use tidegate_core::error::{Error, ErrorKind};
use tokio::time::{Instant, sleep_until, timeout};

use channel::{Wire, io_beneath, too_large};

use crate::gate::{Admitted, Gate};
use crate::options::Counters;
use crate::requests::Request;
use crate::transport::{Endpoint, Stream};

pub(crate) use channel::{Broken, Channel};
pub(crate) use explain::Stage;
pub(crate) use open::Opening;

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
    /// No connection is to be had until somebody changes the spec, its secrets or the broker:
    /// a login, a right, a certificate, a listener of another kind.
    Refused(Error),
}

impl Failure {
    /// Of a connection that could not be opened.
    pub(crate) fn of_opening(error: Error) -> Self {
        if error.kind() == ErrorKind::Unavailable {
            Self::Lost(error)
        } else {
            Self::Refused(error)
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(error) | Failure::Unsupported(error) | Failure::Refused(error) => error,
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
    /// Whether a request was ever answered.
    answered: AtomicBool,
    /// Whether the broker closed it at the first request.
    closed_at_once: AtomicBool,
    /// The broker asked to be left alone until then.
    throttled_until: Mutex<Option<Instant>>,
}

impl fmt::Debug for BrokerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConnection").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl BrokerConnection {
    /// Where it leads.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether it must not be used any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Whether the broker closed it at the first request: as it does where somebody is to log in.
    pub(crate) fn was_closed_at_once(&self) -> bool {
        self.closed_at_once.load(Ordering::Relaxed)
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
        self.answered.store(true, Ordering::Relaxed);
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
        let (mut received, mut heard) = (self.received.load(Ordering::Relaxed), Instant::now());
        loop {
            // Looked at more often: what came at the beginning of a silence does not double it.
            let wait = (quiet / 8).min(end.saturating_duration_since(Instant::now()));
            if let Ok(answer) = timeout(wait, answer.as_mut()).await {
                return Some(answer);
            }
            let now = self.received.load(Ordering::Relaxed);
            if now != received || self.admitted.is_waiting() {
                (received, heard) = (now, Instant::now());
            }
            if Instant::now() >= end || heard.elapsed() >= quiet {
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
        let closed = io_beneath(error).is_some() && too_large(error).is_none();
        let closed = closed && !self.answered.load(Ordering::Relaxed);
        self.closed_at_once.store(closed, Ordering::Relaxed);
        match error {
            RequestError::NoVersionMatch { .. } => {
                self.broken.store(false, Ordering::Relaxed);
                Failure::Unsupported(Error::config(format!(
                    "{} has no version of {key:?} that is spoken here",
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
