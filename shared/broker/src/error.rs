//! What can go wrong when a test or the demo drives the broker.

use std::{fmt, io};

/// Why the broker did not do what it was told.
#[derive(Debug)]
pub enum BrokerError {
    /// There is no such partition; holds topic and partition.
    UnknownPartition(String, i32),
    /// There is no such topic.
    UnknownTopic(String),
    /// There is no such node.
    UnknownNode(i32),
    /// The topic is there already.
    TopicExists(String),
    /// Not a topic name, or no partitions; says which.
    InvalidTopic(String),
    /// Not between the log's start and end; holds the offset and both.
    OffsetOutOfRange {
        /// The offset asked for.
        offset: i64,
        /// The first offset there is.
        log_start: i64,
        /// The offset after the last.
        log_end: i64,
    },
    /// The batch cannot be written or read; says why.
    InvalidBatch(String),
    /// The network or a codec failed.
    Io(io::Error),
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPartition(topic, partition) => {
                write!(f, "topic {topic:?} has no partition {partition}")
            }
            Self::UnknownTopic(topic) => write!(f, "there is no topic {topic:?}"),
            Self::UnknownNode(node) => write!(f, "there is no node {node}"),
            Self::TopicExists(topic) => write!(f, "topic {topic:?} is there already"),
            Self::InvalidTopic(why) | Self::InvalidBatch(why) => f.write_str(why),
            Self::OffsetOutOfRange { offset, log_start, log_end } => {
                write!(f, "offset {offset} is not in the log, [{log_start}, {log_end}]")
            }
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BrokerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::UnknownPartition(..)
            | Self::UnknownTopic(_)
            | Self::UnknownNode(_)
            | Self::TopicExists(_)
            | Self::InvalidTopic(_)
            | Self::OffsetOutOfRange { .. }
            | Self::InvalidBatch(_) => None,
        }
    }
}

impl From<io::Error> for BrokerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
