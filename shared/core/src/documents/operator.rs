use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Millis;
use crate::words::{OffsetRange, RandomId, TopicId, TopicPartition};

/// What an operator decided with `reset`. A run with it has no task: its entries are where the
/// partitions go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// Why, in the operator's words.
    pub reason: String,
    /// The partitions that it moves, in order. One that is only freed (stopped or quarantined
    /// before) is among the entries, and not here.
    pub moves: Vec<Move>,
}

/// A partition that an operator moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Move {
    /// The topic.
    pub topic: Arc<str>,
    /// Its id from now on.
    pub topic_id: Option<TopicId>,
    /// The partition.
    pub partition: i32,
    /// The offset at which it stood; none where nothing of this topic was committed: it was made
    /// anew, or never planned.
    pub from: Option<i64>,
    /// The next offset to read.
    pub to: i64,
}

impl Move {
    /// The partition.
    pub fn place(&self) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.topic), self.partition)
    }

    /// The offsets that are read, and published, again; none if it moves forward.
    pub fn again(&self) -> Option<OffsetRange> {
        OffsetRange::new(self.to, self.from?)
    }
}

/// The mark of a run that an operator gives up with `abort`. It is never taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abort {
    /// Why, in the operator's words.
    pub reason: String,
    /// Since when.
    pub since: Millis,
    /// Random: names the checkpoint that closes the run. The name of the run's own may be taken
    /// already, by a finalizer that came further than its commit allows.
    pub id: RandomId,
}
