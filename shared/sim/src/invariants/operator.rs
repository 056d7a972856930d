//! What an operator may do: a reset moves partitions only as its manifest says, and twice only
//! with permission; nothing comes of a run that was aborted.

use std::collections::BTreeSet;

use bytes::Bytes;
use tidegate_core::documents::{
    self, Checkpoint, CheckpointEntry, Head, Manifest, ManifestKind, Move, OpenRun, PartitionState,
    Plan, Reset,
};
use tidegate_core::names;
use tidegate_core::ports::Document;
use tidegate_core::words::{PipelineName, TopicPartition};

use crate::file::FileContent;
use crate::world::State;

impl State {
    /// The mark of an abort is set once, and stays.
    pub(super) fn judge_mark(&mut self, was: &OpenRun, open: &OpenRun) -> Result<(), String> {
        match (&was.aborting, &open.aborting) {
            (None, Some(abort)) => {
                self.watch.aborted.insert(open.run);
                self.watch.opened.insert((open.run, abort.id));
                Ok(())
            }
            (before, now) if before == now => Ok(()),
            (before, now) => Err(format!("the mark of an abort changed: {before:?}, {now:?}")),
        }
    }

    /// After something was put in the place of what stood at `path`: an empty data file, or the
    /// manifest, of a run that is being aborted.
    pub(crate) fn check_replaced(&mut self, path: &str, bytes: &Bytes) {
        if !self.settings.watched {
            return;
        }
        if let Err(wrong) = self.judge_replaced(path, bytes) {
            self.watch.violated(format!("{path} was replaced: {wrong}"));
        }
        self.watch.first.insert(path.to_owned(), bytes.clone());
    }

    fn judge_replaced(&mut self, path: &str, bytes: &Bytes) -> Result<(), String> {
        if let Some(name) = names::ManifestFile::parse(path) {
            self.must_be_aborted(name.run)?;
            let manifest: Manifest =
                documents::decode(bytes, "the manifest").map_err(|error| error.to_string())?;
            if manifest.kind != ManifestKind::Aborted || !manifest.slices.is_empty() {
                return Err("it says that something came of the run".to_owned());
            }
            self.judge_manifest(&name, &manifest)?;
            self.watch.manifests.insert(name.run, manifest);
            return Ok(());
        }
        let name = names::DataFile::parse(path).ok_or("it is no name of a run")?;
        self.must_be_aborted(name.run)?;
        let (layout, hash) = self.watch.layouts.get(&name.run).ok_or("its run has no layout")?;
        let content = FileContent::read(bytes).map_err(|error| error.to_string())?;
        let named = layout.files.iter().any(|file| file.path == path);
        let carries = content.metadata.iter().any(|(_, value)| value == hash);
        if !content.rows.is_empty() || !named || !carries {
            return Err("it is no empty file of the layout".to_owned());
        }
        self.watch.published.retain(|_, (_, run)| *run != name.run);
        Ok(())
    }

    fn must_be_aborted(&self, run: tidegate_core::words::RunNumber) -> Result<(), String> {
        let aborted = self.watch.aborted.contains(&run);
        aborted.then_some(()).ok_or_else(|| format!("run {run} is not being aborted"))
    }

    /// An aborted run closes with its names taken, without a row, and without progress.
    pub(super) fn judge_aborted(
        &mut self,
        pipeline: &PipelineName,
        was: &OpenRun,
        after: &Head,
    ) -> Result<(), String> {
        let (layout, _) = self.watch.layouts.get(&was.run).ok_or("it has no layout")?;
        for file in &layout.files {
            let stands = self.objects.get(&file.path).ok_or(format!("{} is free", file.path))?;
            let content = FileContent::read(stands).map_err(|error| error.to_string())?;
            if !content.rows.is_empty() {
                return Err(format!("{} has rows", file.path));
            }
        }
        let manifest = self.watch.manifests.get(&was.run).ok_or("it has no manifest")?;
        if manifest.kind != ManifestKind::Aborted {
            return Err("its manifest says that it was committed".to_owned());
        }
        let before = self.watch.head.as_ref().and_then(|head| head.checkpoint.clone());
        let mut kept = BTreeSet::new();
        if after.checkpoint != before {
            let checkpoint = self.checkpoint_of(pipeline, after)?;
            self.judge_starts(&checkpoint)?;
            self.judge_told(was, &checkpoint)?;
            kept.extend(checkpoint.entries.iter().map(|entry| entry.partition.clone()));
            let placed = checkpoint.entries.into_iter().filter(|e| e.position().is_some());
            for entry in placed {
                self.watch.committed.insert(entry.partition, (entry.topic_id, entry.offset));
            }
        }
        match self.plan_of(pipeline, was)? {
            plan if plan.reset.is_some() => Ok(()),
            plan => {
                let known = |place: &TopicPartition| {
                    kept.contains(place) || self.watch.committed.contains_key(place)
                };
                match plan.entries.iter().find(|entry| !known(&entry.partition)) {
                    Some(lost) => Err(format!("the start of {} is not kept", lost.partition)),
                    None => Ok(()),
                }
            }
        }
    }

