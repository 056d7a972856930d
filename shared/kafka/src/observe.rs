//! Looks at topics and partitions: requests per broker, all brokers side by side.

mod broker;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_core::error::{Error, ErrorKind, Result};
use tidegate_core::ports::{
    Cause, Observation, ObserveRequest, ObservedPartition, PartitionOffsets,
};
use tidegate_core::time::Deadline;
use tidegate_core::words::{TopicId, TopicPartition};
use tokio::task::JoinSet;

use crate::clock::{backoff, now, remaining};
use crate::errors::{Remedy, Retry, remedy};
use crate::requests::Metadata;
use crate::session::Session;
use broker::{Question, Wanted, ask};
use topics::Found;

/// Why a partition has no answer yet, and what may help.
#[derive(Debug)]
struct Trouble {
    remedy: Remedy,
    error: Error,
}

impl Trouble {
    /// An error code, said of `what`.
    fn coded(code: i16, what: &str) -> Self {
        Self { remedy: remedy(code), error: crate::errors::error(code, what) }
    }

    /// Something that new metadata or a little time may mend.
    fn passing(error: Error) -> Self {
        Self { remedy: Remedy::LOST, error }
    }
}

/// A partition and its leader, as the metadata says.
#[derive(Debug)]
struct Pending {
    leader: i32,
    leader_epoch: i32,
    failures: u32,
    trouble: Option<Trouble>,
}

/// What was seen of a partition in the end.
#[derive(Debug)]
struct Done {
    offsets: Result<PartitionOffsets, Cause>,
    /// The leader epoch in which it has no leader.
    vacant_epoch: Option<i32>,
}

impl Done {
    fn failed(pending: &Pending) -> Self {
        let vacant = pending.leader < 0 && pending.leader_epoch >= 0;
        Self { offsets: Err(pending.cause()), vacant_epoch: vacant.then_some(pending.leader_epoch) }
    }
}

/// See [`tidegate_core::ports::LogSource::observe`].
pub(crate) async fn observe(
    session: &Arc<Session>,
    request: &ObserveRequest,
    deadline: Deadline,
) -> Result<Observation> {
    let options = session.options();
    // What wants no offsets is a reader's check, before and after its fetch: it has as much
    // patience as the fetch itself.
    let patience = if request.offsets { options.observe_retry_for } else { options.retry_for };
    let found = topics::find(session, &request.topics, patience, deadline).await?;
    let mut round = Rounds::new(Arc::clone(session), request, &found);
    round.run(deadline).await;
    Ok(round.into_observation(found))
}

/// Asks the brokers again and again, until each partition has an answer or a cause.
struct Rounds {
    session: Arc<Session>,
    wanted: Arc<Wanted>,
    epochs: BTreeMap<TopicPartition, i32>,
    /// The topics' ids, as they were found.
    ids: BTreeMap<Arc<str>, TopicId>,
    pending: BTreeMap<TopicPartition, Pending>,
    done: BTreeMap<TopicPartition, Done>,
}

impl Rounds {
    fn new(session: Arc<Session>, request: &ObserveRequest, found: &Found) -> Self {
        let isolation = session.spec().isolation_level;
        let wanted = Wanted {
            offsets: request.offsets,
            start_time: request.start_time,
            end_time: request.end_time,
            isolation,
        };
        let epochs = request.epochs.iter().map(|one| (one.partition.clone(), one.epoch)).collect();
        let mut rounds = Self {
            session,
            wanted: Arc::new(wanted),
            epochs,
            ids: BTreeMap::new(),
            pending: BTreeMap::new(),
            done: BTreeMap::new(),
        };
        for topic in found.topics.values() {
            rounds.ids.extend(topic.id.map(|id| (Arc::clone(&topic.name), id)));
            for partition in &topic.partitions {
                let key = TopicPartition::new(Arc::clone(&topic.name), partition.partition);
                rounds.pending.insert(key, Pending::new(partition.leader, partition.leader_epoch));
            }
        }
        rounds
    }

    async fn run(&mut self, deadline: Deadline) {
        let patience = self.session.options().observe_retry_for;
        let give_up = Deadline(now().after(patience)).min(deadline);
        let mut failures = 0;
        loop {
            self.ask_leaders(deadline).await;
            self.settle_what_nothing_helps();
            failures += 1;
            let wait = backoff(failures);
            // One more round always: a frozen broker used up the time, and another may lead now.
            let end = if failures == 1 { deadline } else { give_up };
            if self.pending.is_empty() || wait >= remaining(end) {
                break;
            }
            tokio::time::sleep(wait).await;
            self.refresh(deadline).await;
        }
        for (partition, pending) in std::mem::take(&mut self.pending) {
            self.done.insert(partition, Done::failed(&pending));
        }
    }

