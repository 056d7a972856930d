//! What is asked of one broker: a handful of requests for all of its partitions.

use std::collections::HashMap;
use std::time::Duration;

use tidegate_core::error::{Error, Result};
use tidegate_core::ports::{EpochEnd, PartitionOffsets};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{Isolation, TopicPartition};

use super::Trouble;
use crate::clock::remaining;
use crate::connection::Failure;
use crate::errors::Remedy;
use crate::requests::{
    EARLIEST, EpochQuestion, LATEST, ListOffsets, OffsetForLeaderEpoch, OffsetQuestion, Request,
};
use crate::session::Session;

/// What is wanted of each partition.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) offsets: bool,
    pub(super) start_time: Option<Millis>,
    pub(super) end_time: Option<Millis>,
    /// What lookups by time see.
    pub(super) isolation: Isolation,
}

/// A partition to be looked at.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) partition: TopicPartition,
    pub(super) leader_epoch: i32,
    /// The epoch whose end is wanted.
    pub(super) epoch: Option<i32>,
}

/// Offsets, or why there are none.
pub(super) type Answer = (TopicPartition, Result<PartitionOffsets, Trouble>);

/// Asks broker `node` about partitions that it leads. Requests follow one another, so that the
/// first offset is no later than the last stable one, which is no later than the high
/// watermark, and a lookup by time sees at least what the last stable offset counted.
pub(super) async fn ask(
    session: &Session,
    node: i32,
    questions: Vec<Question>,
    wanted: &Wanted,
    deadline: Deadline,
) -> Vec<Answer> {
    let index = questions.iter().enumerate().map(|(at, q)| (q.partition.clone(), at)).collect();
    let offsets = questions.iter().map(|question| Ok(unknown(question))).collect();
    let mut asking = Asking { session, node, deadline, questions, index, offsets };
    if wanted.offsets {
        asking.ends().await;
        asking.times(wanted).await;
    }
    asking.epochs().await;
    asking.questions.into_iter().map(|question| question.partition).zip(asking.offsets).collect()
}

fn unknown(question: &Question) -> PartitionOffsets {
    PartitionOffsets {
        leader_epoch: question.leader_epoch,
        log_start: 0,
        high_watermark: 0,
        last_stable: 0,
        start_offset: None,
        end_offset: None,
        log_start_time: None,
        epoch_end: None,
    }
}

/// The questions to one broker, and what is known by now.
struct Asking<'a> {
    session: &'a Session,
    node: i32,
    deadline: Deadline,
    questions: Vec<Question>,
    index: HashMap<TopicPartition, usize>,
    offsets: Vec<Result<PartitionOffsets, Trouble>>,
}

