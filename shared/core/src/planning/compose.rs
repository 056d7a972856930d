//! A run's plan, from what was observed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::batching::{self, Pending};
use super::caps::{self, Demand, Share};
use super::judge::{Case, Judged, judge};
use super::pack::{self, Item, Piece};
use crate::documents::{
    self, Checkpoint, CheckpointEntry, CheckpointRef, FORMAT, LeftOut, Loss, PartitionState, Plan,
    PlannedEnd, PlannedSlice, Task, Why,
};
use crate::error::Result;
use crate::ports::Observation;
use crate::spec::Spec;
use crate::time::Millis;
use crate::words::{OffsetRange, RandomId, RunNumber};

/// The name of the schema that all tables of a plan have.
const RAW_SCHEMA: &str = "raw-1";

/// What a new run is.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The head's birth id.
    pub birth_id: RandomId,
    /// Its number.
    pub run: RunNumber,
    /// Its plan's name.
    pub plan: RandomId,
    /// Now.
    pub now: Millis,
    /// What it goes on from; none before the first commit.
    pub base: Option<CheckpointRef>,
}

/// A plan and its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedRun {
    /// The plan.
    pub plan: Plan,
    /// Its tasks.
    pub tasks: Vec<Task>,
}

impl PlannedRun {
    /// Whether there is anything to do: something to read, or an entry to make or change.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty() && self.plan.entries.is_empty()
    }
}

/// A partition that may be read in this run.
struct Candidate {
    entry: CheckpointEntry,
    pending: OffsetRange,
    leader_epoch: i32,
    table: Arc<str>,
}

impl Candidate {
    fn mean_bytes(&self) -> u64 {
        self.entry.mean_bytes.unwrap_or(super::MEAN_BYTES_UNKNOWN).max(1)
    }
}

/// Plans a run. `Config` if the spec asks for what is not there.
pub fn plan(
    spec: &Spec,
    checkpoint: &Checkpoint,
    seen: &Observation,
    new: &NewRun,
) -> Result<PlannedRun> {
    let mut draft = Draft::default();
    let mut candidates = Vec::new();
    draft.missing_topics(seen);
    for observed in &seen.partitions {
        let judged = judge(Case {
            spec,
            first_run: new.base.is_none(),
            same_cluster: checkpoint.cluster_id == seen.cluster_id,
            entry: checkpoint.entry(&observed.partition),
            observed,
        })?;
        candidates.extend(draft.take(spec, judged));
    }
    let candidates = draft.without_waiting(spec, new.now, candidates);
    let (quarantined, fine): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|c| matches!(c.entry.state, PartitionState::Quarantined(_)));
    let quarantined = draft.due(spec, new, quarantined);
    let readers = usize::try_from(spec.limits.readers).unwrap_or(usize::MAX);
    let mut tasks = draft.pack(spec, fine, readers.saturating_sub(quarantined.len()).max(1));
    let first_quarantined = tasks.len();
    tasks.extend(quarantined.iter().map(|candidate| vec![smallest_slice(candidate)]));
    let tasks: Vec<Task> =
        (0..).zip(tasks).map(|(task, slices)| Task { format: FORMAT, task, slices }).collect();
    let quarantined_tasks = tasks.iter().skip(first_quarantined).map(|task| task.task).collect();
    Ok(draft.finish(spec, seen, new, tasks, quarantined_tasks))
}

/// What a plan is made of beside its tasks.
#[derive(Default)]
struct Draft {
    losses: Vec<Loss>,
    entries: Vec<CheckpointEntry>,
    ends: Vec<PlannedEnd>,
    left_out: Vec<LeftOut>,
    backlog: bool,
}

impl Draft {
    fn missing_topics(&mut self, seen: &Observation) {
        self.left_out.extend(seen.topics_missing.iter().map(|(topic, cause)| LeftOut {
            topic: Arc::from(topic.as_str()),
            partition: None,
            why: Why::Unobserved(cause.clone()),
            message: cause.message.clone(),
        }));
    }

