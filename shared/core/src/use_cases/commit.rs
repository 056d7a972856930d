//! The commit, and what follows it.

use super::committed::Committed;
use super::finalizer::{FinalizerPorts, Work, ours};
use super::state::{LoadedHead, load_head, swap_head};
use super::{CHAIN_MAX, CONFLICTS_MAX};
use crate::documents::{self, Checkpoint, CheckpointRef, LayoutRef};
use crate::error::{Context, Error, Result};
use crate::names;
use crate::ports::{
    Clock, Document, FinalizerEvent, Invoker, ObjectStore, PlannerEvent, PlannerMode, StateStore,
    Written,
};
use crate::spec::Spec;
use crate::time::Deadline;
use crate::words::{PipelineName, RunNumber};

/// Writes the checkpoint once; what stands is adopted.
pub(super) async fn write_checkpoint<S: StateStore, O, J, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    checkpoint: &Checkpoint,
    deadline: Deadline,
) -> Result<CheckpointRef> {
    let (run, plan) = (work.plan.run, work.plan.plan);
    let document = Document::Checkpoint(run, plan);
    let bytes = documents::encode(checkpoint);
    let ours = documents::hash(&bytes);
    let written = ports.state.write(&work.plan.pipeline, document, bytes, None, deadline).await;
    let hash = match written.while_doing(|| format!("write {document}"))? {
        Written::Ours => ours,
        Written::Stands(bytes) => {
            let places = |c: &Checkpoint| -> Vec<_> {
                c.entries.iter().map(|e| (e.partition.clone(), e.offset)).collect()
            };
            if places(&Checkpoint::decode(&bytes)?) != places(checkpoint) {
                return Err(Error::corrupt(format!(
                    "{document} of {} stands, and its offsets are not those of the run's layout",
                    work.plan.pipeline
                )));
            }
            documents::hash(&bytes)
        }
    };
    Ok(CheckpointRef { run, plan, hash })
}

/// The commit; answers the newest spec, or none if another finalizer was faster.
pub(super) async fn commit<S: StateStore, O, J, I, C: Clock>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    checkpoint: &CheckpointRef,
    layout: Option<&LayoutRef>,
    deadline: Deadline,
) -> Result<Option<serde_json::Value>> {
    for _ in 0..CONFLICTS_MAX {
        let loaded = load_head(ports.state, &work.plan.pipeline, deadline).await?;
        let Some(LoadedHead { version, mut head }) = loaded else { return Ok(None) };
        if head.open_as(work.open.run, work.open.plan).is_none() {
            return Ok(None);
        }
        head.checkpoint = Some(checkpoint.clone());
        if let Some(layout) = layout {
            head.layout = Some(layout.clone());
            head.manifest = Some(layout.run);
        }
        head.open = None;
        let swapped = swap_head(ports.state, ports.clock, Some(version), &mut head, deadline).await;
        if swapped.while_doing(|| format!("commit run {}", work.open.run))?.is_some() {
            return Ok(Some(head.spec));
        }
    }
    Err(Error::conflict(format!("the head of {} changes all the time", work.plan.pipeline)))
}

/// After the commit: the next run starts if there is a backlog, the checkpoint before expires.
pub(super) async fn go_on<S: StateStore, O, J, I: Invoker, C: Clock>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    done: &Committed,
    spec: &serde_json::Value,
    deadline: Deadline,
) -> Result<()> {
    let pipeline = &work.plan.pipeline;
    let chain = work.open.chain + 1;
    let catches_up = Spec::from_value(spec)?.catch_up;
    let mut started = Ok(());
    if catches_up && done.backlog && done.moved > 0 && chain < CHAIN_MAX {
        let event = PlannerEvent { spec: spec.clone(), mode: PlannerMode::Tick, chain };
        started = ports.invoker.start_planner(&event, deadline).await;
    }
    let Some(base) = &work.plan.base else { return started };
    let at = ports.clock.now().after(ports.settings.document_expiry);
    let document = Document::Checkpoint(base.run, base.plan);
    // No later run does it: that the planner could not be started must not keep it from being done.
    started.and(ports.state.expire(pipeline, document, at, deadline).await)
}

/// Deletes what is staged for this run and all before it. What belongs to a run that did not
/// touch the destination waits for one that does.
pub(super) async fn delete_staged(
    objects: &impl ObjectStore,
    pipeline: &PipelineName,
    run: RunNumber,
    deadline: Deadline,
) -> Result<()> {
    let prefix = names::staging_prefix(pipeline);
    let mut after = None;
    loop {
        let page = objects.list(&prefix, after.as_deref(), deadline).await?;
        let old = page
            .objects
            .into_iter()
            .map(|object| object.path)
            .filter(|path| names::StagedFile::parse(path).is_some_and(|name| name.run <= run));
        objects.delete(&old.collect::<Vec<_>>(), deadline).await?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Gives the finalizing lease back, so that the next tick need not wait for its end.
pub(super) async fn give_back<S: StateStore, O, J, I, C: Clock>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    event: &FinalizerEvent,
    deadline: Deadline,
) -> Result<()> {
    let loaded = load_head(ports.state, &event.pipeline, deadline).await?;
    let Some((LoadedHead { version, mut head }, mut open)) = loaded.and_then(|l| ours(l, event))
    else {
        return Ok(());
    };
    if open.finalizing.is_some_and(|lease| lease.holder == ports.holder) {
        open.finalizing = None;
        head.open = Some(open);
        swap_head(ports.state, ports.clock, Some(version), &mut head, deadline).await?;
    }
    Ok(())
}
