//! What two fields of a spec say together, and the defaults of those not given.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use super::kafka::kafka;
use super::raw::{
    Object, RawBatching, RawFiles, RawLimits, RawPartitions, RawPattern, RawSpec, RawStart,
    RawTopics,
};
use super::units::{parse_time, time_text};
use super::{Batching, Files, Limits, Spec, Start, TopicSelection};
use crate::error::{Error, Result};
use crate::names::{DirectoryTemplate, TableTemplate};
use crate::ports::Codec;
use crate::time::Millis;

const TABLE: &str = "{topic}";
const DIRECTORIES: &str = "dt=%Y-%m-%d/hr=%H";
const READERS: u32 = 16;
const BYTES_PER_TASK: NonZeroU64 = NonZeroU64::new(1 << 30).expect("not zero");
const TARGET_BYTES: NonZeroU64 = NonZeroU64::new(128 << 20).expect("not zero");
const MAX_WAIT: Duration = Duration::from_secs(600);
/// Kafka's limit on the length of a topic's name.
const TOPIC_NAME_BYTES_MAX: usize = 249;

/// An error about the field at `path`.
pub(super) fn refused(path: &str, message: impl AsRef<str>) -> Error {
    Error::config(format!("{path}: {}", message.as_ref()))
}

/// The value of a field that has no default.
pub(super) fn required<T>(path: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| refused(path, "this field is required"))
}

/// Makes a spec of what was given.
pub(super) fn spec(raw: RawSpec) -> Result<Spec> {
    let pipeline = required("pipeline", raw.pipeline)?;
    let kafka = kafka(required("kafka", raw.kafka)?.0)?;
    let topics = topics(required("topics", raw.topics)?)?;
    let destination = required("destination", raw.destination)?;
    let table = match raw.table {
        Some(table) => table,
        None => TableTemplate::parse(TABLE)?,
    };
    check_folders(&table, &topics)?;
    let directories = match raw.directories {
        Some(directories) => directories,
        None => DirectoryTemplate::parse(DIRECTORIES)?,
    };
    check_keys(&table, &directories)?;
    let start = raw.start.map_or(Ok(Start::Earliest), |start| self::start(start, &topics))?;
    let end = raw.end.map(not_before_1970);
    check_order(&start, end)?;
    Ok(Spec {
        pipeline,
        kafka,
        topics,
        destination,
        table,
        directories,
        directories_by: raw.directories_by.unwrap_or_default(),
        start,
        end,
        limits: limits(raw.limits.map_or_else(RawLimits::default, |Object(limits)| limits)),
        batching: batching(raw.batching.map_or_else(RawBatching::default, |Object(b)| b)),
        files: files(raw.files.map_or_else(RawFiles::default, |Object(files)| files)),
        on_data_loss: raw.on_data_loss.unwrap_or_default(),
        catch_up: raw.catch_up.unwrap_or(true),
        metrics_by_topic: raw.metrics.and_then(|Object(metrics)| metrics.by_topic).unwrap_or(false),
    })
}

fn topics(raw: RawTopics) -> Result<TopicSelection> {
    let names = match raw {
        RawTopics::Pattern(RawPattern { pattern, exclude }) => {
            return Ok(TopicSelection::Pattern {
                pattern: required("topics.pattern", pattern)?,
                exclude,
            });
        }
        RawTopics::Names(names) => names,
    };
    if names.is_empty() {
        return Err(refused("topics", "the list is empty: name at least one topic"));
    }
    let mut seen = BTreeSet::new();
    for (i, name) in names.iter().enumerate() {
        let path = format!("topics[{i}]");
        if !is_topic_name(name) {
            return Err(refused(
                &path,
                format!(
                    "{name:?} is no topic's name: 1 to {TOPIC_NAME_BYTES_MAX} characters of a-z, \
                     A-Z, 0-9, . _ and - (for a regular expression write {{\"pattern\": …}})"
                ),
            ));
        }
        if !seen.insert(name) {
            return Err(refused(&path, format!("topic {name:?} is named twice")));
        }
    }
    Ok(TopicSelection::Names(names.into_iter().map(Arc::from).collect()))
}

/// Kafka's own rule.
fn is_topic_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=TOPIC_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(allowed)
        && !matches!(name, "." | "..")
}

