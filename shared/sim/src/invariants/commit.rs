//! Each commit: every offset that the checkpoint moves over is accounted for, and every visible
//! record among them stands in one data file.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_core::documents::{
    self, Checkpoint, CheckpointEntry, CountedSlice, Head, OpenRun, Plan,
};
use tidegate_core::ports::Document;
use tidegate_core::words::{PipelineName, TopicPartition};

use crate::kafka::{Log, SlotKind};
use crate::world::State;

/// What a run did to a partition: ranges of offsets, in order.
type Moves = BTreeMap<TopicPartition, Vec<(i64, i64)>>;

impl State {
    pub(super) fn judge_commit(
        &mut self,
        pipeline: &PipelineName,
        was: &OpenRun,
        after: &Head,
    ) -> Result<(), String> {
        let Some(reference) = &after.checkpoint else {
            let moved = self.watch.layouts.contains_key(&was.run);
            return if moved { Err("no checkpoint".to_owned()) } else { Ok(()) };
        };
        let unchanged = self.watch.head.as_ref().and_then(|head| head.checkpoint.as_ref());
        if unchanged == Some(reference) {
            let laid_out = self.watch.layouts.contains_key(&was.run);
            return if laid_out { Err("the checkpoint did not move".to_owned()) } else { Ok(()) };
        }
        if (reference.run, reference.plan) != (was.run, was.plan) {
            return Err(format!("the checkpoint is that of run {}", reference.run));
        }
        let checkpoint = self.checkpoint_of(pipeline, after)?;
        let plan = self.plan_of(pipeline, was)?;
        if let Some(reset) = &plan.reset {
            self.judge_reset(was, reset, &checkpoint)?;
        } else {
            let moves = self.moves_of(was, plan)?;
            self.judge_moves(&checkpoint, &moves)?;
            self.judge_slices(was)?;
        }
        self.judge_told(was, &checkpoint)?;
        self.note_stopped(&checkpoint);
        for entry in checkpoint.entries.into_iter().filter(|e| e.position().is_some()) {
            self.watch.committed.insert(entry.partition, (entry.topic_id, entry.offset));
        }
        Ok(())
    }

    /// The checkpoint that the head names.
    pub(super) fn checkpoint_of(
        &self,
        pipeline: &PipelineName,
        head: &Head,
    ) -> Result<Checkpoint, String> {
        let reference = head.checkpoint.as_ref().ok_or("no checkpoint")?;
        let document = Document::Checkpoint(reference.run, reference.plan);
        let bytes = self.document(pipeline, document).ok_or("the checkpoint is missing")?;
        if documents::hash(&bytes) != reference.hash {
            return Err("the checkpoint is not the one that the head names".to_owned());
        }
        Checkpoint::decode(&bytes).map_err(|error| error.to_string())
    }

    /// What the run read, and what it passed over as lost.
    fn moves_of(&self, was: &OpenRun, plan: Plan) -> Result<Moves, String> {
        let mut moves = Moves::new();
        let counted = self.watch.layouts.get(&was.run).map(|(layout, _)| &layout.slices);
        for slice in counted.into_iter().flatten() {
            let ranges = moves.entry(slice.partition.clone()).or_default();
            ranges.push((slice.start, slice.reached));
        }
        for loss in plan.losses {
            let partition = TopicPartition::new(loss.topic, loss.partition);
            let log = loss.topic_id.and_then(|id| self.kafka.log_by_id(id, loss.partition));
            if log.is_none_or(|log| log.log_start() < loss.end) {
                return Err(format!("{partition}: [{}, {}) is not lost", loss.start, loss.end));
            }
            moves.entry(partition).or_default().push((loss.start, loss.end));
        }
        for ranges in moves.values_mut() {
            ranges.sort_unstable();
        }
        Ok(moves)
    }

    /// Slices and losses tile what the checkpoint moves over; no entry is ever forgotten.
    fn judge_moves(&self, checkpoint: &Checkpoint, moves: &Moves) -> Result<(), String> {
        for (partition, (_, offset)) in &self.watch.committed {
            if checkpoint.entry(partition).is_none() {
                return Err(format!("{partition}, at {offset}, is no longer in the checkpoint"));
            }
        }
        if let Some(partition) = moves.keys().find(|moved| checkpoint.entry(moved).is_none()) {
            return Err(format!("{partition} was read, and is not in the checkpoint"));
        }
        for entry in &checkpoint.entries {
            let ranges = moves.get(&entry.partition).map(Vec::as_slice).unwrap_or_default();
            self.judge_move(entry, ranges)
                .map_err(|wrong| format!("{}: {wrong}", entry.partition))?;
        }
        Ok(())
    }

