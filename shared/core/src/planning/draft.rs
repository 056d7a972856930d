//! A plan in the making.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::batching::{self, Pending};
use super::caps::{self, Demand, Share};
use super::compose::{NewRun, PlannedRun};
use super::judge::Judged;
use super::pack::{self, Item, Piece};
use crate::documents::{
    self, Checkpoint, CheckpointEntry, FORMAT, LeftOut, Loss, PartitionState, Plan, PlannedEnd,
    PlannedSlice, Task, Why,
};
use crate::ports::Observation;
use crate::spec::{Spec, Start};
use crate::time::Millis;
use crate::words::OffsetRange;

/// The name of the schema that all tables of a plan have.
const RAW_SCHEMA: &str = "raw-1";

/// A partition that may be read in this run.
pub(super) struct Candidate {
    pub(super) entry: CheckpointEntry,
    pending: OffsetRange,
    leader_epoch: i32,
    table: Arc<str>,
}

impl Candidate {
    fn mean_bytes(&self) -> u64 {
        self.entry.mean_bytes.unwrap_or(super::MEAN_BYTES_UNKNOWN).max(1)
    }

    /// Whether the last run that tried to read it got nothing.
    fn failed(&self) -> bool {
        self.entry.last_tried.is_some()
    }
}

/// What a plan is made of beside its tasks.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) losses: Vec<Loss>,
    pub(super) entries: Vec<CheckpointEntry>,
    pub(super) ends: Vec<PlannedEnd>,
    left_out: Vec<LeftOut>,
    backlog: bool,
}

impl Draft {
    /// A draft that leaves these out, and keeps these entries, whatever else there is.
    pub(super) fn new(left_out: Vec<LeftOut>, entries: Vec<CheckpointEntry>) -> Self {
        Self { left_out, entries, ..Self::default() }
    }

    /// Takes what a judgement says; answers the partition if there is something to read.
    pub(super) fn take(&mut self, spec: &Spec, judged: Judged) -> Option<Candidate> {
        let table = judged.entry.as_ref().map(|entry| spec.table_of(&entry.partition.topic));
        if let (Some(Err(error)), Some(entry)) = (&table, &judged.entry) {
            let topic = &entry.partition.topic;
            let told = |out: &LeftOut| out.topic == *topic && out.why == Why::Table;
            // Partitions come topic by topic: once is enough.
            if !self.left_out.last().is_some_and(told) {
                self.leave_out(topic, None, Why::Table, error.message());
            }
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
        self.left_out.push(LeftOut { topic, partition, why, message: message.to_owned() });
    }

    /// Leaves out the topics that wait for `batching`.
    pub(super) fn without_waiting(
        &mut self,
        spec: &Spec,
        checkpoint: &Checkpoint,
        now: Millis,
        candidates: Vec<Candidate>,
    ) -> Vec<Candidate> {
        // A topic was last read when any partition of it was, pending or not.
        let mut last_read: BTreeMap<&str, Option<Millis>> = BTreeMap::new();
        for entry in &checkpoint.entries {
            let at = last_read.entry(&entry.partition.topic).or_default();
            *at = (*at).max(entry.last_read);
        }
        let pending: Vec<_> = candidates
            .iter()
            .map(|c| Pending {
                topic: Arc::clone(&c.entry.partition.topic),
                bytes: c.pending.count().saturating_mul(c.mean_bytes()),
                last_read: last_read.get(&*c.entry.partition.topic).copied().flatten(),
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
    pub(super) fn due(
        &mut self,
        spec: &Spec,
        new: &NewRun,
        mut quarantined: Vec<Candidate>,
    ) -> Vec<Candidate> {
        let places = usize::try_from(spec.limits.readers / 4).unwrap_or(usize::MAX).max(1);
        quarantined.sort_by_key(|c| c.entry.last_served());
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
    pub(super) fn pack(
        &mut self,
        spec: &Spec,
        mut candidates: Vec<Candidate>,
        readers: usize,
    ) -> Vec<Vec<PlannedSlice>> {
        candidates.sort_by(|a, b| {
            let key = |c: &Candidate| (c.entry.last_served(), c.entry.last_timestamp);
            key(a).cmp(&key(b)).then_with(|| a.entry.partition.cmp(&b.entry.partition))
        });
        // What gave nothing when it was tried last must not take the others' share: one offset
        // shows whether it does now.
        let all_failed = candidates.iter().all(Candidate::failed);
        let demand = |c: &Candidate| Demand {
            offsets: if c.failed() && !all_failed { 1 } else { c.pending.count() },
            mean_bytes: c.mean_bytes(),
        };
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

    pub(super) fn finish(
        mut self,
        spec: &Spec,
        seen: &Observation,
        new: &NewRun,
        tasks: Vec<Task>,
        quarantined: Vec<u32>,
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
            schemas: tables.iter().map(schema).collect(),
            losses: self.losses,
            entries: self.entries,
            backlog: self.backlog,
            ends: self.ends,
            left_out: self.left_out,
            reset: None,
        };
        let decides_starts = new.base.is_none() && spec.start != Start::Earliest;
        PlannedRun { plan, tasks, quarantined, decides_starts }
    }
}

/// One offset: the smallest cap there is.
pub(super) fn smallest_slice(candidate: &Candidate) -> PlannedSlice {
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
