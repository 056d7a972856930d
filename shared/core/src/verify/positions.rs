//! Where each partition stands, followed from manifest to manifest, and the checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Finding;
use crate::documents::{Checkpoint, Manifest, ManifestEntry, Move, UNRESOLVED};
use crate::words::{TopicId, TopicPartition};

/// Where the partitions stand, as the manifests tell it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions {
    at: BTreeMap<TopicPartition, Position>,
}

/// Where a partition stands.
#[derive(Clone, Debug)]
struct Position {
    /// None while it is not known where the partition begins.
    offset: Option<i64>,
    /// The last entry that a manifest had.
    entry: Option<ManifestEntry>,
}

/// A range of offsets that a manifest tells of.
struct Told<'a> {
    start: i64,
    end: i64,
    topic_id: Option<TopicId>,
    what: &'a str,
}

impl Positions {
    /// Nothing is known any more: a manifest is missing.
    pub(crate) fn forget(&mut self) {
        self.at.clear();
    }

    /// How many partitions the manifests told of.
    pub(crate) fn partitions(&self) -> usize {
        self.at.len()
    }

    /// Checks that slices and losses go on where the manifests before ended, without hole or
    /// overlap, and that the checkpoint's entries say so.
    pub(crate) fn follow(&mut self, path: &str, manifest: &Manifest) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut wrong = |message: String| findings.push(Finding::new(path, message));
        let mut entries: BTreeMap<TopicPartition, &ManifestEntry> = BTreeMap::new();
        for entry in &manifest.checkpoint {
            let partition = TopicPartition::new(Arc::clone(&entry.topic), entry.partition);
            if entries.insert(partition.clone(), entry).is_some() {
                wrong(format!("{partition}: it has two entries of the checkpoint"));
            }
        }
        for moved in &manifest.moves {
            self.move_to(moved).into_iter().for_each(&mut wrong);
        }
        for (partition, ranges) in told(manifest) {
            if !entries.contains_key(&partition) {
                wrong(format!("{partition}: it moves on, and has no entry of the checkpoint"));
            }
            for range in ranges {
                self.tile(&partition, &range).into_iter().for_each(&mut wrong);
            }
        }
        for (partition, entry) in entries {
            self.enter(&partition, entry).into_iter().for_each(&mut wrong);
        }
        findings
    }

    /// Only a reset may move a partition back, or begin anew with another topic of its name, and
    /// only from where it stands.
    fn move_to(&mut self, moved: &Move) -> Option<String> {
        let place = moved.place();
        let Some(from) = moved.from else {
            // What was read of the former topic says nothing of this one.
            self.at.remove(&place);
            return None;
        };
        let known = self.at.get_mut(&place)?;
        let at = known.offset;
        if moved.again().is_some() {
            known.offset = Some(moved.to);
        }
        at.filter(|at| *at != from)
            .map(|at| format!("{place}: it is moved from {from}, and stood at {at}"))
    }

    /// A range must begin where its partition stands, in the topic that was read before.
    fn tile(&mut self, partition: &TopicPartition, range: &Told<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        let known = self.at.get(partition);
        let at = known.and_then(|known| known.offset).unwrap_or(range.start);
        if at != range.start {
            let what = if at < range.start { "a hole" } else { "an overlap" };
            wrong.push(format!(
                "{partition}: {what}: it stood at {at}, and {} begins at {}",
                range.what, range.start
            ));
        }
        let id = known.and_then(|known| known.entry.as_ref()).and_then(|entry| entry.topic_id);
        wrong.extend(other_topic(partition, id, range.topic_id));
        let entry = known.and_then(|known| known.entry.clone());
        self.at.insert(partition.clone(), Position { offset: Some(range.end), entry });
        wrong
    }

    /// An entry must say where the partition stands.
    fn enter(&mut self, partition: &TopicPartition, entry: &ManifestEntry) -> Vec<String> {
        let mut wrong = Vec::new();
        if let Some(known) = self.at.get(partition) {
            if let Some(at) = known.offset.filter(|at| *at != entry.offset) {
                let says = entry.offset;
                wrong.push(format!("{partition}: its checkpoint is {says}, and it stands at {at}"));
            }
            let id = known.entry.as_ref().and_then(|entry| entry.topic_id);
            wrong.extend(other_topic(partition, id, entry.topic_id));
        }
        let offset = (entry.state != UNRESOLVED).then_some(entry.offset);
        let position = Position { offset, entry: Some(entry.clone()) };
        self.at.insert(partition.clone(), position);
        wrong
    }
}