    /// What was committed stays as it was; what is new begins where the log does.
    fn judge_starts(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        for (partition, stood) in &self.watch.committed {
            let entry = checkpoint.entry(partition).ok_or(format!("{partition} is gone"))?;
            if (entry.topic_id, entry.offset) != *stood {
                return Err(format!("{partition} moved to {}", entry.offset));
            }
        }
        let mut new = checkpoint
            .entries
            .iter()
            .filter(|entry| entry.position().is_some())
            .filter(|entry| !self.watch.committed.contains_key(&entry.partition));
        new.try_for_each(|entry| self.judge_move(entry, &[]))
    }

    pub(super) fn plan_of(&self, pipeline: &PipelineName, was: &OpenRun) -> Result<Plan, String> {
        let bytes = self.document(pipeline, Document::Plan(was.run, was.plan));
        documents::decode(&bytes.ok_or("the plan is missing")?, "the plan")
            .map_err(|error| error.to_string())
    }

    /// A reset moves what it says, and nothing else.
    pub(super) fn judge_reset(
        &mut self,
        was: &OpenRun,
        reset: &Reset,
        checkpoint: &Checkpoint,
    ) -> Result<(), String> {
        let manifest = self.watch.manifests.get(&was.run).ok_or("it has no manifest")?;
        let told = (manifest.kind, manifest.reason.as_deref(), &manifest.moves);
        if told != (ManifestKind::Reset, Some(reset.reason.as_str()), &reset.moves) {
            return Err("its manifest does not say what it moves, and why".to_owned());
        }
        let losses = manifest.losses.clone();
        let mut skips = Vec::new();
        for loss in losses {
            skips.push((TopicPartition::new(loss.topic, loss.partition), loss.start, loss.end));
        }
        for partition in self.watch.committed.keys() {
            checkpoint.entry(partition).ok_or(format!("{partition} is gone"))?;
        }
        for entry in checkpoint.entries.iter().filter(|entry| entry.position().is_some()) {
            let moved = reset.moves.iter().find(|moved| moved.place() == entry.partition);
            let skipped: Vec<_> =
                skips.iter().filter(|(place, ..)| *place == entry.partition).collect();
            let skipped = skipped.first().map(|(_, start, end)| (*start, *end));
            self.judge_reset_of(entry, moved, skipped, &reset.reason)
                .map_err(|wrong| format!("{}: {wrong}", entry.partition))?;
        }
        Ok(())
    }

    fn judge_reset_of(
        &mut self,
        entry: &CheckpointEntry,
        moved: Option<&Move>,
        skipped: Option<(i64, i64)>,
        reason: &str,
    ) -> Result<(), String> {
        let stood = self.watch.committed.get(&entry.partition).copied();
        let Some(moved) = moved else {
            let stays = stood == Some((entry.topic_id, entry.offset)) && skipped.is_none();
            return stays.then_some(()).ok_or_else(|| format!("from {stood:?}, without a word"));
        };
        if (entry.topic_id, entry.offset) != (moved.topic_id, moved.to) {
            return Err(format!("it stands at {}, not at {}", entry.offset, moved.to));
        }
        if entry.state != PartitionState::Fine {
            return Err("it is not fine".to_owned());
        }
        let of_this_topic = stood.filter(|(id, _)| *id == moved.topic_id).map(|(_, at)| at);
        if moved.from != of_this_topic {
            return Err(format!("it stood at {stood:?}, not at {:?}", moved.from));
        }
        let id = moved.topic_id.ok_or("it has no topic id")?;
        let all = |start: i64, end: i64| (id, moved.partition, start)..(id, moved.partition, end);
        if let Some(again) = moved.again() {
            if !self.watch.permitted.contains(reason) {
                return Err(format!("{again} is read again, though nobody permitted it"));
            }
            let range = all(again.start(), again.end());
            self.watch.published.retain(|key, _| !range.contains(key));
            self.watch.skipped.retain(|key| !range.contains(key));
        }
        let start = moved.from.unwrap_or_else(|| skipped.map_or(moved.to, |(start, _)| start));
        let expected = (start < moved.to).then_some((start, moved.to));
        if skipped != expected {
            return Err(format!("{skipped:?} is told as skipped, not {expected:?}"));
        }
        if let Some((start, end)) = skipped {
            self.watch.skipped.extend((start..end).map(|at| (id, moved.partition, at)));
        }
        Ok(())
    }
}
