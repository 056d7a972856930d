//! Kafka's and Iceberg's words as types that cannot be wrong (design: "Words").

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A pipeline's name: `[a-z0-9-]{1,48}`. Names the state, the files, the metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PipelineName(Arc<str>);

impl PipelineName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PipelineName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        let fits = (1..=48).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            return Ok(Self(name.into()));
        }
        Err(Error::config(format!(
            "{name:?} is no pipeline name: 1 to 48 characters of a-z, 0-9 and -"
        )))
    }
}

impl From<PipelineName> for String {
    fn from(name: PipelineName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A run's number: 1, 2, 3… per pipeline, never reused. It is the fencing token.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RunNumber(pub u64);

impl RunNumber {
    /// The run after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// 128 random bits, written as 32 hexadecimal digits: birth ids, plan ids, names of staged
/// files, holders of leases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RandomId(pub u128);

impl fmt::Display for RandomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RandomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<RandomId> for String {
    fn from(id: RandomId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for RandomId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let id = digits.then(|| u128::from_str_radix(&text, 16).ok()).flatten();
        id.map(Self).ok_or_else(|| Error::corrupt(format!("{text:?} is no id of 32 hex digits")))
    }
}

/// Kafka's id of a topic: 16 bytes, written as Kafka's own tools do, in Base64 for URLs without
/// padding. A topic that is deleted and created anew has another one. Brokers before Kafka 2.8
/// give none, which is `Option::None` everywhere: an unknown id never equals a known one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicId(pub [u8; 16]);

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<TopicId> for String {
    fn from(id: TopicId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for TopicId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok();
        let id = bytes.and_then(|bytes| bytes.try_into().ok());
        id.map(Self).ok_or_else(|| Error::corrupt(format!("{text:?} is no topic id")))
    }
}

/// One partition of a topic. Ordered by topic, then partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// The partition `partition` of `topic`.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Offsets `[start, end)`: half-open, never empty, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "RangeFields", into = "RangeFields")]
pub struct OffsetRange {
    start: i64,
    end: i64,
}

#[derive(Serialize, Deserialize)]
struct RangeFields {
    start: i64,
    end: i64,
}

impl OffsetRange {
    /// `[start, end)`, or nothing where that would be empty or negative.
    pub fn new(start: i64, end: i64) -> Option<Self> {
        (0 <= start && start < end).then_some(Self { start, end })
    }

    /// The first offset.
    pub fn start(self) -> i64 {
        self.start
    }

    /// The offset after the last.
    pub fn end(self) -> i64 {
        self.end
    }

    /// How many offsets: at least 1.
    pub fn count(self) -> u64 {
        self.end.abs_diff(self.start)
    }
}

impl TryFrom<RangeFields> for OffsetRange {
    type Error = Error;

    fn try_from(f: RangeFields) -> Result<Self> {
        Self::new(f.start, f.end)
            .ok_or_else(|| Error::corrupt(format!("[{}, {}) is no offset range", f.start, f.end)))
    }
}

impl From<OffsetRange> for RangeFields {
    fn from(range: OffsetRange) -> Self {
        Self { start: range.start, end: range.end }
    }
}

impl fmt::Display for OffsetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

/// `noun` in the number that `count` asks for: "1 file", "2 files".
pub fn plural(count: u64, noun: &str) -> String {
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (count, stem) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{noun}s"),
    }
}

/// Whether aborted and undecided transactions are read (Kafka's `isolation.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Aborted records never appear, and nothing at or past the last stable offset is read.
    #[default]
    ReadCommitted,
    /// All records up to the high watermark.
    ReadUncommitted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipeline_names_are_checked_at_the_door() {
        for good in ["a", "rides-2", &"x".repeat(48)] {
            assert!(PipelineName::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "Rides", "a_b", "a/b", "ä", &"x".repeat(49)] {
            assert!(PipelineName::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_survive_their_text() {
        let id = TopicId([7; 16]);
        assert_eq!(TopicId::try_from(id.to_string()).expect("its own text"), id);
        let id = RandomId(42);
        assert_eq!(RandomId::try_from(id.to_string()).expect("its own text"), id);
        assert!(RandomId::try_from("+0000000000000000000000000000042".to_owned()).is_err());
    }

    #[test]
    fn nouns_agree_with_their_number() {
        let table = [(1, "file", "file"), (0, "file", "files"), (2, "directory", "directories")];
        for (count, noun, shown) in table {
            assert_eq!(plural(count, noun), shown);
        }
        assert_eq!((plural(1, "entry"), plural(3, "day")), ("entry".into(), "days".into()));
    }

    #[test]
    fn ranges_are_never_empty() {
        assert!(OffsetRange::new(3, 3).is_none());
        assert!(OffsetRange::new(-1, 3).is_none());
        assert_eq!(OffsetRange::new(1, 5).map(OffsetRange::count), Some(4));
        assert!(serde_json::from_str::<OffsetRange>(r#"{"start":5,"end":5}"#).is_err());
    }
}
