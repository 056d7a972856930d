//! An open run is only ever rolled forward: missing readers are started again, hopeless tasks
//! abandoned, the finalizer started.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::lease::{Holder, holder};
use super::planner::{PlannerPorts, lease};
use super::starting::start_readers;
use super::state::{LoadedHead, load_output, swap_head};
use super::{ATTEMPTS_MAX, FINALIZER_STARTS_MAX, SIDE_BY_SIDE};
use crate::documents::{self, FORMAT, OpenRun, Output};
use crate::error::{Context, ErrorKind, Result};
use crate::ports::{
    Cause, Clock, Document, FinalizerEvent, Invoker, Mark, Marks, ReaderEvent, StateStore,
};
use crate::time::Deadline;

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

/// What is to be done about the tasks of an open run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Todo {
    /// Tasks to be started again.
    restart: Vec<u32>,
    /// Tasks to be abandoned.
    abandon: Vec<u32>,
    /// Whether all other outputs stand.
    complete: bool,
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
    let quarantined: BTreeSet<u32> = open.quarantined.iter().copied().collect();
    let ask = |lease| {
        let (state, clock, settings) = (ports.state, ports.clock, &ports.settings);
        holder(state, clock, settings, &head.pipeline, lease, deadline)
    };
    let reader = ask(open.reading).await?;
    let reading = reader == Holder::Lives;
    let mut todo = if reading && !worth_a_look(open, &marks, &quarantined) {
        failed_ones(open, &marks, &quarantined)
    } else {
        let missing = missing_outputs(ports, loaded, open, deadline).await?;
        todo(open, &missing, &marks, &quarantined, reading)
    };
    if !todo.abandon.is_empty() {
        abandon(ports, loaded, open, &marks, reader, &todo.abandon, deadline).await?;
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

/// Whether the hints say that all outputs stand but those of quarantined partitions, so that it
/// is worth to look at the outputs themselves although the reading lease holds.
fn worth_a_look(open: &OpenRun, marks: &Marks, quarantined: &BTreeSet<u32>) -> bool {
    let may_lack = |task: u32| have_others(open, quarantined) && quarantined.contains(&task);
    (0..open.tasks()).all(|task| is_done(marks, task) || may_lack(task))
}

/// Whether the run has tasks beside those of quarantined partitions: only these are not waited
/// for.
fn have_others(open: &OpenRun, quarantined: &BTreeSet<u32>) -> bool {
    quarantined.len() < open.attempts.len()
}

fn is_done(marks: &Marks, task: u32) -> bool {
    marks.marks.contains(&Mark::Done { task })
}

/// Whether the attempt of `task` that was started last said that it failed.
fn failed(open: &OpenRun, marks: &Marks, task: u32) -> Option<ErrorKind> {
    let current = attempts(open, task);
    marks.marks.iter().find_map(|mark| match mark {
        Mark::Failed { task: t, attempt, kind } if (*t, *attempt) == (task, current) => Some(*kind),
        Mark::Failed { .. } | Mark::Done { .. } => None,
    })
}

fn attempts(open: &OpenRun, task: u32) -> u32 {
    usize::try_from(task).ok().and_then(|at| open.attempts.get(at)).copied().unwrap_or(0)
}

fn used_up(open: &OpenRun, quarantined: &BTreeSet<u32>, task: u32) -> bool {
    attempts(open, task) >= if quarantined.contains(&task) { 1 } else { ATTEMPTS_MAX }
}

/// While the reading lease holds, only a task whose current attempt is marked failed is touched.
fn failed_ones(open: &OpenRun, marks: &Marks, quarantined: &BTreeSet<u32>) -> Todo {
    let failed: Vec<u32> = (0..open.tasks())
        .filter(|task| !is_done(marks, *task) && failed(open, marks, *task).is_some())
        .collect();
    let (abandon, restart) = failed.into_iter().partition(|task| used_up(open, quarantined, *task));
    Todo { restart, abandon, complete: false }
}

/// What to do about tasks whose output is missing.
fn todo(
    open: &OpenRun,
    missing: &[u32],
    marks: &Marks,
    quarantined: &BTreeSet<u32>,
    reading: bool,
) -> Todo {
    let others_done =
        have_others(open, quarantined) && missing.iter().all(|task| quarantined.contains(task));
    let mut todo = Todo::default();
    for task in missing.iter().copied() {
        let hopeless = used_up(open, quarantined, task);
        if others_done || (hopeless && (!reading || failed(open, marks, task).is_some())) {
            todo.abandon.push(task);
        } else if !reading || failed(open, marks, task).is_some() {
            todo.restart.push(task);
        }
    }
    todo.complete = todo.abandon.len() == missing.len();
    todo
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
    marks: &Marks,
    reader: Holder,
    tasks: &[u32],
    deadline: Deadline,
) -> Result<()> {
    let expires = Some(open.opened_at.after(ports.settings.document_expiry));
    for task in tasks.iter().copied() {
        let (kind, how) = match (failed(open, marks, task), reader) {
            (Some(kind), _) => (kind, format!("with an error ({kind})")),
            // Whoever killed the process meant no partition by it.
            (None, Holder::Dead) => (ErrorKind::Unavailable, "when its process did".to_owned()),
            (None, Holder::Lives | Holder::TimeIsUp) => (
                ErrorKind::OutOfTime,
                "without a word: its time or its memory was used up".to_owned(),
            ),
        };
        let attempts = attempts(open, task);
        let message =
            format!("task {task} was given up after {attempts} attempts; the last ended {how}");
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
    for task in tasks {
        let at = usize::try_from(*task).ok();
        if let Some(attempt) = at.and_then(|at| open.attempts.get_mut(at)) {
            *attempt += 1;
        }
    }
    let mut head = loaded.head.clone();
    head.open = Some(open.clone());
    let expected = Some(loaded.version);
    if swap_head(ports.state, ports.clock, expected, &mut head, deadline).await?.is_none() {
        return Ok(None);
    }
    let events = tasks.iter().map(|task| ReaderEvent {
        pipeline: head.pipeline.clone(),
        run: open.run,
        plan: open.plan,
        task: *task,
        attempt: attempts(&open, *task),
    });
    start_readers(ports, events, open.tasks(), deadline).await?;
    Ok(Some(u32::try_from(tasks.len()).expect("a plan has at most 1,000 tasks")))
}
