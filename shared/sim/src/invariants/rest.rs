//! What must hold once nothing goes wrong any more and nothing is under way: everything that
//! can be copied is, and nothing is left over.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::documents::{Checkpoint, PartitionState};
use tidegate_core::names;
use tidegate_core::ports::Document;
use tidegate_core::words::{PipelineName, TopicPartition};

use crate::kafka::Kafka;
use crate::world::State;

impl State {
    /// Whether the checkpoint stands at the end of every log, but for stopped partitions.
    pub(crate) fn caught_up(&self) -> bool {
        self.unfinished().is_none()
    }

    /// What is left to do.
    pub(crate) fn left_to_do(&self) -> String {
        self.unfinished().unwrap_or_else(|| "nothing, but something is under way".to_owned())
    }

    fn unfinished(&self) -> Option<String> {
        let Some(head) = &self.watch.head else { return Some("there is no head".to_owned()) };
        if let Some(open) = &head.open {
            return Some(format!("run {} is open", open.run));
        }
        for (name, topic) in self.kafka.topics() {
            for (index, log) in (0..).zip(&topic.partitions) {
                let partition = TopicPartition::new(Arc::clone(name), index);
                if self.watch.stopped.contains(&partition) {
                    continue;
                }
                let end = Kafka::end_of(log, self.watch.isolation);
                let stands = self.watch.committed.get(&partition);
                let done = match stands {
                    Some((id, offset)) => *id == Some(topic.id) && *offset == end,
                    None => end == 0,
                };
                if !done {
                    return Some(format!("{partition}: {stands:?} of {end}"));
                }
            }
        }
        None
    }

    /// At rest, nothing is left over; of staged files, if a run `swept` them.
    pub(crate) fn judge_rest(&self, may_stop: bool, swept: bool) -> Result<(), String> {
        if let (false, Some(partition)) = (may_stop, self.watch.stopped.first()) {
            return Err(format!("{partition} was stopped without a cause"));
        }
        let mut named = BTreeSet::new();
        for (run, manifest) in &self.watch.manifests {
            if !self.watch.closed.contains(run) {
                return Err(format!("the manifest of run {run} was never committed"));
            }
            named.extend(manifest.files.iter().map(|file| file.path.as_str()));
        }
        for path in self.objects.paths() {
            if swept && self.should_be_swept(path) {
                return Err(format!("{path} is left over"));
            }
            if names::DataFile::parse(path).is_some() && !named.remove(path.as_str()) {
                return Err(format!("no manifest names {path}"));
            }
        }
        match named.first() {
            Some(path) => Err(format!("{path} does not stand, though a manifest names it")),
            None => self.judge_records(),
        }
    }

    /// Whether the run that closed last should have removed `path`. A second reader of that run,
    /// whose output came too late, may have written it since: the next run removes it.
    fn should_be_swept(&self, path: &str) -> bool {
        let Some(staged) = names::StagedFile::parse(path) else { return false };
        let of_last = self.watch.closed.last() == Some(&staged.run);
        let used = self.watch.layouts.get(&staged.run).is_some_and(|(layout, _)| {
            layout.files.iter().flat_map(|file| &file.staged).any(|used| used == path)
        });
        !of_last || used
    }

    /// Every visible record of every log that is not stopped stands in a data file.
    fn judge_records(&self) -> Result<(), String> {
        for (name, topic) in self.kafka.topics() {
            for (index, log) in (0..).zip(&topic.partitions) {
                let partition = TopicPartition::new(Arc::clone(name), index);
                if self.watch.stopped.contains(&partition) {
                    continue;
                }
                let begun = self.watch.begun.get(&(topic.id, index)).copied();
                for offset in begun.unwrap_or(0).max(log.log_start())..log.high_watermark() {
                    let visible =
                        log.slot(offset).is_some_and(|slot| slot.visible(self.watch.isolation));
                    let skipped = self.watch.skipped.contains(&(topic.id, index, offset));
                    if visible
                        && !skipped
                        && !self.watch.published.contains_key(&(topic.id, index, offset))
                    {
                        return Err(format!("{partition} offset {offset} was never published"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Remembers which partitions a committed checkpoint stops.
    pub(super) fn note_stopped(&mut self, checkpoint: &Checkpoint) {
        let stopped = checkpoint.entries.iter().filter(|entry| match entry.state {
            PartitionState::Stopped { .. } => true,
            PartitionState::Fine
            | PartitionState::Quarantined(_)
            | PartitionState::Unresolved { .. } => false,
        });
        self.watch.stopped = stopped.map(|entry| entry.partition.clone()).collect();
    }

    /// The document's bytes, if it has not expired.
    pub(super) fn document(&self, pipeline: &PipelineName, document: Document) -> Option<Bytes> {
        self.tables.get(pipeline).and_then(|table| table.load(document, self.now))
    }
}
