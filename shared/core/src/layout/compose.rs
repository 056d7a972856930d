//! A run's layout, or that it needs none.

use std::collections::BTreeSet;

use super::count::{TaskResult, count};
use super::{entries, files};
use crate::documents::{Checkpoint, CheckpointEntry, FORMAT, Layout, LayoutRef, Plan, SetAside};
use crate::time::Millis;
use crate::words::RunNumber;

/// What a run comes to, as far as its plan and outputs tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It moves no offset and has nothing to tell: it closes without touching the destination.
    Nothing {
        /// Entries that are kept all the same; the next manifest tells of them.
        entries: Vec<CheckpointEntry>,
    },
    /// It needs a layout.
    NeedsLayout,
}

/// Whether the run needs a layout. Follows from what is written once, the plan and the outputs,
/// so that all finalizers agree.
pub fn settle(plan: &Plan, base: &Checkpoint, results: &[TaskResult]) -> Settled {
    let counted = count(results);
    let moves = counted.partitions.values().any(|partition| !partition.slices.is_empty());
    let mut entries = entries::changed(plan, base, &counted);
    let all_abandoned = !results.is_empty() && results.iter().all(|r| r.output.abandoned.is_some());
    let told_of = |entry: &CheckpointEntry| entry.tells_more_than(base.entry(&entry.partition));
    let tells = entries.iter().any(told_of) && !all_abandoned;
    if moves || tells || !plan.losses.is_empty() {
        return Settled::NeedsLayout;
    }
    for entry in &mut entries {
        entry.untold |= told_of(entry);
    }
    Settled::Nothing { entries }
}

/// What a layout begins with.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The layout before it.
    pub previous_layout: Option<&'a LayoutRef>,
    /// The run of the manifest before it.
    pub previous_manifest: Option<RunNumber>,
    /// Now.
    pub now: Millis,
    /// What a data file's size should come to.
    pub target_bytes: u64,
}

/// Lays a run out.
pub fn lay_out(
    plan: &Plan,
    base: &Checkpoint,
    results: &[TaskResult],
    situation: &Situation<'_>,
) -> Layout {
    let counted = count(results);
    let mut entries = entries::changed(plan, base, &counted);
    let untold = base.entries.iter().filter(|entry| entry.untold);
    let told: BTreeSet<_> = entries.iter().map(|entry| entry.partition.clone()).collect();
    let untold: Vec<_> = untold.filter(|entry| !told.contains(&entry.partition)).cloned().collect();
    entries.extend(untold);
    entries.iter_mut().for_each(|entry| entry.untold = false);
    entries.sort_by(|a, b| a.partition.cmp(&b.partition));
    let data_files =
        files::data_files(&plan.pipeline, plan.run, results, &counted, situation.target_bytes);
    let aside = |result: &TaskResult| {
        let abandoned = result.output.abandoned.as_ref().map(|cause| cause.message.clone());
        let aside = result.set_aside.as_ref().map(|aside| aside.cause.message.clone());
        let cause = aside.or(abandoned)?;
        Some(SetAside { task: result.task.task, cause })
    };
    Layout {
        format: FORMAT,
        pipeline: plan.pipeline.clone(),
        birth_id: plan.birth_id,
        run: plan.run,
        plan: plan.plan,
        previous_layout: situation.previous_layout.map(|layout| layout.hash.clone()),
        previous_manifest: situation.previous_manifest,
        planned_at: plan.planned_at,
        laid_out_at: situation.now,
        spec_hash: plan.spec_hash.clone(),
        base: plan.base.clone(),
        cluster_id: plan.cluster_id.clone(),
        slices: counted.partitions.into_values().flat_map(|result| result.slices).collect(),
        losses: plan.losses.clone(),
        entries,
        files: data_files,
        set_aside: results.iter().filter_map(aside).collect(),
        reset: plan.reset.clone(),
        aborted: None,
    }
}
