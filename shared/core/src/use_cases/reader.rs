//! *Read a task*: fetch its slices, stage their rows, write its output once.

use super::Settings;
use super::pass::Pass;
use super::slice_check::{check, check_again};
use super::staging::Staging;
use super::state::{load_head, load_output, load_plan, load_task};
use crate::documents::{self, FORMAT, OpenRun, Output, Plan, SliceOutput, StagedFile, Task};
use crate::error::{Context, ErrorKind, Result};
use crate::ports::{
    Cause, Clock, Document, Encoder, LogSource, Mark, ObjectStore, ReaderEvent, StateStore, Written,
};
use crate::spec::Spec;
use crate::time::{Deadline, Millis};

/// What a reader works with.
#[derive(Debug)]
pub struct ReaderPorts<'a, S, O, L, E, C> {
    /// The state.
    pub state: &'a S,
    /// The destination.
    pub objects: &'a O,
    /// Kafka.
    pub log: &'a L,
    /// Makes files.
    pub encoder: &'a E,
    /// Time and chance.
    pub clock: &'a C,
    /// The deployment's choices.
    pub settings: Settings,
}

/// What a reader did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskSummary {
    /// Rows staged.
    pub rows: u64,
    /// Their key, value and header bytes.
    pub payload_bytes: u64,
    /// Files staged.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
}

/// How reading a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// Its output was written.
    Written(TaskSummary),
    /// Its output stood already.
    Exists,
}

/// The open run that a task belongs to: says how Kafka and the destination are reached.
#[derive(Clone, Debug)]
pub struct RunOfTask {
    plan: Plan,
    spec: Spec,
}

impl RunOfTask {
    /// The spec that the run was planned with.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }
}

/// The run of a reader's event; none if it is closed or given up, or goes by another plan.
///
/// # Errors
/// Whatever keeps the state from being read; `Corrupt` for what the protocol did not write.
pub async fn run_of_task(
    state: &impl StateStore,
    event: &ReaderEvent,
    deadline: Deadline,
) -> Result<Option<RunOfTask>> {
    let loaded = load_head(state, &event.pipeline, deadline).await?;
    let open = loaded.as_ref().and_then(|loaded| loaded.head.open_as(event.run, event.plan));
    let Some(open) = open else { return Ok(None) };
    let plan = load_plan(state, &event.pipeline, open, deadline).await?;
    let spec = Spec::from_value(&plan.spec)?;
    Ok(Some(RunOfTask { plan, spec }))
}

/// Reads a task of `run`, which is that of `event`, and writes its output. `progress` is told of
/// rows and payload bytes as they are staged.
///
/// # Errors
/// Whatever ends the task as a whole; the attempt is then marked as failed.
pub async fn read_task<S, O, L, E, C>(
    ports: &ReaderPorts<'_, S, O, L, E, C>,
    run: &RunOfTask,
    event: &ReaderEvent,
    deadline: Deadline,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<ReadOutcome>
where
    S: StateStore,
    O: ObjectStore,
    L: LogSource,
    E: Encoder,
    C: Clock,
{
    let work_by = deadline.earlier_by(ports.settings.last_word);
    let read = attempt(ports, run, event, work_by, progress).await;
    let mark = match &read {
        Ok(ReadOutcome::Written(_) | ReadOutcome::Exists) => Mark::Done { task: event.task },
        Err(error) => Mark::Failed {
            task: event.task,
            attempt: event.attempt,
            kind: kind_of_attempt(error.kind()),
        },
    };
    let marked = if_open(ports.state, event, mark, deadline).await;
    // The mark is a hint: the first error is the one that counts.
    let read = read.while_doing(|| format!("read task {} of run {}", event.task, event.run))?;
    marked.while_doing(|| format!("mark task {}", event.task))?;
    Ok(read)
}

/// What an attempt's error says of its partitions. A fault of a partition ends its slice; what
/// ends the whole attempt lies with brokers, stores and time, and is no reason to quarantine.
fn kind_of_attempt(kind: ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::OutOfTime | ErrorKind::Corrupt => ErrorKind::Unavailable,
        ErrorKind::Unavailable
        | ErrorKind::Conflict
        | ErrorKind::DataLoss
        | ErrorKind::BadRecord
        | ErrorKind::Denied
        | ErrorKind::Config => kind,
    }
}

