//! *Read a task*: fetch its slices, stage their rows, write its output once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Settings;
use super::staging::Staging;
use super::state::{load_head, load_output, load_plan, load_task};
use crate::columns::Columns;
use crate::documents::{
    self, Accounting, FORMAT, Output, Plan, PlannedSlice, SliceOutput, StagedFile, Task,
};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::ports::{
    Cause, Clock, Document, Encoder, FetchSlice, Fetched, LogFetch, LogSource, Mark, ObjectStore,
    Observation, ObserveRequest, PartitionEpoch, Progress, ReaderEvent, StateStore, Written,
};
use crate::spec::{Spec, TopicSelection};
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
    /// The run is closed, or goes by another plan: nothing was done.
    Stale,
}

/// Reads a task and writes its output. `progress` is told of rows and payload bytes as they are
/// staged.
///
/// # Errors
/// Whatever ends the task as a whole; the attempt is then marked as failed.
pub async fn read_task<S, O, L, E, C>(
    ports: &ReaderPorts<'_, S, O, L, E, C>,
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
    let read = attempt(ports, event, deadline, progress).await;
    let mark = match &read {
        Ok(ReadOutcome::Stale) => return read,
        Ok(ReadOutcome::Written(_) | ReadOutcome::Exists) => Mark::Done { task: event.task },
        Err(error) => Mark::Failed { task: event.task, attempt: event.attempt, kind: error.kind() },
    };
    let tasks = open_tasks(ports.state, event, deadline).await;
    let marked = match tasks {
        Ok(Some(tasks)) => {
            let (run, plan) = (event.run, event.plan);
            ports.state.mark(&event.pipeline, run, plan, mark, tasks, deadline).await
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    // The mark is a hint: the first error is the one that counts.
    let read = read.while_doing(|| format!("read task {} of run {}", event.task, event.run))?;
    marked.while_doing(|| format!("mark task {}", event.task))?;
    Ok(read)
}

/// How many tasks the run has; none if it is closed or goes by another plan.
async fn open_tasks(
    state: &impl StateStore,
    event: &ReaderEvent,
    deadline: Deadline,
) -> Result<Option<u32>> {
    let loaded = load_head(state, &event.pipeline, deadline).await?;
    let open = loaded.and_then(|loaded| loaded.head.open);
    let ours = open.filter(|open| (open.run, open.plan) == (event.run, event.plan));
    Ok(ours.map(|open| open.tasks()))
}

async fn attempt<S, O, L, E, C>(
    ports: &ReaderPorts<'_, S, O, L, E, C>,
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
    let loaded = load_head(ports.state, &event.pipeline, deadline).await?;
    let open = loaded.and_then(|loaded| loaded.head.open);
    let Some(open) = open.filter(|open| (open.run, open.plan) == (event.run, event.plan)) else {
        return Ok(ReadOutcome::Stale);
    };
    let run = (event.run, event.plan);
    if load_output(ports.state, &event.pipeline, run, event.task, deadline).await?.is_some() {
        return Ok(ReadOutcome::Exists);
    }
    let plan = load_plan(ports.state, &event.pipeline, &open, deadline).await?;
    let task = load_task(ports.state, &plan, event.task, deadline).await?;
    let (slices, files) = read(ports, event, &plan, &task, deadline, &mut progress).await?;
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
    plan: &Plan,
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
    let spec = Spec::from_value(&plan.spec)?;
    let mut void = check(ports.log, &task.slices, deadline).await?;
    loop {
        let reader = ports.clock.random_id();
        let parts = (ports.objects, ports.encoder, &ports.settings);
        let staging = Staging::new(parts, &spec, plan.planned_at, event, reader, &task.slices);
        let mut pass = Pass::new(&task.slices, &void, staging);
        let fetched = pass.fetch(ports, &spec, deadline, progress).await;
        if let Err(error) = fetched {
            // What caused it matters; that cleaning up fails too does not.
            let _ = pass.staging.give_up(deadline).await;
            return Err(error);
        }
        let late = check(ports.log, &task.slices, deadline).await?;
        let taken = |(slice, _): &(&usize, &Cause)| {
            pass.outputs[**slice].reached > task.slices[**slice].range.start()
        };
        let spoilt = late.iter().filter(|(slice, _)| !void.contains_key(*slice)).any(|l| taken(&l));
        void.extend(late);
        if spoilt {
            pass.staging.give_up(deadline).await?;
            continue;
        }
        let files = pass.staging.close(deadline).await?;
        return Ok((pass.outputs, files));
    }
}

/// The slices that are not what was planned, by index: another topic of the same name, or a log
/// that was cut back behind the slice's end.
async fn check(
    log: &impl LogSource,
    slices: &[PlannedSlice],
    deadline: Deadline,
) -> Result<BTreeMap<usize, Cause>> {
    let mut topics: Vec<Arc<str>> =
        slices.iter().map(|slice| Arc::clone(&slice.partition.topic)).collect();
    topics.sort();
    topics.dedup();
    let mut epochs: Vec<PartitionEpoch> = slices
        .iter()
        .filter(|slice| slice.leader_epoch >= 0)
        .map(|slice| PartitionEpoch {
            partition: slice.partition.clone(),
            epoch: slice.leader_epoch,
        })
        .collect();
    epochs.sort_by(|a, b| a.partition.cmp(&b.partition));
    epochs.dedup();
    let request = ObserveRequest {
        topics: TopicSelection::Names(topics),
        offsets: false,
        start_time: None,
        end_time: None,
        epochs,
    };
    let seen = log.observe(&request, deadline).await;
    let seen = seen.while_doing(|| "check topic ids and leader epochs".into())?;
    let faults = slices.iter().enumerate().filter_map(|(at, slice)| {
        let error = fault(slice, &seen)?;
        Some((at, Cause::from(&error)))
    });
    Ok(faults.collect())
}

/// Why a slice is not what was planned, if it is not.
fn fault(slice: &PlannedSlice, seen: &Observation) -> Option<Error> {
    let partition = &slice.partition;
    if let Some((_, cause)) = seen.topics_missing.iter().find(|(t, _)| **t == *partition.topic) {
        return Some(Error::new(cause.kind, cause.message.clone()));
    }
    let found = seen.partitions.iter().find(|found| found.partition == *partition);
    let Some(found) = found else {
        return Some(Error::data_loss(format!("{partition} is no longer there")));
    };
    if let (Some(planned), Some(now)) = (slice.topic_id, found.topic_id)
        && planned != now
    {
        return Some(Error::data_loss(format!(
            "topic {} was deleted and created anew while it was read (topic id {planned}, now {now})",
            partition.topic
        )));
    }
    let offsets = match &found.offsets {
        Ok(offsets) => offsets,
        Err(cause) => return Some(Error::new(cause.kind, cause.message.clone())),
    };
    let end = offsets.epoch_end.filter(|_| slice.leader_epoch >= 0)?;
    (end.end < slice.range.end()).then(|| {
        Error::data_loss(format!(
            "the log of {partition} was cut back to {} in leader epoch {}, while {} was planned",
            end.end, slice.leader_epoch, slice.range
        ))
    })
}

/// One pass over the slices of a task.
struct Pass<'a, O: ObjectStore, E: Encoder> {
    slices: &'a [PlannedSlice],
    /// The slices that are fetched, by their place in the fetch.
    fetched: Vec<usize>,
    outputs: Vec<SliceOutput>,
    staging: Staging<'a, O, E>,
}

impl<'a, O: ObjectStore, E: Encoder> Pass<'a, O, E> {
    fn new(
        slices: &'a [PlannedSlice],
        void: &BTreeMap<usize, Cause>,
        staging: Staging<'a, O, E>,
    ) -> Self {
        let output = |(at, slice): (usize, &PlannedSlice)| SliceOutput {
            reached: slice.range.start(),
            accounting: Accounting::default(),
            payload_bytes: 0,
            leader_epoch: -1,
            last_timestamp: None,
            cause: void.get(&at).cloned(),
        };
        Self {
            slices,
            fetched: (0..slices.len()).filter(|at| !void.contains_key(at)).collect(),
            outputs: slices.iter().enumerate().map(output).collect(),
            staging,
        }
    }

    /// Fetches until all slices are read or ended, or time is up.
    async fn fetch<S, L: LogSource, C: Clock>(
        &mut self,
        ports: &ReaderPorts<'_, S, O, L, E, C>,
        spec: &Spec,
        deadline: Deadline,
        progress: &mut (impl FnMut(u64, u64) + Send),
    ) -> Result<()> {
        if self.fetched.is_empty() {
            return Ok(());
        }
        let slices: Vec<_> = self.fetched.iter().map(|at| self.fetch_slice(*at)).collect();
        let isolation = spec.kafka.isolation_level;
        let stop = earlier(deadline, ports.settings.reader_margin);
        let mut fetch = ports.log.fetch(&slices, isolation, stop).await?;
        let mut rows = Columns::default();
        loop {
            let patience = Deadline(ports.clock.now().after(ports.settings.no_progress));
            let fetched = fetch.next(&mut rows, stop.min(patience)).await;
            match fetched {
                Ok(Fetched::Progress(step)) => {
                    let slice = self.fetched[step.slice];
                    let bytes = self.take(slice, step, &rows, deadline).await?;
                    progress(u64::try_from(rows.len()).expect("in memory"), bytes);
                    if self.is_full(slice) {
                        fetch.stop(step.slice);
                    }
                }
                Ok(Fetched::Ended { slice, error }) => {
                    self.outputs[self.fetched[slice]].cause = Some(Cause::from(&error));
                }
                Ok(Fetched::Done) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::OutOfTime => {
                    self.out_of_time(&Cause::from(&error));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn fetch_slice(&self, at: usize) -> FetchSlice {
        let slice = &self.slices[at];
        FetchSlice { partition: slice.partition.clone(), range: slice.range }
    }

    /// Stages the rows of a step and counts what it crossed; answers the rows' payload bytes.
    async fn take(
        &mut self,
        slice: usize,
        step: Progress,
        rows: &Columns,
        deadline: Deadline,
    ) -> Result<u64> {
        let nulled = self.staging.append(slice, rows, deadline).await?;
        let bytes = rows.payload_bytes(0..rows.len());
        let output = &mut self.outputs[slice];
        output.reached = step.next;
        output.leader_epoch = step.leader_epoch;
        output.payload_bytes += bytes;
        let last = rows.timestamps().iter().rev().copied();
        let last = last.filter_map(crate::columns::timestamp_or_null).next();
        output.last_timestamp = last.map(Millis).or(output.last_timestamp);
        let accounting = &mut output.accounting;
        accounting.rows += u64::try_from(rows.len()).expect("in memory");
        accounting.markers += step.markers;
        accounting.aborted += step.aborted;
        accounting.compacted += step.compacted;
        accounting.timestamps_nulled += nulled;
        Ok(bytes)
    }

    /// Whether a slice has given as many bytes as its cap allows.
    fn is_full(&self, slice: usize) -> bool {
        let bytes = self.outputs[slice].payload_bytes;
        self.slices[slice].bytes_max.is_some_and(|max| bytes >= max)
    }

    /// Every slice that is not at its end says why.
    fn out_of_time(&mut self, cause: &Cause) {
        for (slice, output) in self.slices.iter().zip(&mut self.outputs) {
            if output.reached < slice.range.end() && output.cause.is_none() {
                output.cause = Some(cause.clone());
            }
        }
    }
}

fn earlier(deadline: Deadline, margin: std::time::Duration) -> Deadline {
    let margin = i64::try_from(margin.as_millis()).unwrap_or(i64::MAX);
    Deadline(Millis(deadline.0.0.saturating_sub(margin)))
}
