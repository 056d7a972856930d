//! The spec as it stands in JSON: each field by itself is checked here, what two of them say
//! together in [`super::check`]. A field that is missing or null was not given.

use serde::Deserialize;

use self::numbers::{Count, Size, Wait};
use self::shapes::{secret, time, word};
use super::{Destination, DirectoriesBy, OnDataLoss, SaslMechanism, SecretRef, SecurityProtocol};
use crate::names::{DirectoryTemplate, TableTemplate};
use crate::ports::Codec;
use crate::time::Millis;
use crate::words::{Isolation, PipelineName};

mod numbers;
mod shapes;

pub use shapes::entries;
pub(super) use shapes::{Object, RawPartitions, RawPattern, RawServers, RawStart, RawTopics};

/// A cap in records or bytes, where an `i64` holds every offset and size.
pub(super) type RecordCap = Count<1, { i64::MAX.unsigned_abs() }>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSpec {
    pub(super) pipeline: Option<PipelineName>,
    pub(super) kafka: Option<Object<RawKafka>>,
    pub(super) topics: Option<RawTopics>,
    pub(super) destination: Option<Destination>,
    pub(super) table: Option<TableTemplate>,
    pub(super) directories: Option<DirectoryTemplate>,
    #[serde(default, deserialize_with = "word")]
    pub(super) directories_by: Option<DirectoriesBy>,
    pub(super) start: Option<RawStart>,
    #[serde(default, deserialize_with = "time")]
    pub(super) end: Option<Millis>,
    pub(super) limits: Option<Object<RawLimits>>,
    pub(super) batching: Option<Object<RawBatching>>,
    pub(super) files: Option<Object<RawFiles>>,
    #[serde(default, deserialize_with = "word")]
    pub(super) on_data_loss: Option<OnDataLoss>,
    pub(super) catch_up: Option<bool>,
    pub(super) metrics: Option<Object<RawMetrics>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKafka {
    pub(super) bootstrap_servers: Option<RawServers>,
    #[serde(default, deserialize_with = "word")]
    pub(super) security_protocol: Option<SecurityProtocol>,
    #[serde(default, deserialize_with = "word")]
    pub(super) sasl_mechanism: Option<SaslMechanism>,
    #[serde(default, deserialize_with = "secret")]
    pub(super) credentials: Option<SecretRef>,
    #[serde(default, deserialize_with = "secret")]
    pub(super) ca_certificate: Option<SecretRef>,
    #[serde(default, deserialize_with = "secret")]
    pub(super) client_certificate: Option<SecretRef>,
    #[serde(default, deserialize_with = "word")]
    pub(super) isolation_level: Option<Isolation>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) records_per_partition: Option<RecordCap>,
    pub(super) records_per_run: Option<RecordCap>,
    pub(super) bytes_per_partition: Option<Size<1>>,
    pub(super) bytes_per_run: Option<Size<1>>,
    pub(super) readers: Option<Count<1, 1000>>,
    pub(super) bytes_per_task: Option<Size<1>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBatching {
    pub(super) min_bytes: Option<Size<0>>,
    pub(super) max_wait: Option<Wait>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFiles {
    pub(super) target_bytes: Option<Size<1>>,
    pub(super) compression: Option<Codec>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMetrics {
    pub(super) by_topic: Option<bool>,
}
