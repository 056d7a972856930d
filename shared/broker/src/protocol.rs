//! The five requests that a consumer without a group sends, and their answers.

pub(crate) mod api_versions;
pub(crate) mod epochs;
pub(crate) mod fetch;
pub(crate) mod list_offsets;
pub(crate) mod metadata;

use crate::wire::{Reader, Result};

/// The requests that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// Records.
    Fetch,
    /// Offsets for times, the earliest and the latest ones.
    ListOffsets,
    /// Brokers, topics, partitions and their leaders.
    Metadata,
    /// What the broker speaks.
    ApiVersions,
    /// Ends of leader epochs.
    OffsetForLeaderEpoch,
}

impl Api {
    /// All of them, by key.
    pub const ALL: [Self; 5] = [
        Self::Fetch,
        Self::ListOffsets,
        Self::Metadata,
        Self::ApiVersions,
        Self::OffsetForLeaderEpoch,
    ];

    /// The number on the wire.
    pub fn key(self) -> i16 {
        match self {
            Self::Fetch => 1,
            Self::ListOffsets => 2,
            Self::Metadata => 3,
            Self::ApiVersions => 18,
            Self::OffsetForLeaderEpoch => 23,
        }
    }

    /// The versions answered, both ends included.
    pub(crate) fn versions(self) -> (i16, i16) {
        match self {
            Self::Fetch => (4, 11),
            Self::ListOffsets => (1, 5),
            Self::Metadata => (1, 12),
            Self::ApiVersions => (0, 3),
            Self::OffsetForLeaderEpoch => (2, 3),
        }
    }

    pub(crate) fn of_key(key: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.key() == key)
    }

    /// Whether requests of `version` have compact strings and tags.
    pub(crate) fn is_flexible(self, version: i16) -> bool {
        match self {
            Self::Fetch => version >= 12,
            Self::ListOffsets => version >= 6,
            Self::Metadata => version >= 9,
            Self::ApiVersions => version >= 3,
            Self::OffsetForLeaderEpoch => version >= 4,
        }
    }

    /// Whether an answer of `version` has tags in its header. ApiVersions never has: the asker
    /// does not know yet what the broker speaks.
    pub(crate) fn has_header_tags(self, version: i16) -> bool {
        self != Self::ApiVersions && self.is_flexible(version)
    }
}

/// Error codes of the protocol.
pub mod codes {
    /// The server failed for a reason of its own.
    pub const UNKNOWN_SERVER_ERROR: i16 = -1;
    /// No error.
    pub const NONE: i16 = 0;
    /// The offset is below the log start or past the log's end.
    pub const OFFSET_OUT_OF_RANGE: i16 = 1;
    /// A message is corrupt.
    pub const CORRUPT_MESSAGE: i16 = 2;
    /// There is no such topic or partition.
    pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    /// The partition has no leader.
    pub const LEADER_NOT_AVAILABLE: i16 = 5;
    /// Another node leads the partition.
    pub const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    /// The request timed out.
    pub const REQUEST_TIMED_OUT: i16 = 7;
    /// The topic's name is not valid.
    pub const INVALID_TOPIC: i16 = 17;
    /// The right to the topic is missing.
    pub const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    /// The version is not supported.
    pub const UNSUPPORTED_VERSION: i16 = 35;
    /// The request contradicts itself.
    pub const INVALID_REQUEST: i16 = 42;
    /// The disk of the partition failed.
    pub const KAFKA_STORAGE_ERROR: i16 = 56;
    /// The fetch session is not known.
    pub const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
    /// The asker's leader epoch is older than the broker's.
    pub const FENCED_LEADER_EPOCH: i16 = 74;
    /// The asker's leader epoch is newer than the broker's.
    pub const UNKNOWN_LEADER_EPOCH: i16 = 75;
    /// The broker cannot give the batch's codec in this version.
    pub const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
    /// The new leader does not know its high watermark yet.
    pub const OFFSET_NOT_AVAILABLE: i16 = 78;
    /// There is no topic of this id.
    pub const UNKNOWN_TOPIC_ID: i16 = 100;
}

/// The error code that a script puts into an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// In every place where one can stand.
    All(i16),
    /// For one partition.
    Partition(String, i32, i16),
}

impl Fault {
    /// The code for a partition, if it has one.
    pub(crate) fn code(fault: Option<&Self>, topic: &str, partition: i32) -> Option<i16> {
        match fault? {
            Self::All(code) => Some(*code),
            Self::Partition(t, p, code) => (t == topic && *p == partition).then_some(*code),
        }
    }

    /// The code for a whole topic, or answer.
    pub(crate) fn whole(fault: Option<&Self>) -> Option<i16> {
        match fault? {
            Self::All(code) => Some(*code),
            Self::Partition(..) => None,
        }
    }
}

/// Reads `[topic, [partition]]` as one list.
fn partitions<T>(
    from: &mut Reader<'_>,
    mut read: impl FnMut(&mut Reader<'_>, &str) -> Result<T>,
) -> Result<Vec<T>> {
    let topics = from.array(|topic| {
        let name = topic.string()?;
        topic.array(|partition| read(partition, &name))
    })?;
    Ok(topics.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
