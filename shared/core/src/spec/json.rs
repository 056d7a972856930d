//! A spec as JSON: read with the path of what is wrong, written in one canonical form.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::error::Category;
use serde_json::{Value, json};

use super::raw::{Object, RawSpec};
use super::units::{duration_text, time_text};
use super::{
    DirectoriesBy, KafkaSpec, OnDataLoss, SaslMechanism, SecretRef, Spec, Start, TopicSelection,
    check,
};
use crate::error::{Error, Result};
use crate::names::TableTemplate;
use crate::spec::Destination;
use crate::words::Isolation;

impl Spec {
    /// Reads a spec from the text of a file. `Config` where anything is wrong with it: the
    /// message begins with the path of the field, and says what was given and what is allowed.
    pub fn from_json(text: &str) -> Result<Self> {
        let mut json = serde_json::Deserializer::from_str(text);
        let raw: Object<RawSpec> =
            serde_path_to_error::deserialize(&mut json).map_err(|error| explain(&error))?;
        json.end().map_err(|error| no_json(&error))?;
        check::spec(raw.0)
    }

    /// The same for JSON that was parsed before.
    pub fn from_value(value: &Value) -> Result<Self> {
        let raw: Object<RawSpec> =
            serde_path_to_error::deserialize(value).map_err(|error| explain(&error))?;
        check::spec(raw.0)
    }

    /// The canonical form: every field, with its default if it was not given; sizes in bytes,
    /// times in UTC. Two equal specs have the same bytes in every version of the code, and
    /// reading them gives an equal spec.
    pub fn to_json(&self) -> Value {
        // Keys stand in the order of their bytes: the text is the same whether or not another
        // crate turned on serde_json's `preserve_order`.
        json!({
            "batching": {
                "max_wait": duration_text(self.batching.max_wait),
                "min_bytes": self.batching.min_bytes,
            },
            "catch_up": self.catch_up,
            "destination": self.destination.to_string(),
            "directories": self.directories.as_str(),
            "directories_by": match self.directories_by {
                DirectoriesBy::Timestamp => "timestamp",
                DirectoriesBy::Run => "run",
            },
            "end": self.end.map(time_text),
            "files": {
                "compression": String::from(self.files.compression),
                "target_bytes": self.files.target_bytes,
            },
            "kafka": kafka(&self.kafka),
            "limits": {
                "bytes_per_partition": self.limits.bytes_per_partition,
                "bytes_per_run": self.limits.bytes_per_run,
                "bytes_per_task": self.limits.bytes_per_task,
                "readers": self.limits.readers,
                "records_per_partition": self.limits.records_per_partition,
                "records_per_run": self.limits.records_per_run,
            },
            "metrics": { "by_topic": self.metrics_by_topic },
            "on_data_loss": match self.on_data_loss {
                OnDataLoss::Stop => "stop",
                OnDataLoss::Skip => "skip",
            },
            "pipeline": self.pipeline.as_str(),
            "start": start(&self.start),
            "table": TableTemplate::as_str(&self.table),
            "topics": topics(&self.topics),
        })
    }

    /// The folder of `topic`'s files: components joined by `/`. `Config`, with the cause, for
    /// a topic that must be left out because its name makes no good folder.
    pub fn table_of(&self, topic: &str) -> Result<String> {
        self.table.folder_of(topic)
    }

    /// The first field that only a process on AWS, or with access to it, can honour, and why.
    pub fn needs_aws(&self) -> Option<(&'static str, &'static str)> {
        let kafka = &self.kafka;
        let secrets = [
            ("kafka.credentials", &kafka.credentials),
            ("kafka.ca_certificate", &kafka.ca_certificate),
            ("kafka.client_certificate", &kafka.client_certificate),
        ];
        let is_arn = |secret: &Option<SecretRef>| matches!(secret, Some(SecretRef::Arn(_)));
        if let Some((path, _)) = secrets.into_iter().find(|(_, secret)| is_arn(secret)) {
            return Some((path, "the secret is kept in Secrets Manager"));
        }
        if kafka.sasl_mechanism == Some(SaslMechanism::AwsMskIam) {
            return Some(("kafka.sasl_mechanism", "AWS_MSK_IAM logs in with a role of AWS"));
        }
        match self.destination {
            Destination::S3 { .. } => Some(("destination", "it is in S3")),
            Destination::Directory(_) => None,
        }
    }
}

impl Serialize for Spec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}

fn kafka(spec: &KafkaSpec) -> Value {
    let secret = |secret: &Option<SecretRef>| secret.as_ref().map(SecretRef::to_string);
    json!({
        "bootstrap_servers": spec.bootstrap_servers,
        "ca_certificate": secret(&spec.ca_certificate),
        "client_certificate": secret(&spec.client_certificate),
        "credentials": secret(&spec.credentials),
        "isolation_level": match spec.isolation_level {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        },
        "sasl_mechanism": spec.sasl_mechanism.map(|mechanism| mechanism.as_str()),
        "security_protocol": spec.security_protocol.as_str(),
    })
}

fn topics(selection: &TopicSelection) -> Value {
    match selection {
        TopicSelection::Names(names) => names.iter().map(|name| &**name).collect(),
        TopicSelection::Pattern { pattern, exclude } => json!({
            "exclude": exclude.as_ref().map(|exclude| exclude.as_str()),
            "pattern": pattern.as_str(),
        }),
    }
}

fn start(start: &Start) -> Value {
    match start {
        Start::Earliest => "earliest".into(),
        Start::Latest => "latest".into(),
        Start::Time(time) => time_text(*time).into(),
        Start::Offsets(offsets) => {
            let mut topics: BTreeMap<&str, BTreeMap<String, i64>> = BTreeMap::new();
            for (topic, partition, offset) in offsets {
                topics.entry(topic).or_default().insert(partition.to_string(), *offset);
            }
            json!(topics)
        }
    }
}

/// The path, what is wrong, and where it stands in the file.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let (path, inner) = (error.path().to_string(), error.inner());
    match inner.classify() {
        Category::Syntax | Category::Eof | Category::Io => return no_json(inner),
        Category::Data => {}
    }
    let path = if path == "." { "the spec" } else { path.as_str() };
    // A value that was parsed before has no lines.
    let position = format!(" at line {} column {}", inner.line(), inner.column());
    let message = inner.to_string();
    match message.strip_suffix(&position) {
        Some(message) => check::refused(
            path,
            format!("{message} (line {}, column {})", inner.line(), inner.column()),
        ),
        None => check::refused(path, message),
    }
}

fn no_json(error: &serde_json::Error) -> Error {
    Error::config(format!("the spec is not valid JSON: {error}"))
}