/// Leaves a hint, unless the run is closed or given up meanwhile, or goes by another plan.
async fn if_open(
    state: &impl StateStore,
    event: &ReaderEvent,
    mark: Mark,
    deadline: Deadline,
) -> Result<()> {
    let loaded = load_head(state, &event.pipeline, deadline).await?;
    let open = loaded.as_ref().and_then(|loaded| loaded.head.open_as(event.run, event.plan));
    let Some(tasks) = open.map(OpenRun::tasks) else { return Ok(()) };
    state.mark(&event.pipeline, event.run, event.plan, mark, tasks, deadline).await
}

async fn attempt<S, O, L, E, C>(
    ports: &ReaderPorts<'_, S, O, L, E, C>,
    RunOfTask { plan, spec }: &RunOfTask,
    event: &ReaderEvent,
    deadline: Deadline,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<ReadOutcome>
where
    S: StateStore,
    O: ObjectStore,
    L: LogSource,
    E: Encoder,
    C: Clock,
{
    let run = (event.run, event.plan);
    if load_output(ports.state, &event.pipeline, run, event.task, deadline).await?.is_some() {
        return Ok(ReadOutcome::Exists);
    }
    if event.attempt > 1 {
        // A hint: whether a task's last attempt began decides what its end without a word means.
        let begun = Mark::Begun { task: event.task, attempt: event.attempt };
        let (pipeline, tasks) = (&event.pipeline, plan.tasks);
        let _ = ports.state.mark(pipeline, run.0, run.1, begun, tasks, deadline).await;
    }
    let task = load_task(ports.state, plan, event.task, deadline).await?;
    let at = plan.planned_at;
    let (slices, files) = read(ports, event, (spec, at), &task, deadline, &mut progress).await?;
    let summary = TaskSummary {
        rows: slices.iter().map(|slice| slice.accounting.rows).sum(),
        payload_bytes: slices.iter().map(|slice| slice.payload_bytes).sum(),
        files: u64::try_from(files.len()).expect("they were counted"),
        file_bytes: files.iter().map(|file| file.bytes).sum(),
    };
    let output = Output {
        format: FORMAT,
        task: event.task,
        attempt: event.attempt,
        writer: ports.clock.random_id(),
        slices,
        files,
        abandoned: None,
    };
    let document = Document::Output(event.run, event.plan, event.task);
    let expires = Some(plan.planned_at.after(ports.settings.document_expiry));
    let bytes = documents::encode(&output);
    let written = ports.state.write(&event.pipeline, document, bytes, expires, deadline).await;
    match written.while_doing(|| format!("write {document}"))? {
        Written::Ours => Ok(ReadOutcome::Written(summary)),
        Written::Stands(_) => Ok(ReadOutcome::Exists),
    }
}

/// Reads the slices; again without those that turn out to be void, since their rows share files
/// with others'.
async fn read<S, O, L, E, C>(
    ports: &ReaderPorts<'_, S, O, L, E, C>,
    event: &ReaderEvent,
    (spec, planned_at): (&Spec, Millis),
    task: &Task,
    deadline: Deadline,
    progress: &mut (impl FnMut(u64, u64) + Send),
) -> Result<(Vec<SliceOutput>, Vec<StagedFile>)>
where
    S: StateStore,
    O: ObjectStore,
    L: LogSource,
    E: Encoder,
    C: Clock,
{
    let mut void = check(ports.log, &task.slices, deadline).await?;
    loop {
        let reader = ports.clock.random_id();
        let parts = (ports.objects, ports.encoder, &ports.settings);
        let staging = Staging::new(parts, spec, planned_at, event, reader, &task.slices);
        let mut pass = Pass::new(&task.slices, &void, staging);
        let fetched = pass.fetch(ports, spec, deadline, progress).await;
        if let Err(error) = fetched {
            pass.staging.give_up(deadline).await;
            return Err(error);
        }
        let late = check_again(ports.log, &task.slices, deadline).await?;
        let taken = |(slice, _): &(&usize, &Cause)| {
            pass.outputs[**slice].reached > task.slices[**slice].range.start()
        };
        let spoilt = late.iter().filter(|(slice, _)| !void.contains_key(*slice)).any(|l| taken(&l));
        void.extend(late);
        if spoilt {
            pass.staging.give_up(deadline).await;
            continue;
        }
        let files = pass.staging.close(deadline).await?;
        return Ok((pass.outputs, files));
    }
}