/// An id that is known never becomes another by itself.
fn other_topic(
    partition: &TopicPartition,
    before: Option<TopicId>,
    now: Option<TopicId>,
) -> Option<String> {
    let (before, now) = (before?, now?);
    (before != now).then(|| {
        format!("{partition}: it is of topic id {now}, and what was read before is of {before}")
    })
}

/// Slices and losses of each partition, in order.
fn told(manifest: &Manifest) -> BTreeMap<TopicPartition, Vec<Told<'_>>> {
    let mut told: BTreeMap<TopicPartition, Vec<Told<'_>>> = BTreeMap::new();
    for slice in &manifest.slices {
        let partition = TopicPartition::new(Arc::clone(&slice.topic), slice.partition);
        let (start, end, topic_id) = (slice.start, slice.reached, slice.topic_id);
        told.entry(partition).or_default().push(Told { start, end, topic_id, what: "a slice" });
    }
    for loss in &manifest.losses {
        let partition = TopicPartition::new(Arc::clone(&loss.topic), loss.partition);
        let (start, end, topic_id) = (loss.start, loss.end, loss.topic_id);
        told.entry(partition).or_default().push(Told { start, end, topic_id, what: "a loss" });
    }
    told.values_mut().for_each(|ranges| ranges.sort_by_key(|range| (range.start, range.end)));
    told
}

/// Checks the current checkpoint against all that the manifests tell. Entries whose last change
/// no manifest told of yet are passed over; `all`: whether all manifests were followed.
pub(crate) fn check_checkpoint(
    checkpoint: &Checkpoint,
    told: &Positions,
    all: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wrong = |message: String| findings.push(Finding::new("the checkpoint", message));
    for entry in checkpoint.entries.iter().filter(|entry| !entry.untold) {
        let partition = &entry.partition;
        let entry = ManifestEntry::of(entry);
        match told.at.get(partition).and_then(|told| told.entry.as_ref()) {
            Some(told) => entry_faults(partition, &entry, told).into_iter().for_each(&mut wrong),
            None if all => {
                wrong(format!("{partition} is at {}, and no manifest tells of it", entry.offset))
            }
            None => {}
        }
    }
    for (partition, position) in &told.at {
        if checkpoint.entry(partition).is_none() {
            let at = position.offset.map_or("unresolved".to_owned(), |at| format!("at {at}"));
            wrong(format!("{partition} is missing, and a manifest says that it is {at}"));
        }
    }
    findings
}

fn entry_faults(
    partition: &TopicPartition,
    entry: &ManifestEntry,
    told: &ManifestEntry,
) -> Vec<String> {
    let topic_id = |entry: &ManifestEntry| entry.topic_id.map(|id| id.to_string());
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let fields = [
        ("offset", entry.offset.to_string(), told.offset.to_string()),
        ("state", entry.state.clone(), told.state.clone()),
        ("topic id", or_none(topic_id(entry)), or_none(topic_id(told))),
        ("leader epoch", entry.leader_epoch.to_string(), told.leader_epoch.to_string()),
        ("reason", or_none(entry.reason.clone()), or_none(told.reason.clone())),
        ("cause", or_none(entry.cause.clone()), or_none(told.cause.clone())),
    ];
    let differ = fields.into_iter().filter(|(_, has, said)| has != said);
    differ
        .map(|(field, has, said)| {
            format!("{partition}: its {field} is {has}, and the manifests say {said}")
        })
        .collect()
}