    /// Takes what a judgement says; answers the partition if there is something to read.
    fn take(&mut self, spec: &Spec, judged: Judged) -> Option<Candidate> {
        let table = judged.entry.as_ref().map(|entry| spec.table_of(&entry.partition.topic));
        if let (Some(Err(error)), Some(entry)) = (&table, &judged.entry) {
            self.leave_out(&entry.partition.topic, None, Why::Table, error.message());
            return None;
        }
        self.ends.extend(judged.end);
        self.losses.extend(judged.loss);
        if let (true, Some(entry)) = (judged.changed, &judged.entry) {
            self.entries.push(entry.clone());
        }
        match (judged.standing, judged.entry, table) {
            (Ok(standing), Some(entry), Some(Ok(table))) => Some(Candidate {
                entry,
                pending: standing.pending?,
                leader_epoch: standing.leader_epoch,
                table: table.into(),
            }),
            (Err(left_out), _, _) => {
                self.left_out.push(left_out);
                None
            }
            (Ok(_), _, _) => None,
        }
    }

    fn leave_out(&mut self, topic: &Arc<str>, partition: Option<i32>, why: Why, message: &str) {
        let topic = Arc::clone(topic);
        let left_out = LeftOut { topic, partition, why, message: message.to_owned() };
        if !self.left_out.contains(&left_out) {
            self.left_out.push(left_out);
        }
    }

    /// Leaves out the topics that wait for `batching`.
    fn without_waiting(
        &mut self,
        spec: &Spec,
        now: Millis,
        candidates: Vec<Candidate>,
    ) -> Vec<Candidate> {
        let pending: Vec<_> = candidates
            .iter()
            .map(|c| Pending {
                topic: Arc::clone(&c.entry.partition.topic),
                bytes: c.pending.count().saturating_mul(c.mean_bytes()),
                last_read: c.entry.last_read,
            })
            .collect();
        let waiting = batching::waiting(&spec.batching, now, &pending);
        for (topic, bytes) in &waiting {
            let message = format!(
                "about {bytes} bytes are pending: it waits for batching.min_bytes ({}) or \
                 batching.max_wait ({} s) since it was last read",
                spec.batching.min_bytes,
                spec.batching.max_wait.as_secs()
            );
            self.leave_out(topic, None, Why::Batching, &message);
        }
        let waits = |c: &Candidate| waiting.contains_key(&c.entry.partition.topic);
        candidates.into_iter().filter(|c| !waits(c)).collect()
    }

    /// The quarantined partitions whose time has come, at most a quarter of the tasks.
    fn due(
        &mut self,
        spec: &Spec,
        new: &NewRun,
        mut quarantined: Vec<Candidate>,
    ) -> Vec<Candidate> {
        let places = usize::try_from(spec.limits.readers / 4).unwrap_or(usize::MAX).max(1);
        quarantined.sort_by_key(|c| c.entry.last_read);
        let mut due = Vec::new();
        for candidate in quarantined {
            let PartitionState::Quarantined(quarantine) = &candidate.entry.state else { continue };
            let ripe = new.run >= quarantine.retry_run || new.now >= quarantine.retry_at;
            if due.len() < places && ripe {
                due.push(candidate);
                continue;
            }
            let message = format!(
                "quarantined after {} failures, tried again from run {} on: {}",
                quarantine.failures, quarantine.retry_run, quarantine.cause
            );
            let partition = candidate.entry.partition.partition;
            let topic = &candidate.entry.partition.topic;
            self.leave_out(topic, Some(partition), Why::Quarantined, &message);
        }
        due
    }

    /// Caps and packs the partitions that are fine, the longest waiting first.
    fn pack(
        &mut self,
        spec: &Spec,
        mut candidates: Vec<Candidate>,
        readers: usize,
    ) -> Vec<Vec<PlannedSlice>> {
        candidates.sort_by(|a, b| {
            let key = |c: &Candidate| (c.entry.last_read, c.entry.last_timestamp);
            key(a).cmp(&key(b)).then_with(|| a.entry.partition.cmp(&b.entry.partition))
        });
        let demand =
            |c: &Candidate| Demand { offsets: c.pending.count(), mean_bytes: c.mean_bytes() };
        let demands: Vec<_> = candidates.iter().map(demand).collect();
        let shares = caps::shares(&spec.limits, &demands);
        let served: Vec<(Candidate, Share)> = candidates
            .into_iter()
            .zip(shares)
            .filter_map(|(candidate, share)| self.served(candidate, share))
            .collect();
        let items: Vec<_> = served
            .iter()
            .map(|(c, share)| Item {
                start: c.pending.start(),
                offsets: share.offsets,
                mean_bytes: c.mean_bytes(),
            })
            .collect();
        let capacity = spec.limits.bytes_per_task.get();
        let tasks = pack::pack(&items, readers, capacity);
        self.note_what_did_not_fit(&served, &tasks);
        let slice = |piece: Piece| {
            let (candidate, share) = &served[piece.item];
            let bytes_max = piece.whole.then(|| share.bytes_max.unwrap_or(capacity));
            slice(candidate, piece.range, bytes_max)
        };
        tasks
            .into_iter()
            .map(|pieces| {
                let mut slices: Vec<_> = pieces.into_iter().map(slice).collect();
                slices.sort_by(|a, b| {
                    (!a.leads, &a.partition, a.range).cmp(&(!b.leads, &b.partition, b.range))
                });
                slices
            })
            .collect()
    }