    pub(super) fn judge_move(
        &self,
        entry: &CheckpointEntry,
        ranges: &[(i64, i64)],
    ) -> Result<(), String> {
        let before = self.watch.committed.get(&entry.partition);
        let first = ranges.first().map_or(entry.offset, |(start, _)| *start);
        let start = before.map_or(first, |(_, offset)| *offset);
        if before.is_none() && self.watch.from_earliest {
            let id = entry.topic_id.ok_or("it has no topic id")?;
            let log = self.kafka.log_by_id(id, entry.partition.partition);
            if log.is_none_or(|log| log.log_start() < start) {
                return Err(format!("it starts at {start}, though there are records before"));
            }
        }
        let mut at = start;
        for (start, end) in ranges {
            if *start != at {
                return Err(format!("[{start}, {end}) does not go on from {at}"));
            }
            at = *end;
        }
        if at == entry.offset {
            return Ok(());
        }
        Err(format!("the checkpoint says {}, and the run came to {at}", entry.offset))
    }

    /// The accounting of each slice is the truth, and its records are published.
    fn judge_slices(&self, was: &OpenRun) -> Result<(), String> {
        let Some((layout, _)) = self.watch.layouts.get(&was.run) else { return Ok(()) };
        for slice in &layout.slices {
            let CountedSlice { partition, start, reached, .. } = slice;
            self.judge_slice(was, slice)
                .map_err(|wrong| format!("{partition} [{start}, {reached}): {wrong}"))?;
        }
        Ok(())
    }

    fn judge_slice(&self, was: &OpenRun, slice: &CountedSlice) -> Result<(), String> {
        let counted = &slice.accounting;
        if counted.offsets() != slice.reached.abs_diff(slice.start) {
            return Err(format!("{} offsets are accounted for", counted.offsets()));
        }
        let partition = slice.partition.partition;
        let id = slice.topic_id.ok_or("it has no topic id")?;
        let log = self.kafka.log_by_id(id, partition).ok_or("there is no such log")?;
        let rows = self
            .watch
            .published
            .range((id, partition, slice.start)..(id, partition, slice.reached))
            .filter(|(_, (_, run))| *run == was.run)
            .count();
        if u64::try_from(rows) != Ok(counted.rows) {
            return Err(format!("{rows} rows are published, not {}", counted.rows));
        }
        if slice.reached > log.high_watermark() || log.was_cut_before(slice.reached) {
            // An unclean election took what was read: nothing to compare it with.
            return Ok(());
        }
        self.judge_gaps(log, slice)?;
        for offset in slice.start.max(log.log_start())..slice.reached {
            let stands = log.slot(offset).filter(|slot| slot.visible(self.watch.isolation));
            let published = self.watch.published.get(&(id, partition, offset));
            if let Some(slot) = stands
                && published.is_none_or(|(seq, _)| *seq != slot.seq)
            {
                return Err(format!("the record at {offset} is not published"));
            }
        }
        Ok(())
    }

    /// Markers and aborted records are what the log has; holes are no more than it has.
    fn judge_gaps(&self, log: &Log, slice: &CountedSlice) -> Result<(), String> {
        let (mut markers, mut aborted, mut compacted) = (0, 0, 0);
        for slot in (slice.start..slice.reached).filter_map(|offset| log.slot(offset)) {
            match slot.kind {
                SlotKind::Marker => markers += 1,
                SlotKind::Aborted if !slot.visible(self.watch.isolation) => aborted += 1,
                SlotKind::Compacted => compacted += 1,
                SlotKind::Aborted | SlotKind::Record | SlotKind::Committed | SlotKind::Open(_) => {}
            }
        }
        let counted = &slice.accounting;
        if (markers, aborted) == (counted.markers, counted.aborted)
            && counted.compacted <= compacted
        {
            return Ok(());
        }
        Err(format!("{markers} markers, {aborted} aborted, {compacted} holes; not {counted:?}"))
    }

    /// The checkpoint is what the manifests say, but for what no manifest has told yet.
    pub(super) fn judge_told(
        &mut self,
        was: &OpenRun,
        checkpoint: &Checkpoint,
    ) -> Result<(), String> {
        if self.watch.layouts.contains_key(&was.run) {
            let manifest = self.watch.manifests.get(&was.run).ok_or("it has no manifest")?;
            for entry in &manifest.checkpoint {
                let partition = TopicPartition::new(Arc::clone(&entry.topic), entry.partition);
                let told = (entry.topic_id, entry.offset, entry.state.clone());
                self.watch.told.insert(partition, told);
            }
        }
        for entry in checkpoint.entries.iter().filter(|entry| !entry.untold) {
            let told = self.watch.told.get(&entry.partition);
            let stands = (entry.topic_id, entry.offset, entry.state.name().to_owned());
            if told != Some(&stands) {
                return Err(format!("{}: {stands:?}, manifests: {told:?}", entry.partition));
            }
        }
        Ok(())
    }
}
