//! The spec: a pipeline as its user describes it (design: "Public interfaces", "Spec").

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{DirectoryTemplate, TableTemplate};
use crate::ports::Codec;
use crate::time::Millis;
use crate::words::{Isolation, PipelineName};

mod check;
mod destination;
mod json;
mod kafka;
mod raw;
mod secret;
mod topics;
pub mod units;

pub use destination::Destination;
pub use raw::entries;
pub use secret::SecretRef;
pub use topics::{TopicPattern, TopicSelection};

/// A pipeline, checked: every field is one that can be honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Names the state, the files, the metrics.
    pub pipeline: PipelineName,
    /// How to reach Kafka.
    pub kafka: KafkaSpec,
    /// Which topics.
    pub topics: TopicSelection,
    /// Where the files go.
    pub destination: Destination,
    /// The folder of a topic's files; `{topic}` stands for the topic's name.
    pub table: TableTemplate,
    /// Directories below the table, of `%Y %m %d %H` in UTC; empty for none.
    pub directories: DirectoryTemplate,
    /// Which time the directories show.
    pub directories_by: DirectoriesBy,
    /// Where the first run begins.
    pub start: Start,
    /// Records from this time on are left alone; never before 1970.
    pub end: Option<Millis>,
    /// What one run may take.
    pub limits: Limits,
    /// When a topic takes part in a run.
    pub batching: Batching,
    /// The data files.
    pub files: Files,
    /// What to do about records that are gone.
    pub on_data_loss: OnDataLoss,
    /// Whether to go on at once while caps leave a backlog.
    pub catch_up: bool,
    /// Whether lag is also emitted per topic.
    pub metrics_by_topic: bool,
}

/// How to reach Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSpec {
    /// `host:port`, at least one. An IPv6 address stands in brackets.
    pub bootstrap_servers: Vec<String>,
    /// Encryption and login.
    pub security_protocol: SecurityProtocol,
    /// How one logs in, with a `SASL_` protocol.
    pub sasl_mechanism: Option<SaslMechanism>,
    /// Where `{"username","password"}` is kept.
    pub credentials: Option<SecretRef>,
    /// Where the PEM of the certificate authorities is kept; none: the system's.
    pub ca_certificate: Option<SecretRef>,
    /// Where the PEM of the client's certificate and key is kept.
    pub client_certificate: Option<SecretRef>,
    /// Whether aborted transactions are read.
    pub isolation_level: Isolation,
}

/// Kafka's `security.protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecurityProtocol {
    /// No encryption, no login.
    #[default]
    Plaintext,
    /// TLS.
    Ssl,
    /// Login without encryption.
    SaslPlaintext,
    /// Login over TLS.
    SaslSsl,
}

/// Kafka's `sasl.mechanism`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaslMechanism {
    /// `PLAIN`
    #[serde(rename = "PLAIN")]
    Plain,
    /// `SCRAM-SHA-256`
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// `SCRAM-SHA-512`
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// `AWS_MSK_IAM`
    #[serde(rename = "AWS_MSK_IAM")]
    AwsMskIam,
}

/// Which time the directories show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoriesBy {
    /// The record's.
    #[default]
    Timestamp,
    /// When the run was planned.
    Run,
}

/// Where the first run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the log start.
    Earliest,
    /// At the end: only what comes later.
    Latest,
    /// At the first record with this timestamp or a later one; never before 1970.
    Time(Millis),
    /// At these offsets (topic, partition, offset), in order; the others at the log start.
    Offsets(Vec<(Arc<str>, i32, i64)>),
}

/// What one run may take. Records are counted in offsets, bytes before compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of one partition.
    pub records_per_partition: Option<NonZeroU64>,
    /// Of the whole run.
    pub records_per_run: Option<NonZeroU64>,
    /// Of one partition, in key, value and header bytes.
    pub bytes_per_partition: Option<NonZeroU64>,
    /// Of the whole run, likewise.
    pub bytes_per_run: Option<NonZeroU64>,
    /// How many tasks a run has at most.
    pub readers: u32,
    /// How much one task takes.
    pub bytes_per_task: NonZeroU64,
}

/// When a topic takes part in a run: when this much is pending, or this long passed since it
/// was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Pending key, value and header bytes.
    pub min_bytes: u64,
    /// Time since it was last read.
    pub max_wait: Duration,
}

/// The data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Files {
    /// What a data file's size should come to.
    pub target_bytes: NonZeroU64,
    /// Compression of the pages.
    pub compression: Codec,
}

/// What to do about records that are gone before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDataLoss {
    /// That partition, and only it, stops until an operator decides.
    #[default]
    Stop,
    /// The range is recorded in the manifest, and the rest is read.
    Skip,
}

#[cfg(test)]
mod tests;
