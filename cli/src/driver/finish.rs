//! What is left of an open run: its readers, then its finalizer.

use std::collections::VecDeque;
use std::sync::Arc;

use tidegate_core::error::Context;
use tidegate_core::ports::{
    Clock, Encoder, FinalizerEvent, Joiner, LogSource, ObjectStore, ReaderEvent, StateStore,
};
use tidegate_core::use_cases::{
    Committed, FinalizeOutcome, FinalizerPorts, finalize, load_head, load_plan, load_task,
};
use tidegate_core::words::{PipelineName, RandomId, RunNumber};
use tidegate_core::{Error, Result};
use tidegate_local::{Invocation, LocalInvoker};

use super::Embedded;
use super::readers::read_all;
use crate::progress::Progress;

/// A run, by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    /// Its pipeline.
    pub(crate) pipeline: &'a PipelineName,
    /// Its number.
    pub(crate) run: RunNumber,
    /// Its plan.
    pub(crate) plan: RandomId,
}

/// Does what the tick started; none if another process closed the run or is finalizing it.
pub(crate) async fn finish<S, O, L, E, J, C>(
    ports: &Arc<Embedded<S, O, L, E, J, C>>,
    named: Named<'_>,
    holder: RandomId,
    invoker: &LocalInvoker,
    progress: &Progress,
) -> Result<Option<Committed>>
where
    S: StateStore + 'static,
    O: ObjectStore<Upload: Sync> + 'static,
    L: LogSource + 'static,
    E: Encoder<File: Sync> + 'static,
    J: Joiner + 'static,
    C: Clock + 'static,
{
    let (readers, finalizer) = sort(invoker.take());
    progress.begin(named.run, offsets(ports, named, &readers, progress).await?);
    read_all(ports, readers, progress).await.while_doing(|| stays_open(named.run))?;
    progress.publish(named.run);
    let Named { pipeline, run, plan: id } = named;
    let mut event = finalizer.unwrap_or_else(|| FinalizerEvent {
        pipeline: pipeline.clone(),
        run,
        plan: id,
        set_aside: false,
    });
    let finalizer = FinalizerPorts {
        state: &ports.state,
        objects: &ports.objects,
        joiner: &ports.joiner,
        invoker,
        clock: &ports.clock,
        holder,
        settings: ports.settings,
    };
    loop {
        match Box::pin(finalize(&finalizer, &event, ports.deadline())).await {
            Ok(FinalizeOutcome::Committed(committed)) => {
                return Ok(Some(*committed));
            }
            Ok(FinalizeOutcome::Stale | FinalizeOutcome::Busy) => return Ok(None),
            Ok(FinalizeOutcome::Incomplete { missing }) => return Err(incomplete(run, missing)),
            Ok(FinalizeOutcome::GoesOn { .. }) => match sort(invoker.take()).1 {
                Some(again) => event = again,
                None => return Ok(None),
            },
            Err(error) => return Err(error),
        }
    }
}

fn incomplete(run: RunNumber, missing: usize) -> Error {
    let message = format!("{missing} of its tasks have no output yet");
    Error::unavailable(message).while_doing(stays_open(run))
}

fn stays_open(run: RunNumber) -> String {
    format!("run {run} stays open, and the next run rolls it forward")
}

/// How many offsets the readers are to cross. Only looked up for those who watch.
async fn offsets<S: StateStore, O, L, E, J, C: Clock>(
    ports: &Embedded<S, O, L, E, J, C>,
    named: Named<'_>,
    readers: &[ReaderEvent],
    progress: &Progress,
) -> Result<u64> {
    if !progress.is_shown() || readers.is_empty() {
        return Ok(0);
    }
    let loaded = load_head(&ports.state, named.pipeline, ports.deadline()).await?;
    let open = loaded.as_ref().and_then(|loaded| loaded.head.open_as(named.run, named.plan));
    let Some(open) = open else { return Ok(0) };
    let plan = load_plan(&ports.state, named.pipeline, open, ports.deadline()).await?;
    let mut offsets: u64 = 0;
    for event in readers {
        let task = load_task(&ports.state, &plan, event.task, ports.deadline()).await?;
        let of_task = task.slices.iter().map(|slice| slice.range.count());
        offsets = of_task.fold(offsets, u64::saturating_add);
    }
    Ok(offsets)
}

/// Readers, and the last finalizer. A planner, to catch up, is the caller's to start.
fn sort(started: VecDeque<Invocation>) -> (Vec<ReaderEvent>, Option<FinalizerEvent>) {
    let (mut readers, mut finalizer) = (Vec::new(), None);
    for invocation in started {
        match invocation {
            Invocation::Reader(event) => readers.push(event),
            Invocation::Finalizer(event) => finalizer = Some(event),
            Invocation::Planner(_) => {}
        }
    }
    (readers, finalizer)
}