    fn served(&mut self, candidate: Candidate, share: Share) -> Option<(Candidate, Share)> {
        self.backlog |= share.offsets < candidate.pending.count();
        if share.offsets > 0 {
            return Some((candidate, share));
        }
        self.capped(&candidate);
        None
    }

    fn note_what_did_not_fit(&mut self, served: &[(Candidate, Share)], tasks: &[Vec<Piece>]) {
        let mut planned: BTreeMap<usize, u64> = BTreeMap::new();
        for piece in tasks.iter().flatten() {
            *planned.entry(piece.item).or_default() += piece.range.count();
        }
        for (index, (candidate, share)) in served.iter().enumerate() {
            let offsets = planned.get(&index).copied().unwrap_or(0);
            self.backlog |= offsets < share.offsets;
            if offsets == 0 {
                self.capped(candidate);
            }
        }
    }

    fn capped(&mut self, candidate: &Candidate) {
        let partition = &candidate.entry.partition;
        let message = format!(
            "{} offsets are pending: this run's limits are used up, it comes first in a later one",
            candidate.pending.count()
        );
        self.leave_out(&partition.topic, Some(partition.partition), Why::Capped, &message);
    }

    fn finish(
        mut self,
        spec: &Spec,
        seen: &Observation,
        new: &NewRun,
        tasks: Vec<Task>,
        quarantined_tasks: Vec<u32>,
    ) -> PlannedRun {
        let canonical = spec.to_json();
        let tables: BTreeSet<_> =
            tasks.iter().flat_map(|task| &task.slices).map(|slice| &slice.table).collect();
        let schema = |table: &&Arc<str>| ((**table).to_string(), RAW_SCHEMA.to_owned());
        self.losses.sort();
        let plan = Plan {
            format: FORMAT,
            pipeline: spec.pipeline.clone(),
            birth_id: new.birth_id,
            run: new.run,
            plan: new.plan,
            planned_at: new.now,
            spec_hash: documents::hash(&documents::encode(&canonical)),
            spec: canonical,
            base: new.base.clone(),
            cluster_id: seen.cluster_id.clone(),
            tasks: u32::try_from(tasks.len()).expect("at most 1,000 readers and a quarter more"),
            task_hashes: tasks
                .iter()
                .map(|task| documents::hash(&documents::encode(task)))
                .collect(),
            quarantined_tasks,
            schemas: tables.iter().map(schema).collect(),
            losses: self.losses,
            entries: self.entries,
            backlog: self.backlog,
            ends: self.ends,
            left_out: self.left_out,
        };
        PlannedRun { plan, tasks }
    }
}

/// One offset: the smallest cap there is.
fn smallest_slice(candidate: &Candidate) -> PlannedSlice {
    let start = candidate.pending.start();
    let range = OffsetRange::new(start, start + 1).expect("pending ranges are not empty");
    slice(candidate, range, None)
}

fn slice(candidate: &Candidate, range: OffsetRange, bytes_max: Option<u64>) -> PlannedSlice {
    PlannedSlice {
        partition: candidate.entry.partition.clone(),
        topic_id: candidate.entry.topic_id,
        range,
        leader_epoch: candidate.leader_epoch,
        leads: range.start() == candidate.pending.start(),
        table: Arc::clone(&candidate.table),
        bytes_max,
        bytes_expected: range.count().saturating_mul(candidate.mean_bytes()),
    }
}
