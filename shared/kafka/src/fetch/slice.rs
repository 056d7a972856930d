use tidegate_core::error::Error;
use tidegate_core::ports::FetchSlice;
use tidegate_core::words::{OffsetRange, TopicId, TopicPartition};
use tokio::time::Instant;

use super::part::Crossed;
use crate::clock::backoff;
use crate::errors::{Remedy, Retry};
use crate::options::KafkaOptions;

/// A slice, and how far it is.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) partition: TopicPartition,
    pub(super) range: OffsetRange,
    /// The offset to be decoded next.
    pub(super) next: i64,
    /// The offset to be asked for next: ahead of `next` while an answer is being decoded.
    pub(super) ask: i64,
    pub(super) leader: Option<Leader>,
    /// The topic's id when it was first seen.
    pub(super) topic_id: Option<TopicId>,
    /// Read to its end, ended or stopped.
    pub(super) finished: bool,
    /// Whether a request for it is under way.
    pub(super) under_way: bool,
    /// To be left alone until then.
    pub(super) not_before: Option<Instant>,
    /// What went wrong since the last progress.
    pub(super) trouble: Option<Trouble>,
    pub(super) way: Way,
    /// More than the usual bytes, because a batch needs it.
    pub(super) max_bytes: usize,
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    pub(super) node: i32,
    /// −1 if unknown.
    pub(super) epoch: i32,
}

/// How a slice is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// With the others of its broker.
    Together,
    /// Alone, since an answer with others was too large.
    Alone,
    /// Alone, and reading beyond the last stable offset: to see where the next batch begins,
    /// when all up to the slice's end is stable and there still comes nothing.
    Ahead,
}

/// What went wrong since the last progress.
#[derive(Debug)]
pub(super) struct Trouble {
    since: Instant,
    failures: u32,
    pub(super) error: Error,
}

impl Slice {
    pub(super) fn new(slice: FetchSlice) -> Self {
        let FetchSlice { partition, range } = slice;
        Self {
            partition,
            range,
            next: range.start(),
            ask: range.start(),
            leader: None,
            topic_id: None,
            finished: false,
            under_way: false,
            not_before: None,
            trouble: None,
            way: Way::Together,
            max_bytes: 0,
        }
    }

    /// Offsets were crossed, perhaps none.
    pub(super) fn advance(&mut self, crossed: &Crossed) {
        if crossed.next > self.next {
            self.trouble = None;
            self.max_bytes = 0;
        }
        self.next = crossed.next;
        self.finished |= self.next >= self.range.end();
    }

    /// Whether a request to its leader is worth while.
    pub(super) fn wants(&self, node: i32, now: Instant) -> bool {
        self.is_due(now)
            && self.ask < self.range.end()
            && self.leader.is_some_and(|leader| leader.node == node)
    }

    /// Whether something can be done for it at all.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.finished && !self.under_way && self.not_before.is_none_or(|at| at <= now)
    }

    /// Something went wrong; answers the error if trying again is of no use.
    pub(super) fn fail(&mut self, remedy: Remedy, error: Error) -> Option<Error> {
        let (since, failures) = match &self.trouble {
            Some(trouble) => (trouble.since, trouble.failures + 1),
            None => (Instant::now(), 1),
        };
        if failures > remedy.tries {
            return Some(error);
        }
        if remedy.retry == Retry::Refresh {
            self.leader = None;
        }
        self.not_before = Some(Instant::now() + backoff(failures));
        self.trouble = Some(Trouble { since, failures, error });
        None
    }

    /// When its trouble has lasted too long.
    pub(super) fn gives_up_at(&self, options: &KafkaOptions) -> Option<Instant> {
        let trouble = self.trouble.as_ref()?;
        let patience = match trouble.error.kind() {
            tidegate_core::error::ErrorKind::Config => options.topic_retry_for,
            _ => options.retry_for,
        };
        Some(trouble.since + patience)
    }

    /// Whether its trouble has lasted too long.
    pub(super) fn gave_up_by(&self, options: &KafkaOptions, now: Instant) -> bool {
        !self.under_way && self.gives_up_at(options).is_some_and(|at| at <= now)
    }
}
