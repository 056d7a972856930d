use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rskafka::protocol::api_key::ApiKey;

/// How the client behaves. The defaults are right for a reader of any size; tests make the
/// waits shorter.
///
/// They bound how long it takes to learn that nobody is there. To observe, when nothing is lost
/// by giving up: brokers that refuse connections, or whose names do not resolve, are given up
/// after `observe_retry_for`; one that accepts and says nothing after `connect_timeout`; one that
/// falls silent later after `request_timeout`. All bootstrap servers are tried in that time, and
/// each but the first adds 2 s if those before it say nothing. To read, all of these are tried again
/// until there was no progress for `retry_for`. A login, certificate or right that a broker
/// refuses is given up at once.
#[derive(Clone, Debug)]
pub struct KafkaOptions {
    /// What brokers show in their logs and quotas.
    pub client_id: Arc<str>,
    /// To open a connection, login included.
    pub connect_timeout: Duration,
    /// Silence after which a request is given up and its connection dropped. A fetch may be
    /// silent for `fetch_max_wait` more.
    pub request_timeout: Duration,
    /// How long an unreachable broker, a missing leader and the like is tried again before a
    /// fetch gives up. Counted from the last progress.
    pub retry_for: Duration,
    /// The same for an observation: for a broker that answers at all, then for the partitions;
    /// what still fails then is left out.
    pub observe_retry_for: Duration,
    /// How long a named topic may be unknown before it counts as missing: one that was just
    /// created is not known to all brokers at once.
    pub topic_retry_for: Duration,
    /// How long a broker may hold back an answer that would be empty.
    pub fetch_max_wait: Duration,
    /// Bytes of a fetch answer, as brokers count them: a single larger batch comes all the
    /// same. Each broker has one answer being decoded and one on the way.
    pub fetch_bytes: usize,
    /// Bytes of all answers together that are held at a time, on the way or being decoded, by
    /// all connections of the source. More of them wait at their brokers. An answer that is
    /// larger than this is taken alone.
    pub answers_bytes: usize,
    /// The largest answer that is taken: a batch that needs more is a bad record.
    pub answer_bytes_max: usize,
    /// The most that a batch may come to when it is decompressed. From 16 MiB on it is never
    /// held whole, but read record by record.
    pub batch_bytes_max: usize,
    /// Rows are handed over when they come to this payload. A batch is split only if it is too
    /// large to be decompressed whole.
    pub chunk_bytes: u64,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            client_id: "tidegate".into(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(15),
            retry_for: Duration::from_secs(30),
            observe_retry_for: Duration::from_secs(3),
            topic_retry_for: Duration::from_secs(2),
            fetch_max_wait: Duration::from_millis(500),
            fetch_bytes: 8 << 20,
            answers_bytes: 32 << 20,
            answer_bytes_max: 128 << 20,
            batch_bytes_max: 256 << 20,
            chunk_bytes: 1 << 20,
        }
    }
}

/// How many requests were sent, by kind, since the source was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Connections opened; each sends ApiVersions first.
    pub connections: u64,
    /// Metadata.
    pub metadata: u64,
    /// ListOffsets.
    pub list_offsets: u64,
    /// Fetch.
    pub fetch: u64,
    /// OffsetForLeaderEpoch.
    pub epochs: u64,
}

impl RequestCounts {
    /// All of them, with the ApiVersions of each connection.
    pub fn total(&self) -> u64 {
        self.connections + self.metadata + self.list_offsets + self.fetch + self.epochs
    }
}

/// [`RequestCounts`] in the making.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    metadata: AtomicU64,
    list_offsets: AtomicU64,
    fetch: AtomicU64,
    epochs: AtomicU64,
}

impl Counters {
    /// Counts a request.
    pub(crate) fn count(&self, key: ApiKey) {
        let counter = match key {
            ApiKey::Metadata => &self.metadata,
            ApiKey::ListOffsets => &self.list_offsets,
            ApiKey::Fetch => &self.fetch,
            ApiKey::OffsetForLeaderEpoch => &self.epochs,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> RequestCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RequestCounts {
            connections: read(&self.connections),
            metadata: read(&self.metadata),
            list_offsets: read(&self.list_offsets),
            fetch: read(&self.fetch),
            epochs: read(&self.epochs),
        }
    }
}