    /// One question after another to each leader; the leaders side by side.
    async fn ask_leaders(&mut self, deadline: Deadline) {
        let mut by_leader: BTreeMap<i32, Vec<Question>> = BTreeMap::new();
        for (partition, pending) in &mut self.pending {
            if pending.leader < 0 {
                pending.fail(Trouble::coded(5, &partition.to_string()));
                continue;
            }
            by_leader.entry(pending.leader).or_default().push(Question {
                partition: partition.clone(),
                leader_epoch: pending.leader_epoch,
                epoch: self.epochs.get(partition).copied(),
            });
        }
        let mut jobs = JoinSet::new();
        for (leader, questions) in by_leader {
            let (session, wanted) = (Arc::clone(&self.session), Arc::clone(&self.wanted));
            jobs.spawn(async move { ask(&session, leader, questions, &wanted, deadline).await });
        }
        while let Some(answers) = jobs.join_next().await {
            // A job that panicked leaves its partitions without an answer, which is said below.
            for (partition, answer) in answers.unwrap_or_default() {
                self.take(partition, answer);
            }
        }
    }

    fn take(&mut self, partition: TopicPartition, answer: Result<PartitionOffsets, Trouble>) {
        match answer {
            Ok(offsets) => {
                self.pending.remove(&partition);
                self.done.insert(partition, Done { offsets: Ok(offsets), vacant_epoch: None });
            }
            Err(trouble) => {
                if let Some(pending) = self.pending.get_mut(&partition) {
                    pending.fail(trouble);
                }
            }
        }
    }

    fn settle_what_nothing_helps(&mut self) {
        let hopeless = self.pending.extract_if(.., |_, pending| pending.is_hopeless());
        self.done.extend(hopeless.map(|(partition, p)| (partition, Done::failed(&p))));
    }

    /// Who leads the partitions that are left?
    async fn refresh(&mut self, deadline: Deadline) {
        let refreshing = |pending: &Pending| {
            pending.trouble.as_ref().is_none_or(|trouble| trouble.remedy.retry == Retry::Refresh)
        };
        let mut topics: Vec<Arc<str>> = Vec::new();
        for (partition, pending) in &self.pending {
            if refreshing(pending) && topics.last() != Some(&partition.topic) {
                topics.push(Arc::clone(&partition.topic));
            }
        }
        if topics.is_empty() {
            return;
        }
        // An error here is met again by the next round's questions.
        let request = Metadata { topics: Some(topics) };
        let Ok(answer) = self.session.metadata(&request, deadline).await else { return };
        for topic in &answer.topics {
            let before = self.ids.get(&topic.name);
            if topic.id.is_some_and(|id| before.is_some_and(|before| *before != id)) {
                self.leave_out(&topic.name);
            }
            for partition in &topic.partitions {
                let key = TopicPartition::new(Arc::clone(&topic.name), partition.partition);
                if let Some(pending) = self.pending.get_mut(&key) {
                    pending.leader = partition.leader;
                    pending.leader_epoch = partition.leader_epoch;
                }
            }
        }
    }

    /// A topic that was made anew in the middle: offsets of the one are no offsets of the other.
    /// The next observation sees the new one.
    fn leave_out(&mut self, topic: &Arc<str>) {
        let cause = Cause {
            kind: ErrorKind::Unavailable,
            message: format!("topic {topic} was deleted and created anew while it was looked at"),
        };
        let changed = || Done { offsets: Err(cause.clone()), vacant_epoch: None };
        let pending = self.pending.extract_if(.., |partition, _| partition.topic == *topic);
        self.done.extend(pending.map(|(partition, _)| (partition, changed())));
        let done = self.done.iter_mut().filter(|(partition, _)| partition.topic == *topic);
        done.for_each(|(_, done)| *done = changed());
    }

    fn into_observation(self, found: Found) -> Observation {
        let ids = self.ids;
        let partitions = self.done.into_iter().map(|(partition, done)| {
            let topic_id = ids.get(&partition.topic).copied();
            let Done { offsets, vacant_epoch } = done;
            ObservedPartition { partition, topic_id, offsets, vacant_epoch }
        });
        Observation {
            cluster_id: found.cluster_id,
            partitions: partitions.collect(),
            topics_missing: found.missing,
        }
    }
}

impl Pending {
    fn new(leader: i32, leader_epoch: i32) -> Self {
        Self { leader, leader_epoch, failures: 0, trouble: None }
    }

    fn fail(&mut self, trouble: Trouble) {
        self.failures += 1;
        self.trouble = Some(trouble);
    }

    fn is_hopeless(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| self.failures > trouble.remedy.tries)
    }

    fn cause(&self) -> Cause {
        match &self.trouble {
            Some(trouble) => Cause::from(&trouble.error),
            None => Cause {
                kind: ErrorKind::Unavailable,
                message: format!("broker {} gave no answer about it", self.leader),
            },
        }
    }
}
