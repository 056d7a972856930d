//! What is left of a run that an operator gives up: its layout, if it had none, and the starts
//! that it resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::documents::{
    self, Abort, Checkpoint, CheckpointEntry, FORMAT, Head, Layout, OpenRun, Plan, SetAside,
};
use crate::words::TopicPartition;

/// The layout of a run that has none when it is given up: it takes the name that a late
/// finalizer would want, and sets every task aside. Without the plan (which may be what is
/// damaged) it says of it what the head knows.
pub fn give_up(
    (head, open, abort): (&Head, &OpenRun, &Abort),
    plan: Option<&Plan>,
    base: &Checkpoint,
) -> Layout {
    let cause = format!("the run was aborted: {}", abort.reason);
    let aside = |task| SetAside { task, cause: cause.clone() };
    let spec_hash = || documents::hash(&documents::encode(&head.spec));
    let mut layout = Layout {
        format: FORMAT,
        pipeline: head.pipeline.clone(),
        birth_id: head.birth_id,
        run: open.run,
        plan: open.plan,
        previous_layout: head.layout.as_ref().map(|layout| layout.hash.clone()),
        previous_manifest: head.manifest,
        planned_at: plan.map_or(open.opened_at, |plan| plan.planned_at),
        laid_out_at: abort.since,
        spec_hash: plan.map_or_else(spec_hash, |plan| plan.spec_hash.clone()),
        base: head.checkpoint.clone(),
        cluster_id: base.cluster_id.clone(),
        slices: Vec::new(),
        losses: plan.map(|plan| plan.losses.clone()).unwrap_or_default(),
        entries: plan.map(|plan| plan.entries.clone()).unwrap_or_default(),
        files: Vec::new(),
        set_aside: (0..open.tasks()).map(aside).collect(),
        reset: plan.and_then(|plan| plan.reset.clone()),
        aborted: Some(abort.reason.clone()),
    };
    if let (None, Some(plan)) = (&layout.base, plan) {
        layout.cluster_id.clone_from(&plan.cluster_id);
    }
    layout.entries = starts(&layout, base);
    layout.losses = Vec::new();
    layout.reset = None;
    layout
}

/// The partitions that the layout knows and `base` does not, where they start: resolved once,
/// and kept whatever becomes of the run. What a reset made up goes with it.
pub fn starts(layout: &Layout, base: &Checkpoint) -> Vec<CheckpointEntry> {
    if layout.reset.is_some() {
        return Vec::new();
    }
    let mut first: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    let slices = layout.slices.iter().map(|slice| (slice.partition.clone(), slice.start));
    let losses = layout
        .losses
        .iter()
        .map(|loss| (TopicPartition::new(Arc::clone(&loss.topic), loss.partition), loss.start));
    for (partition, start) in slices.chain(losses) {
        let at = first.entry(partition).or_insert(start);
        *at = start.min(*at);
    }
    let new = layout.entries.iter().filter(|entry| base.entry(&entry.partition).is_none());
    let start = |entry: &CheckpointEntry| {
        if entry.position().is_none() {
            return entry.clone();
        }
        let offset = first.get(&entry.partition).copied().unwrap_or(entry.offset);
        let new = CheckpointEntry::new(entry.partition.clone(), entry.topic_id, offset);
        CheckpointEntry { end: entry.end, ..new }
    };
    new.map(start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::{Accounting, CountedSlice, Loss, Move, PartitionState, Reset};
    use crate::planning::samples::{checkpoint, entry};
    use crate::time::Millis;
    use crate::words::{RandomId, RunNumber};

    fn layout(entries: Vec<CheckpointEntry>) -> Layout {
        Layout {
            format: FORMAT,
            pipeline: "p".to_owned().try_into().expect("a good name"),
            birth_id: RandomId(1),
            run: RunNumber(1),
            plan: RandomId(2),
            previous_layout: None,
            previous_manifest: None,
            planned_at: Millis(1),
            laid_out_at: Millis(2),
            spec_hash: "s".to_owned(),
            base: None,
            cluster_id: None,
            slices: Vec::new(),
            losses: Vec::new(),
            entries,
            files: Vec::new(),
            set_aside: Vec::new(),
            reset: None,
            aborted: None,
        }
    }

    fn slice(partition: i32, start: i64, reached: i64) -> CountedSlice {
        CountedSlice {
            partition: TopicPartition::new("t", partition),
            topic_id: None,
            start,
            reached,
            accounting: Accounting::default(),
            payload_bytes: 0,
        }
    }

    #[test]
    fn starts_are_kept_where_they_were_resolved_and_nothing_else_is() {
        let mut layout = layout(vec![entry("t", 0, 30), entry("t", 1, 9), entry("t", 2, 40)]);
        layout.slices = vec![slice(0, 20, 30), slice(1, 5, 9)];
        layout.losses =
            vec![Loss { topic: "t".into(), topic_id: None, partition: 0, start: 12, end: 20 }];
        let kept = starts(&layout, &checkpoint(vec![entry("t", 1, 5)]));
        let places: Vec<_> = kept.iter().map(|e| (e.partition.partition, e.offset)).collect();
        assert_eq!(places, [(0, 12), (2, 40)]);
        let state = PartitionState::Unresolved { from: None };
        layout.entries.push(CheckpointEntry { state, ..entry("t", 3, 7) });
        let kept = starts(&layout, &checkpoint(Vec::new()));
        assert_eq!(kept.last(), layout.entries.last());
        layout.reset = Some(Reset {
            reason: "r".to_owned(),
            moves: vec![Move {
                topic: "t".into(),
                topic_id: None,
                partition: 0,
                from: None,
                to: 3,
            }],
        });
        assert_eq!(starts(&layout, &checkpoint(Vec::new())), []);
    }
}