impl Asking<'_> {
    async fn ends(&mut self) {
        let committed = Isolation::ReadCommitted;
        self.list(EARLIEST, committed, |_| true, |known, offset, _| known.log_start = offset).await;
        self.list(LATEST, committed, |_| true, |known, offset, _| known.last_stable = offset).await;
        let uncommitted = Isolation::ReadUncommitted;
        self.list(LATEST, uncommitted, |_| true, |known, offset, _| known.high_watermark = offset)
            .await;
        for (question, known) in self.questions.iter().zip(&mut self.offsets) {
            let fit = known.as_ref().is_ok_and(|known| {
                (0..=known.last_stable).contains(&known.log_start)
                    && known.last_stable <= known.high_watermark
            });
            if known.is_ok() && !fit {
                *known = Err(Trouble::passing(Error::unavailable(format!(
                    "the offsets of {} changed while they were asked for",
                    question.partition
                ))));
            }
        }
    }

    /// Lookups by time. Nothing found is no error.
    async fn times(&mut self, wanted: &Wanted) {
        let isolation = wanted.isolation;
        let found = |offset: i64| (offset >= 0).then_some(offset);
        if let Some(Millis(time)) = wanted.start_time {
            self.list(time, isolation, not_empty, |known, offset, _| {
                known.start_offset = found(offset);
            })
            .await;
        }
        if let Some(Millis(time)) = wanted.end_time {
            self.list(time, isolation, not_empty, |known, offset, _| {
                known.end_offset = found(offset);
            })
            .await;
        }
        self.list(0, isolation, not_empty, |known, offset, timestamp| {
            known.log_start_time = found(offset).map(|_| Millis(timestamp));
        })
        .await;
    }

    /// Asks one question about all partitions that are fine so far and for which `whether`
    /// holds, and hands offset and timestamp of each answer to `take`.
    async fn list(
        &mut self,
        timestamp: i64,
        isolation: Isolation,
        whether: impl Fn(&PartitionOffsets) -> bool,
        take: impl Fn(&mut PartitionOffsets, i64, i64),
    ) {
        let asked = self.which(|_, known| whether(known));
        let questions: Vec<_> = asked
            .iter()
            .map(|at| &self.questions[*at])
            .map(|question| OffsetQuestion {
                partition: question.partition.clone(),
                leader_epoch: question.leader_epoch,
                timestamp,
            })
            .collect();
        if questions.is_empty() {
            return;
        }
        let request = ListOffsets { isolation, questions };
        match self.request(&request).await {
            Ok((_, answers)) => {
                let answers =
                    answers.into_iter().map(|a| (a.partition, a.error, (a.offset, a.timestamp)));
                self.take(asked, answers, |known, (offset, time)| take(known, offset, time));
            }
            Err(failure) => self.fail(&asked, &failure),
        }
    }

    async fn epochs(&mut self) {
        let asked = self.which(|question, _| question.epoch.is_some());
        let questions: Vec<_> = asked
            .iter()
            .map(|at| &self.questions[*at])
            .filter_map(|question| {
                Some(EpochQuestion {
                    partition: question.partition.clone(),
                    leader_epoch: question.leader_epoch,
                    epoch: question.epoch?,
                })
            })
            .collect();
        if questions.is_empty() {
            return;
        }
        match self.request(&OffsetForLeaderEpoch { questions }).await {
            Ok((_, answers)) => {
                let answers = answers.into_iter().map(|a| (a.partition, a.error, a.end));
                self.take(asked, answers, |known, end: EpochEnd| known.epoch_end = Some(end));
            }
            // A broker before Kafka 2.1: nobody can know, and nothing is claimed.
            Err(Failure::Unsupported(_)) => {}
            Err(failure) => self.fail(&asked, &failure),
        }
    }

    fn which(&self, whether: impl Fn(&Question, &PartitionOffsets) -> bool) -> Vec<usize> {
        let all = self.questions.iter().zip(&self.offsets).enumerate();
        all.filter(|(_, (question, known))| {
            known.as_ref().is_ok_and(|known| whether(question, known))
        })
        .map(|(at, _)| at)
        .collect()
    }

    async fn request<R: Request>(&self, request: &R) -> Result<R::Answer, Failure> {
        let quiet: Duration = self.session.options().request_timeout;
        self.session.ask(self.node, request, quiet, remaining(self.deadline)).await
    }

    /// Takes the answers about the partitions `asked`; one that has none is in trouble.
    fn take<T>(
        &mut self,
        asked: Vec<usize>,
        answers: impl Iterator<Item = (TopicPartition, i16, T)>,
        take: impl Fn(&mut PartitionOffsets, T),
    ) {
        let mut silent: Vec<bool> = vec![false; self.questions.len()];
        asked.iter().for_each(|at| silent[*at] = true);
        for (partition, code, answer) in answers {
            let Some(at) = self.index.get(&partition).copied() else { continue };
            silent[at] = false;
            match (&mut self.offsets[at], code) {
                (Ok(known), 0) => take(known, answer),
                (Ok(_), code) => {
                    self.offsets[at] =
                        Err(Trouble::coded(code, &format!("offsets of {partition}")));
                }
                (Err(_), _) => {}
            }
        }
        for at in asked.into_iter().filter(|at| silent[*at]) {
            let partition = &self.questions[at].partition;
            let error = format!("broker {} gave no answer about {partition}", self.node);
            self.offsets[at] = Err(Trouble::passing(Error::unavailable(error)));
        }
    }

    fn fail(&mut self, asked: &[usize], failure: &Failure) {
        let (Failure::Lost(error) | Failure::Unsupported(error) | Failure::Refused(error)) =
            failure
        else {
            let error = "the answer about offsets is larger than any that is taken";
            return self.fail_with(asked, Remedy::LOST, &Error::unavailable(error));
        };
        let remedy = match failure {
            Failure::Lost(_) | Failure::TooLarge { .. } => Remedy::LOST,
            Failure::Unsupported(_) => crate::errors::remedy(35),
            Failure::Refused(_) => Remedy::REFUSED,
        };
        self.fail_with(asked, remedy, error);
    }

    fn fail_with(&mut self, asked: &[usize], remedy: Remedy, error: &Error) {
        for at in asked {
            let partition = &self.questions[*at].partition;
            let error = Error::new(error.kind(), error.to_string());
            let error = error.while_doing(format!("ask for the offsets of {partition}"));
            self.offsets[*at] = Err(Trouble { remedy, error });
        }
    }
}

fn not_empty(known: &PartitionOffsets) -> bool {
    known.log_start < known.high_watermark
}
