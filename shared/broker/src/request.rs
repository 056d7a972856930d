//! Requests as they are received, and the log of them that tests read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::protocol::epochs::EpochsRequest;
use crate::protocol::fetch::FetchRequest;
use crate::protocol::list_offsets::ListOffsetsRequest;
use crate::protocol::metadata::MetadataRequest;
use crate::protocol::{Api, epochs, fetch, list_offsets, metadata};
use crate::wire::{Reader, Result};

/// How many requests the log keeps: the newest ones.
const LOG_MAX: usize = 10_000;

/// A request that a node received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The node that received it.
    pub node: i32,
    /// Number of the connection: the first of the cluster is 1.
    pub connection: u64,
    /// The api's version.
    pub version: i16,
    /// What pairs request and answer.
    pub correlation_id: i32,
    /// What the asker calls itself.
    pub client_id: Option<String>,
    /// What is asked.
    pub body: RequestBody,
    /// Bytes behind the body. Kafka passes over them (librdkafka's Metadata has some); a client
    /// that is tested should have none.
    pub trailing_bytes: usize,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// What the broker speaks.
    ApiVersions,
    /// Brokers, topics and partitions.
    Metadata(MetadataRequest),
    /// Offsets for times.
    ListOffsets(ListOffsetsRequest),
    /// Records.
    Fetch(FetchRequest),
    /// Ends of leader epochs.
    OffsetForLeaderEpoch(EpochsRequest),
    /// Another api, or a version that is not answered: the connection is closed. Holds the api's
    /// key.
    Unsupported(i16),
}

impl Request {
    /// The api; none if it is not answered.
    pub fn api(&self) -> Option<Api> {
        match self.body {
            RequestBody::ApiVersions => Some(Api::ApiVersions),
            RequestBody::Metadata(_) => Some(Api::Metadata),
            RequestBody::ListOffsets(_) => Some(Api::ListOffsets),
            RequestBody::Fetch(_) => Some(Api::Fetch),
            RequestBody::OffsetForLeaderEpoch(_) => Some(Api::OffsetForLeaderEpoch),
            RequestBody::Unsupported(_) => None,
        }
    }

    /// The request as a fetch.
    pub fn as_fetch(&self) -> Option<&FetchRequest> {
        match &self.body {
            RequestBody::Fetch(fetch) => Some(fetch),
            RequestBody::ApiVersions
            | RequestBody::Metadata(_)
            | RequestBody::ListOffsets(_)
            | RequestBody::OffsetForLeaderEpoch(_)
            | RequestBody::Unsupported(_) => None,
        }
    }

    /// The partitions asked for, in order; for Metadata none.
    pub fn partitions(&self) -> Vec<(&str, i32)> {
        match &self.body {
            RequestBody::ListOffsets(asked) => {
                asked.partitions.iter().map(|p| (p.topic.as_str(), p.partition)).collect()
            }
            RequestBody::Fetch(asked) => {
                asked.partitions.iter().map(|p| (p.topic.as_str(), p.partition)).collect()
            }
            RequestBody::OffsetForLeaderEpoch(asked) => {
                asked.partitions.iter().map(|p| (p.topic.as_str(), p.partition)).collect()
            }
            RequestBody::ApiVersions | RequestBody::Metadata(_) | RequestBody::Unsupported(_) => {
                Vec::new()
            }
        }
    }

    /// Reads a request's frame, without its length. `versions` are those answered of an api.
    pub(crate) fn read(
        node: i32,
        connection: u64,
        frame: &[u8],
        versions: impl Fn(Api) -> (i16, i16),
    ) -> Result<Self> {
        let mut from = Reader::new(frame);
        let (key, version, correlation_id) = (from.i16()?, from.i16()?, from.i32()?);
        let api = Api::of_key(key);
        let answered = api.filter(|api| {
            let (min, max) = versions(*api);
            (min..=max).contains(&version)
        });
        let (client_id, body) = match (answered, api) {
            (Some(api), _) => {
                let client_id = from.nullable_string()?;
                from.set_flexible(api.is_flexible(version));
                from.tags()?;
                (client_id, RequestBody::read(&mut from, api, version)?)
            }
            // Answered, though with an error: so does an asker learn what is spoken.
            (None, Some(Api::ApiVersions)) => (None, RequestBody::ApiVersions),
            (None, _) => (None, RequestBody::Unsupported(key)),
        };
        let trailing_bytes = if answered.is_some() { from.rest().len() } else { 0 };
        Ok(Self { node, connection, version, correlation_id, client_id, body, trailing_bytes })
    }
}

impl RequestBody {
    fn read(from: &mut Reader<'_>, api: Api, version: i16) -> Result<Self> {
        Ok(match api {
            Api::ApiVersions => {
                if version >= 3 {
                    from.string()?; // the client's name and version
                    from.string()?;
                    from.tags()?;
                }
                Self::ApiVersions
            }
            Api::Metadata => Self::Metadata(metadata::read(from, version)?),
            Api::ListOffsets => Self::ListOffsets(list_offsets::read(from, version)?),
            Api::Fetch => Self::Fetch(fetch::read(from, version)?),
            Api::OffsetForLeaderEpoch => Self::OffsetForLeaderEpoch(epochs::read(from, version)?),
        })
    }
}

/// The newest requests, and how many there were of each api.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    newest: VecDeque<Arc<Request>>,
    counts: BTreeMap<Api, u64>,
}

impl RequestLog {
    pub(crate) fn record(&mut self, request: &Arc<Request>) {
        if let Some(api) = request.api() {
            *self.counts.entry(api).or_default() += 1;
        }
        if self.newest.len() == LOG_MAX {
            self.newest.pop_front();
        }
        self.newest.push_back(Arc::clone(request));
    }

    pub(crate) fn newest(&self) -> Vec<Arc<Request>> {
        self.newest.iter().map(Arc::clone).collect()
    }

    pub(crate) fn count(&self, api: Api) -> u64 {
        self.counts.get(&api).copied().unwrap_or(0)
    }
}
