//! An open run is only ever rolled forward: missing readers are started again, hopeless tasks
//! abandoned, the finalizer started.

mod tasks;

use futures_util::future::try_join_all;

use super::lease::{Holder, holder};
use super::opening::lease;
use super::planner::PlannerPorts;
use super::starting::start_readers;
use super::state::{LoadedHead, load_output, swap_head};
use super::{FINALIZER_STARTS_MAX, SIDE_BY_SIDE};
use crate::documents::{self, FORMAT, OpenRun, Output};
use crate::error::{Context, Result};
use crate::ports::{
    Cause, Clock, Document, FinalizerEvent, Invoker, Mark, ReaderEvent, StateStore,
};
use crate::time::Deadline;
use tasks::Tasks;

/// What became of the open run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rolled {
    /// It is under way and needs no help.
    Busy,
    /// An operator gives it up.
    Aborting,
    /// It was helped on.
    On {
        /// Readers started again.
        readers: u32,
        /// Whether a finalizer was started.
        finalizer: bool,
    },
}

/// Rolls the open run forward; none if somebody else swapped the head.
pub(super) async fn roll_forward<S: StateStore, L, I: Invoker, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    loaded: &LoadedHead,
    open: &OpenRun,
    deadline: Deadline,
) -> Result<Option<Rolled>> {
    let head = &loaded.head;
    if open.aborting.is_some() {
        return Ok(Some(Rolled::Aborting));
    }
    let marks = ports.state.marks(&head.pipeline, open.run, open.plan, deadline).await;
    let marks = marks.while_doing(|| "look at the run's progress".into())?;
    let tasks = Tasks::new(open, &marks);
    let ask = |lease| {
        let (state, clock, settings) = (ports.state, ports.clock, &ports.settings);
        holder(state, clock, settings, &head.pipeline, lease, deadline)
    };
    let reader = ask(open.reading).await?;
    let reading = reader == Holder::Lives;
    let mut todo = if reading && !tasks.worth_a_look() {
        tasks.failed_ones()
    } else {
        let missing = missing_outputs(ports, loaded, open, deadline).await?;
        tasks.todo(&missing, reading)
    };
    if !todo.abandon.is_empty() {
        abandon(ports, loaded, open, (&tasks, reader), &todo.abandon, deadline).await?;
        todo.complete = missing_outputs(ports, loaded, open, deadline).await?.is_empty();
    }
    if !todo.restart.is_empty() {
        let readers = restart(ports, loaded, open, &todo.restart, deadline).await?;
        return Ok(readers.map(|readers| Rolled::On { readers, finalizer: false }));
    }
    let finalizing = match open.finalizing {
        Some(lease) => ask(lease).await? == Holder::Lives,
        None => false,
    };
    if !todo.complete || finalizing {
        return Ok(Some(Rolled::Busy));
    }
    let event = FinalizerEvent {
        pipeline: head.pipeline.clone(),
        run: open.run,
        plan: open.plan,
        set_aside: open.finalizer_starts >= FINALIZER_STARTS_MAX,
    };
    ports.invoker.start_finalizer(&event, deadline).await?;
    Ok(Some(Rolled::On { readers: 0, finalizer: true }))
}

async fn missing_outputs<S: StateStore, L, I, C>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    loaded: &LoadedHead,
    open: &OpenRun,
    deadline: Deadline,
) -> Result<Vec<u32>> {
    let mut missing = Vec::new();
    let tasks: Vec<u32> = (0..open.tasks()).collect();
    for some in tasks.chunks(SIDE_BY_SIDE) {
        let outputs = some.iter().map(|task| {
            let run = (open.run, open.plan);
            load_output(ports.state, &loaded.head.pipeline, run, *task, deadline)
        });
        let outputs = try_join_all(outputs).await?;
        let absent = some.iter().zip(&outputs).filter(|(_, output)| output.is_none());
        missing.extend(absent.map(|(task, _)| *task));
    }
    Ok(missing)
}

/// Writes the outputs of tasks that are given up: no progress, so that the others commit.
async fn abandon<S: StateStore, L, I, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    loaded: &LoadedHead,
    open: &OpenRun,
    (tasks, reader): (&Tasks<'_>, Holder),
    hopeless: &[u32],
    deadline: Deadline,
) -> Result<()> {
    let expires = Some(open.opened_at.after(ports.settings.document_expiry));
    for task in hopeless.iter().copied() {
        let (kind, how) = tasks.how_it_ended(task, reader);
        let attempts = tasks.attempts(task);
        let message = format!("task {task} was given up after {attempts} attempts; the last {how}");
        let output = Output {
            format: FORMAT,
            task,
            attempt: 0,
            writer: ports.holder,
            slices: Vec::new(),
            files: Vec::new(),
            abandoned: Some(Cause { kind, message }),
        };
        let document = Document::Output(open.run, open.plan, task);
        let bytes = documents::encode(&output);
        // If another output stands, a reader was faster after all: so much the better.
        let pipeline = &loaded.head.pipeline;
        let written = ports.state.write(pipeline, document, bytes, expires, deadline).await;
        written.while_doing(|| format!("abandon task {task}"))?;
        let (run, plan, done) = (open.run, open.plan, Mark::Done { task });
        ports.state.mark(pipeline, run, plan, done, open.tasks(), deadline).await?;
    }
    Ok(())
}

/// Starts tasks again, under a new lease and with the next attempt; none if somebody else
/// swapped the head.
async fn restart<S: StateStore, L, I: Invoker, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    loaded: &LoadedHead,
    open: &OpenRun,
    tasks: &[u32],
    deadline: Deadline,
) -> Result<Option<u32>> {
    let mut open = OpenRun { reading: lease(ports), ..open.clone() };
    let mut events = Vec::new();
    for task in tasks.iter().copied() {
        let at = usize::try_from(task).ok();
        let Some(attempt) = at.and_then(|at| open.attempts.get_mut(at)) else { continue };
        *attempt += 1;
        let (pipeline, attempt) = (loaded.head.pipeline.clone(), *attempt);
        events.push(ReaderEvent { pipeline, run: open.run, plan: open.plan, task, attempt });
    }
    let mut head = loaded.head.clone();
    head.open = Some(open.clone());
    let expected = Some(loaded.version);
    if swap_head(ports.state, ports.clock, expected, &mut head, deadline).await?.is_none() {
        return Ok(None);
    }
    start_readers(ports, events.into_iter(), open.tasks(), deadline).await?;
    Ok(Some(u32::try_from(tasks.len()).expect("a plan has at most 1,000 tasks")))
}
