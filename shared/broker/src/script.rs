//! What a test makes the broker answer instead of the truth.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{Api, Fault};
use crate::request::Request;

/// How a request is answered. A *body* is what follows the answer's header (its length,
/// correlation id and, in flexible versions, tags).
#[derive(Clone)]
pub enum Answer {
    /// As usual.
    Normal,
    /// With this body.
    Bytes(Vec<u8>),
    /// With the usual body, changed: see [`Answer::mangle`].
    Mangle(Mangle),
    /// As usual, after this time.
    Delay(Duration),
    /// Not at all, and nothing that comes later on this connection either: a frozen peer.
    Silence,
    /// As usual, but only so many bytes of it, its length included; then the connection closes.
    CutAfter(usize),
    /// As usual, but only so many bytes of it, its length included; then nothing more, on an open
    /// connection.
    StallAfter(usize),
    /// As usual, but in pieces of `bytes`, with a pause before each but the first.
    Drip {
        /// Bytes of a piece, at least one.
        bytes: usize,
        /// The pause.
        every: Duration,
    },
    /// As usual, but with other records in a fetch: see [`Answer::records`].
    Records(Rewrite),
    /// By closing the connection.
    Close,
    /// With this error code in every topic and partition.
    Error(i16),
    /// As usual, but with an error code for one partition.
    PartitionError {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The error code.
        code: i16,
    },
    /// With these bytes on the wire, whatever they are: no length, no correlation id.
    Raw(Vec<u8>),
}

/// What changes a body.
pub type Mangle = Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>;

/// What changes the records of a partition, given its topic and number.
pub type Rewrite = Arc<dyn Fn(&str, i32, Vec<u8>) -> Vec<u8> + Send + Sync>;

impl Answer {
    /// The usual body, changed by `mangle`.
    pub fn mangle(mangle: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::Mangle(Arc::new(mangle))
    }

    /// The usual answer to a fetch, but for the record batches of each partition, which `rewrite`
    /// changes: their bytes as they follow one another. Other requests are answered as usual.
    pub fn records(
        rewrite: impl Fn(&str, i32, Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::Records(Arc::new(rewrite))
    }

    /// The usual answer, which says that the broker throttles the asker for so many milliseconds.
    /// For versions whose body begins with that time: ListOffsets v2, Metadata v3, and all of
    /// Fetch and OffsetForLeaderEpoch.
    pub fn throttle(millis: i32) -> Self {
        Self::mangle(move |mut body| {
            if let Some(field) = body.first_chunk_mut() {
                *field = millis.to_be_bytes();
            }
            body
        })
    }

    /// The error code that the usual answer is to carry.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Error(code) => Some(Fault::All(*code)),
            Self::PartitionError { topic, partition, code } => {
                Some(Fault::Partition(topic.clone(), *partition, *code))
            }
            Self::Normal
            | Self::Bytes(_)
            | Self::Mangle(_)
            | Self::Delay(_)
            | Self::Silence
            | Self::CutAfter(_)
            | Self::StallAfter(_)
            | Self::Drip { .. }
            | Self::Records(_)
            | Self::Close
            | Self::Raw(_) => None,
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("Normal"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Mangle(_) => f.write_str("Mangle"),
            Self::Delay(time) => write!(f, "Delay({time:?})"),
            Self::Silence => f.write_str("Silence"),
            Self::CutAfter(bytes) => write!(f, "CutAfter({bytes})"),
            Self::StallAfter(bytes) => write!(f, "StallAfter({bytes})"),
            Self::Drip { bytes, every } => write!(f, "Drip({bytes} every {every:?})"),
            Self::Records(_) => f.write_str("Records"),
            Self::Close => f.write_str("Close"),
            Self::Error(code) => write!(f, "Error({code})"),
            Self::PartitionError { topic, partition, code } => {
                write!(f, "PartitionError({topic}-{partition}: {code})")
            }
            Self::Raw(bytes) => write!(f, "Raw({})", bytes.len()),
        }
    }
}

type Predicate = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

/// Which requests get a scripted answer: by default the next one of the api, once.
///
/// ```
/// # use tidegate_broker::{Answer, Api, Rule};
/// // The third and fourth fetch of partition 7 are answered by closing the connection.
/// let rule = Rule::new(Api::Fetch, Answer::Close)
///     .when(|request| request.partitions().contains(&("rides", 7)))
///     .skip(2)
///     .times(2);
/// # let _ = rule;
/// ```
#[derive(Clone)]
pub struct Rule {
    api: Api,
    answer: Answer,
    when: Option<Predicate>,
    skip: u64,
    /// How often it still applies; none: always.
    times: Option<u64>,
}

impl Rule {
    /// The next request of `api` gets `answer`.
    pub fn new(api: Api, answer: Answer) -> Self {
        Self { api, answer, when: None, skip: 0, times: Some(1) }
    }

    /// Only requests that `matches`. It must not call the broker.
    #[must_use]
    pub fn when(self, matches: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self { when: Some(Arc::new(matches)), ..self }
    }

    /// Not the first `requests` that match.
    #[must_use]
    pub fn skip(self, requests: u64) -> Self {
        Self { skip: requests, ..self }
    }

    /// So many requests, not one.
    #[must_use]
    pub fn times(self, requests: u64) -> Self {
        Self { times: Some(requests), ..self }
    }

    /// All requests, not one.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }

    fn matches(&self, request: &Request) -> bool {
        request.api() == Some(self.api) && self.when.as_ref().is_none_or(|when| when(request))
    }

    /// The answer to `request`, if the rule applies to it.
    fn apply(&mut self, request: &Request) -> Option<Answer> {
        if self.times == Some(0) || !self.matches(request) {
            return None;
        }
        if let Some(skip) = self.skip.checked_sub(1) {
            self.skip = skip;
            return None;
        }
        self.times = self.times.map(|times| times - 1);
        Some(self.answer.clone())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("api", &self.api)
            .field("answer", &self.answer)
            .field("skip", &self.skip)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// All rules. The first that applies to a request answers it.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: Vec<Rule>,
}

impl Script {
    pub(crate) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn decide(&mut self, request: &Request) -> Answer {
        let answer = self.rules.iter_mut().find_map(|rule| rule.apply(request));
        answer.unwrap_or(Answer::Normal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::RequestBody;

    fn request(version: i16) -> Request {
        let body = RequestBody::ApiVersions;
        let (node, connection, correlation_id, client_id, trailing_bytes) = (1, 1, 0, None, 0);
        Request { node, connection, version, correlation_id, client_id, body, trailing_bytes }
    }

    fn decisions(script: &mut Script, versions: &[i16]) -> Vec<String> {
        versions.iter().map(|version| format!("{:?}", script.decide(&request(*version)))).collect()
    }

    #[test]
    fn rules_apply_in_order_and_run_out() {
        let mut script = Script::default();
        script.add(Rule::new(Api::ApiVersions, Answer::Close).skip(1).times(2));
        script.add(Rule::new(Api::ApiVersions, Answer::Silence).when(|r| r.version == 3));
        script.add(Rule::new(Api::Fetch, Answer::Error(1)).always());
        let expected = ["Normal", "Close", "Close", "Silence", "Normal"];
        assert_eq!(decisions(&mut script, &[0, 0, 0, 3, 3]), expected);
        script.add(Rule::new(Api::ApiVersions, Answer::CutAfter(4)).always());
        assert_eq!(decisions(&mut script, &[0, 0]), ["CutAfter(4)", "CutAfter(4)"]);
        script.clear();
        assert_eq!(decisions(&mut script, &[0]), ["Normal"]);
    }
}
