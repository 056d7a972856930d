//! An offset that the log does not have: what does it have? Loss and truncation answer a fetch
//! with the same code.

use std::ops::Range;
use std::sync::Arc;

use tidegate_core::error::Error;
use tidegate_core::words::{Isolation, TopicPartition};

use super::{Event, KafkaFetch};
use crate::errors::{self, Remedy, Retry, remedy};
use crate::requests::{EARLIEST, LATEST, ListOffsets, OffsetQuestion};
use crate::session::Session;

/// Kafka's code for it.
pub(super) const OFFSET_OUT_OF_RANGE: i16 = 1;

impl KafkaFetch {
    /// Asks the leader of a slice, whose offset is out of range, for the log's ends.
    pub(super) fn look_for_ends(&mut self, index: usize) {
        let slice = &mut self.slices[index];
        let (partition, leader) = (slice.partition.clone(), slice.leader);
        slice.under_way = true;
        let session = Arc::clone(&self.session);
        self.jobs.spawn(async move {
            let ends = match leader {
                Some(leader) => ends(&session, leader.node, &partition).await,
                None => None,
            };
            Event::Ends(index, ends)
        });
    }

    /// Takes the ends of the log: they say what became of the offset.
    pub(super) fn take_ends(&mut self, index: usize, ends: Option<Range<i64>>) {
        let slice = &mut self.slices[index];
        slice.under_way = false;
        if slice.finished {
            return;
        }
        let (partition, offset) = (&slice.partition, slice.ask);
        let what = match ends {
            Some(ends) if offset < ends.start => format!(
                "the log of {partition} begins at offset {} by now: retention or DeleteRecords \
                 removed offset {offset} before it was read",
                ends.start
            ),
            Some(ends) if offset > ends.end => format!(
                "the log of {partition} ends at offset {}, before offset {offset}: it was cut back \
                 (an unclean leader election), or the topic was deleted and created anew",
                ends.end
            ),
            ends => {
                let what = format!("fetch of {partition} at offset {offset}");
                let error = errors::error(OFFSET_OUT_OF_RANGE, &what);
                let remedy = match ends {
                    // It is there after all: the broker was about to learn of it.
                    Some(_) => Remedy { retry: Retry::Again, ..Remedy::NONSENSE },
                    None => remedy(OFFSET_OUT_OF_RANGE),
                };
                return self.fail(index, remedy, error);
            }
        };
        self.finish(index, Error::data_loss(what));
    }
}

/// The first offset of a partition, and the one after its last; none if they cannot be had now.
async fn ends(session: &Session, node: i32, partition: &TopicPartition) -> Option<Range<i64>> {
    let quiet = session.options().request_timeout;
    let mut ends = [0; 2];
    for (timestamp, end) in [EARLIEST, LATEST].into_iter().zip(&mut ends) {
        let question = OffsetQuestion { partition: partition.clone(), leader_epoch: -1, timestamp };
        let isolation = Isolation::ReadUncommitted;
        let request = ListOffsets { isolation, questions: vec![question] };
        let (_, answers) = session.ask(node, &request, quiet, quiet * 2).await.ok()?;
        let answer = answers.iter().find(|answer| answer.partition == *partition)?;
        *end = (answer.error == 0).then_some(answer.offset)?;
    }
    let [start, end] = ends;
    Some(start..end)
}
