//! Observing Kafka through the reader: it alone reaches the brokers.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tidegate_core::columns::Columns;
use tidegate_core::ports::{
    Cause, FetchSlice, Fetched, LogFetch, LogSource, Observation, ObserveRequest,
};
use tidegate_core::spec::Spec;
use tidegate_core::time::Deadline;
use tidegate_core::words::Isolation;
use tidegate_core::{Error, Result};

use crate::call::within;
use crate::clients::{Clients, PATIENT, timeouts_of};

/// zstd's default level: the answer for 20,000 partitions is made in milliseconds.
const LEVEL: i32 = 3;
/// An observation that is larger than this was not made by a reader.
const OBSERVATION_BYTES_MAX: usize = 256 << 20;

/// The reader's event that asks it to observe: `{"observe": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveEvent {
    /// The spec: how to reach Kafka.
    pub spec: serde_json::Value,
    /// What is to be observed.
    pub request: ObserveRequest,
}

/// The reader's answer. An error is an answer, too, so that its kind is not lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObserveAnswer {
    /// What was seen: JSON, compressed with zstd, in Base64. As plain JSON that of 20,000
    /// partitions would not fit the 6 MB of a synchronous answer.
    Seen(String),
    /// Why nothing was seen.
    Failed(Cause),
}

impl ObserveAnswer {
    /// The answer of an observation.
    pub fn of(observed: &Result<Observation>) -> Self {
        match observed.as_ref().map_err(Cause::from).and_then(pack) {
            Ok(seen) => Self::Seen(seen),
            Err(cause) => Self::Failed(cause),
        }
    }

    fn open(self) -> Result<Observation> {
        match self {
            Self::Seen(packed) => unpack(&packed),
            Self::Failed(cause) => Err(Error::new(cause.kind, cause.message)),
        }
    }
}

fn pack(seen: &Observation) -> Result<String, Cause> {
    let json = serde_json::to_vec(seen).map_err(|error| broken(&error))?;
    let packed = zstd::bulk::compress(&json, LEVEL).map_err(|error| broken(&error))?;
    Ok(STANDARD.encode(packed))
}

fn broken(error: &dyn std::error::Error) -> Cause {
    Cause::from(&Error::corrupt(format!("the observation cannot be packed: {error}")))
}

fn unpack(packed: &str) -> Result<Observation> {
    let odd = |what: String| Error::corrupt(format!("the reader's observation: {what}"));
    let packed = STANDARD.decode(packed).map_err(|error| odd(error.to_string()))?;
    let mut json = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(packed.as_slice());
    let limit = u64::try_from(OBSERVATION_BYTES_MAX).unwrap_or(u64::MAX);
    decoder
        .and_then(|decoder| {
            std::io::Read::read_to_end(&mut std::io::Read::take(decoder, limit), &mut json)
        })
        .map_err(|error| odd(error.to_string()))?;
    serde_json::from_slice(&json).map_err(|error| odd(error.to_string()))
}

/// Kafka as whoever cannot reach it sees it: a reader is asked, synchronously.
#[derive(Clone, Debug)]
pub struct RemoteLog {
    client: Client,
    function: String,
    spec: serde_json::Value,
}

impl RemoteLog {
    /// Observes the Kafka of `spec` through the function `function` (its name or ARN).
    pub fn new(clients: &Clients, function: impl Into<String>, spec: &Spec) -> Self {
        Self { client: clients.lambda.clone(), function: function.into(), spec: spec.to_json() }
    }
}

/// A fetch that nobody can have.
#[derive(Debug)]
pub enum NoFetch {}

impl LogFetch for NoFetch {
    async fn next(&mut self, _rows: &mut Columns, _by: Deadline) -> Result<Fetched> {
        match *self {}
    }

    fn stop(&mut self, _slice: usize) {
        match *self {}
    }
}

impl LogSource for RemoteLog {
    type Fetch = NoFetch;