/// A topic that is named must get a folder; one that comes to match a pattern may be left out.
fn check_folders(table: &TableTemplate, topics: &TopicSelection) -> Result<()> {
    match topics {
        TopicSelection::Pattern { .. } => Ok(()),
        TopicSelection::Names(names) => names.iter().try_for_each(|name| {
            table.folder_of(name).map(drop).map_err(|error| refused("table", error.message()))
        }),
    }
}

/// A key that stands there twice has two values for one file.
fn check_keys(table: &TableTemplate, directories: &DirectoryTemplate) -> Result<()> {
    let of_table: Vec<&str> = table.keys().collect();
    let keys = of_table.iter().copied().chain(directories.keys());
    for (i, key) in keys.enumerate() {
        if of_table.iter().take(i).any(|other| other.eq_ignore_ascii_case(key)) {
            let message =
                format!("the key {key:?} of {table} is one of directories, or there twice");
            return Err(refused("table", message));
        }
    }
    Ok(())
}

fn start(raw: RawStart, topics: &TopicSelection) -> Result<Start> {
    match raw {
        RawStart::Text(text) => match text.as_str() {
            "earliest" => Ok(Start::Earliest),
            "latest" => Ok(Start::Latest),
            time => parse_time(time).map(not_before_1970).map(Start::Time).map_err(|error| {
                let others = "or \"earliest\", \"latest\" or {\"topic\": {\"0\": 42}}";
                refused("start", format!("{}, {others}", error.message()))
            }),
        },
        RawStart::Offsets(entries) => offsets(entries, topics).map(Start::Offsets),
    }
}

fn offsets(
    entries: Vec<(String, RawPartitions)>,
    topics: &TopicSelection,
) -> Result<Vec<(Arc<str>, i32, i64)>> {
    if entries.is_empty() {
        return Err(refused("start", "it names no topic: name one, or write \"earliest\""));
    }
    let mut offsets = Vec::new();
    for (topic, RawPartitions(partitions)) in entries {
        let path = format!("start.{topic}");
        if !topics.matches(&topic) {
            return Err(refused(&path, "this topic is not among those of the field topics"));
        }
        if partitions.is_empty() {
            return Err(refused(&path, "it names no partition: give one such as {\"0\": 42}"));
        }
        let topic: Arc<str> = topic.into();
        for (partition, offset) in partitions {
            let index = partition_index(&partition).ok_or_else(|| {
                refused(
                    &path,
                    format!("{partition:?} is no partition: a whole number from 0 to {}", i32::MAX),
                )
            })?;
            offsets.push((Arc::clone(&topic), index, offset.0));
        }
    }
    offsets.sort_unstable();
    Ok(offsets)
}

/// The index, which has one spelling.
fn partition_index(text: &str) -> Option<i32> {
    let index: i32 = text.parse().ok()?;
    (index >= 0 && index.to_string() == text).then_some(index)
}

/// Kafka has no earlier timestamps: what is negative in a lookup by time has another meaning.
fn not_before_1970(time: Millis) -> Millis {
    time.max(Millis(0))
}

/// P12: a range that cannot hold a record is a mistake.
fn check_order(start: &Start, end: Option<Millis>) -> Result<()> {
    match (start, end) {
        (Start::Time(start), Some(end)) if *start >= end => Err(refused(
            "end",
            format!("{} is not after start, {}", time_text(end), time_text(*start)),
        )),
        _ => Ok(()),
    }
}

fn limits(raw: RawLimits) -> Limits {
    Limits {
        records_per_partition: raw.records_per_partition.and_then(|count| count.cap()),
        records_per_run: raw.records_per_run.and_then(|count| count.cap()),
        bytes_per_partition: raw.bytes_per_partition.and_then(|size| size.cap()),
        bytes_per_run: raw.bytes_per_run.and_then(|size| size.cap()),
        readers: raw.readers.and_then(|count| u32::try_from(count.0).ok()).unwrap_or(READERS),
        bytes_per_task: raw.bytes_per_task.and_then(|size| size.cap()).unwrap_or(BYTES_PER_TASK),
    }
}

fn batching(raw: RawBatching) -> Batching {
    Batching {
        min_bytes: raw.min_bytes.map_or(0, |size| size.0),
        max_wait: raw.max_wait.map_or(MAX_WAIT, |wait| wait.0),
    }
}

fn files(raw: RawFiles) -> Files {
    Files {
        target_bytes: raw.target_bytes.and_then(|size| size.cap()).unwrap_or(TARGET_BYTES),
        compression: raw.compression.unwrap_or(Codec::Zstd(1)),
    }
}
