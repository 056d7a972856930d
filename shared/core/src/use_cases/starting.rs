//! Starting what reads and finalizes a run.

use futures_util::future::join_all;

use super::SIDE_BY_SIDE;
use super::planner::PlannerPorts;
use crate::error::{ErrorKind, Result};
use crate::ports::{FinalizerEvent, Invoker, Mark, ReaderEvent, StateStore};
use crate::spec::Spec;
use crate::time::Deadline;
use crate::words::{RandomId, RunNumber};

/// Starts the readers of a new run, or its finalizer if it has no task. All are tried; what
/// fails, roll forward makes up for.
pub(super) async fn start_all<S: StateStore, L, I: Invoker, C>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    (run, plan): (RunNumber, RandomId),
    tasks: u32,
    deadline: Deadline,
) -> Result<()> {
    let pipeline = &spec.pipeline;
    if tasks == 0 {
        let event = FinalizerEvent { pipeline: pipeline.clone(), run, plan, set_aside: false };
        return ports.invoker.start_finalizer(&event, deadline).await;
    }
    let events = (0..tasks).map(|task| ReaderEvent {
        pipeline: pipeline.clone(),
        run,
        plan,
        task,
        attempt: 1,
    });
    start_readers(ports, events, tasks, deadline).await
}

/// Starts readers. All are tried; one that cannot be started is marked as failed, so that the
/// next tick starts it again at once.
pub(super) async fn start_readers<S: StateStore, L, I: Invoker, C>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    events: impl Iterator<Item = ReaderEvent>,
    tasks: u32,
    deadline: Deadline,
) -> Result<()> {
    let start = async |event: ReaderEvent| {
        let Err(error) = ports.invoker.start_reader(&event, deadline).await else { return Ok(()) };
        let (task, attempt) = (event.task, event.attempt);
        let mark = Mark::Failed { task, attempt, kind: ErrorKind::Unavailable };
        let (run, plan) = (event.run, event.plan);
        // The mark is a hint; without it the lease's end starts the reader again.
        let _ = ports.state.mark(&event.pipeline, run, plan, mark, tasks, deadline).await;
        Err(error.while_doing(format!("start the reader of task {task}")))
    };
    let mut failed = None;
    let events: Vec<ReaderEvent> = events.collect();
    for some in events.chunks(SIDE_BY_SIDE) {
        let started = join_all(some.iter().cloned().map(&start)).await;
        failed = failed.or(started.into_iter().find_map(Result::err));
    }
    failed.map_or(Ok(()), Err)
}