    async fn observe(&self, request: &ObserveRequest, by: Deadline) -> Result<Observation> {
        #[derive(Serialize)]
        struct Event {
            observe: ObserveEvent,
        }
        let observe = ObserveEvent { spec: self.spec.clone(), request: request.clone() };
        let payload = serde_json::to_vec(&Event { observe })
            .map_err(|error| Error::corrupt("the event is no JSON").with_source(error))?;
        let function = &self.function;
        let invoke = self.client.invoke().function_name(function).payload(Blob::new(payload));
        let doing = format!("ask the reader {function}");
        let patient = Builder::new().timeout_config(timeouts_of(PATIENT));
        let invoke = invoke.customize().config_override(patient);
        let answered = within(by, &doing, invoke.send()).await?;
        let payload = answered.payload.map(Blob::into_inner).unwrap_or_default();
        if let Some(failure) = answered.function_error {
            let said = String::from_utf8_lossy(&payload);
            let message = format!("it ended with an error ({failure}): {}", head_of(&said));
            return Err(Error::unavailable(message).while_doing(doing));
        }
        let answer: ObserveAnswer = serde_json::from_slice(&payload).map_err(|error| {
            let said = String::from_utf8_lossy(&payload);
            let message = format!("{error}; is it a Tidegate reader? It said {}", head_of(&said));
            Error::config(message).while_doing(doing)
        })?;
        answer.open()
    }

    async fn fetch(&self, _: &[FetchSlice], _: Isolation, _: Deadline) -> Result<NoFetch> {
        Err(Error::config(format!(
            "records are read by {} itself, not through it: give the reader a task",
            self.function
        )))
    }
}

/// The beginning of what was said: enough to see what it is.
fn head_of(said: &str) -> &str {
    const SHOWN: usize = 400;
    said.char_indices().nth(SHOWN).map_or(said, |(end, _)| &said[..end])
}

#[cfg(test)]
mod tests {
    use tidegate_core::ErrorKind;
    use tidegate_core::ports::{EpochEnd, ObservedPartition, PartitionOffsets};
    use tidegate_core::time::Millis;
    use tidegate_core::words::{TopicId, TopicPartition};

    use super::*;

    fn partition(index: i32) -> ObservedPartition {
        let offset = i64::from(index) * 7_919 + 1_000_000;
        ObservedPartition {
            partition: TopicPartition {
                topic: format!("rides.{}", index / 100).into(),
                partition: index % 100,
            },
            topic_id: Some(TopicId([u8::try_from(index / 100).expect("200 topics"); 16])),
            offsets: Ok(PartitionOffsets {
                leader_epoch: index % 13,
                log_start: offset / 3,
                high_watermark: offset,
                last_stable: offset - i64::from(index % 5),
                start_offset: None,
                end_offset: Some(offset / 2),
                log_start_time: Some(Millis(1_790_000_000_000 + offset)),
                epoch_end: Some(EpochEnd { epoch: index % 13, end: offset }),
            }),
            vacant_epoch: None,
        }
    }

    #[test]
    fn twenty_thousand_partitions_fit_a_synchronous_answer() {
        let seen = Observation {
            cluster_id: Some("lab".to_owned()),
            partitions: (0..20_000).map(partition).collect(),
            topics_missing: Vec::new(),
        };
        let answer = ObserveAnswer::of(&Ok(seen.clone()));
        let bytes = serde_json::to_vec(&answer).expect("JSON").len();
        assert!(bytes < 3_000_000, "{bytes} of 6 MB");
        assert_eq!(answer.open().expect("it opens"), seen);
    }

    #[test]
    fn an_error_keeps_its_kind() {
        let failed = Err(Error::denied("wrong password"));
        let json = serde_json::to_string(&ObserveAnswer::of(&failed)).expect("JSON");
        assert_eq!(json, r#"{"failed":{"kind":"denied","message":"wrong password"}}"#);
        let answer: ObserveAnswer = serde_json::from_str(&json).expect("it is one");
        assert_eq!(answer.open().expect_err("an error").kind(), ErrorKind::Denied);
    }

    #[test]
    fn what_is_no_observation_is_refused() {
        for packed in
            ["?", "", "AAAA", &STANDARD.encode(zstd::bulk::compress(b"{", 1).expect("packed"))]
        {
            assert_eq!(unpack(packed).expect_err(packed).kind(), ErrorKind::Corrupt);
        }
    }
}
