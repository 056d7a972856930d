//! Observing Kafka through the reader: it alone reaches the brokers.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::Builder;
use aws_sdk_lambda::primitives::Blob;
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
use crate::packed::Packed;

/// The reader's event that asks it to observe: `{"observe": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObserveEvent {
    /// The spec: how to reach Kafka.
    pub spec: serde_json::Value,
    request: Packed,
}

impl ObserveEvent {
    /// Asks for `request` of the Kafka of `spec`.
    ///
    /// # Errors
    /// `Corrupt` for a request that cannot be packed.
    pub fn new(spec: serde_json::Value, request: &ObserveRequest) -> Result<Self> {
        Ok(Self { spec, request: Packed::of(request, "the request to observe")? })
    }

    /// What is to be observed.
    ///
    /// # Errors
    /// `Corrupt` for what no planner asks.
    pub fn request(&self) -> Result<ObserveRequest> {
        self.request.open("the request to observe")
    }
}

/// The reader's answer. An error is an answer, too, so that its kind is not lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObserveAnswer {
    /// What was seen.
    Seen(Packed),
    /// Why nothing was seen.
    Failed(Cause),
}

impl ObserveAnswer {
    /// The answer of an observation.
    pub fn of(observed: &Result<Observation>) -> Self {
        let packed = match observed {
            Ok(seen) => Packed::of(seen, "the observation").map_err(|error| Cause::from(&error)),
            Err(error) => Err(Cause::from(error)),
        };
        packed.map_or_else(Self::Failed, Self::Seen)
    }

    fn open(self) -> Result<Observation> {
        match self {
            Self::Seen(packed) => packed.open("the reader's observation"),
            Self::Failed(cause) => Err(Error::new(cause.kind, cause.message)),
        }
    }
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
        let observe = ObserveEvent::new(self.spec.clone(), request)?;
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
    use tidegate_core::ports::{EpochEnd, ObservedPartition, PartitionEpoch, PartitionOffsets};
    use tidegate_core::spec::TopicSelection;
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
        let json = serde_json::to_vec(&ObserveAnswer::of(&Ok(seen.clone()))).expect("JSON");
        assert!(json.len() < 3_000_000, "{} of 6 MB", json.len());
        let answer: ObserveAnswer = serde_json::from_slice(&json).expect("it is one");
        assert_eq!(answer.open().expect("it opens"), seen);
    }

    #[test]
    fn a_request_for_twenty_thousand_partitions_with_long_names_fits_an_event() {
        let epoch = |index: i32| PartitionEpoch {
            partition: TopicPartition {
                topic: format!("{:x<249}", index / 100).into(),
                partition: index % 100,
            },
            epoch: index % 13,
        };
        let request = ObserveRequest {
            topics: TopicSelection::Names(vec!["t".into()]),
            offsets: true,
            start_time: None,
            end_time: None,
            epochs: (0..20_000).map(epoch).collect(),
        };
        let event = ObserveEvent::new(serde_json::json!({}), &request).expect("it is packed");
        let json = serde_json::to_vec(&event).expect("JSON");
        assert!(json.len() < 1_000_000, "{} of 6 MB", json.len());
        let event: ObserveEvent = serde_json::from_slice(&json).expect("it is one");
        assert_eq!(event.request().expect("it opens"), request);
    }

    #[test]
    fn an_error_keeps_its_kind() {
        let failed = Err(Error::denied("wrong password"));
        let json = serde_json::to_string(&ObserveAnswer::of(&failed)).expect("JSON");
        assert_eq!(json, r#"{"failed":{"kind":"denied","message":"wrong password"}}"#);
        let answer: ObserveAnswer = serde_json::from_str(&json).expect("it is one");
        assert_eq!(answer.open().expect_err("an error").kind(), ErrorKind::Denied);
    }
}
