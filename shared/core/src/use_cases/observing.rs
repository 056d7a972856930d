//! What the planner asks of Kafka, and how far behind that shows the pipeline to be.

use super::planner::PlannerPorts;
use super::state::{load_checkpoint, load_head};
use crate::documents::{Checkpoint, CheckpointEntry, Head, PartitionState, PlannedEnd};
use crate::error::{Context, Error, Result};
use crate::planning::{self, Lag, NewRun, PlannedRun, ResetTo};
use crate::ports::{Clock, LogSource, Observation, ObserveRequest, PartitionEpoch, StateStore};
use crate::spec::{Spec, Start};
use crate::time::{Deadline, Millis};
use crate::words::RunNumber;

/// How far behind a pipeline is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LagReport {
    /// All partitions together.
    pub total: Lag,
    /// Where each partition stands.
    pub entries: Vec<CheckpointEntry>,
    /// Where each partition ends.
    pub ends: Vec<PlannedEnd>,
}

impl LagReport {
    pub(super) fn new(entries: Vec<CheckpointEntry>, ends: Vec<PlannedEnd>, now: Millis) -> Self {
        let total =
            planning::lag(&entries, &ends, now).into_values().fold(Lag::default(), Lag::and);
        Self { total, entries, ends }
    }

    /// Partitions that are stopped or quarantined.
    pub fn not_fine(&self) -> impl Iterator<Item = &CheckpointEntry> {
        self.entries.iter().filter(|entry| entry.state.is_amiss())
    }
}

/// How far behind the checkpoint of `head` is.
pub async fn observe_lag<S: StateStore, L: LogSource, I, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    head: Option<&Head>,
    deadline: Deadline,
) -> Result<LagReport> {
    let (checkpoint, seen) = observe(ports, spec, head, deadline).await?;
    let new = new_run(ports, head);
    let planned = planning::plan(spec, &checkpoint, &seen, &new)?;
    let entries = checkpoint.with(&planned.plan.entries);
    Ok(LagReport::new(entries, planned.plan.ends, new.now))
}

/// What a tick would find and do.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The head; none before the first run.
    pub head: Option<Head>,
    /// The run that a tick would open, if none is open and it is not paused.
    pub planned: PlannedRun,
    /// How far behind the pipeline is.
    pub lag: LagReport,
}

/// Plans a run as [`super::tick`] would, and changes nothing.
pub async fn preview<S: StateStore, L: LogSource, I, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    deadline: Deadline,
) -> Result<Preview> {
    let head = load_head(ports.state, &spec.pipeline, deadline).await?.map(|loaded| loaded.head);
    let (checkpoint, seen) = observe(ports, spec, head.as_ref(), deadline).await?;
    let new = new_run(ports, head.as_ref());
    let planned = planning::plan(spec, &checkpoint, &seen, &new)?;
    let entries = checkpoint.with(&planned.plan.entries);
    let lag = LagReport::new(entries, planned.plan.ends.clone(), new.now);
    Ok(Preview { head, planned, lag })
}

pub(super) async fn observe<S: StateStore, L: LogSource, I, C>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    head: Option<&Head>,
    deadline: Deadline,
) -> Result<(Checkpoint, Observation)> {
    let named = head.and_then(|head| head.checkpoint.as_ref());
    let checkpoint = load_checkpoint(ports.state, &spec.pipeline, named, deadline).await?;
    let request = observe_request(spec, &checkpoint, named.is_none());
    let seen = ports.log.observe(&request, deadline).await;
    Ok((checkpoint, seen.while_doing(|| "observe Kafka".into())?))
}

/// The checkpoint, and what a reset must know of the log.
pub(super) async fn observe_for_reset<S: StateStore, L: LogSource, I, C>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    head: &Head,
    to: &ResetTo,
    deadline: Deadline,
) -> Result<(Checkpoint, Observation)> {
    let named = head.checkpoint.as_ref();
    let checkpoint = load_checkpoint(ports.state, &spec.pipeline, named, deadline).await?;
    let start_time = match to {
        ResetTo::Time(time) => Some(*time),
        ResetTo::Earliest | ResetTo::Latest | ResetTo::Offsets(_) => None,
    };
    let request = ObserveRequest {
        topics: spec.topics.clone(),
        offsets: true,
        start_time,
        end_time: spec.end,
        epochs: Vec::new(),
    };
    let seen = ports.log.observe(&request, deadline).await;
    Ok((checkpoint, seen.while_doing(|| "observe Kafka".into())?))
}

/// What is to be observed for the next plan.
fn observe_request(spec: &Spec, checkpoint: &Checkpoint, first_run: bool) -> ObserveRequest {
    let start_time = match (&spec.start, first_run) {
        (Start::Time(time), true) => Some(*time),
        (Start::Time(_) | Start::Earliest | Start::Latest | Start::Offsets(_), _) => {
            unresolved_from(checkpoint)
        }
    };
    let matches = |entry: &&CheckpointEntry| spec.topics.matches(&entry.partition.topic);
    let epochs =
        checkpoint.entries.iter().filter(|entry| entry.leader_epoch >= 0).filter(matches).map(
            |entry| PartitionEpoch {
                partition: entry.partition.clone(),
                epoch: entry.leader_epoch,
            },
        );
    ObserveRequest {
        topics: spec.topics.clone(),
        offsets: true,
        start_time,
        end_time: spec.end,
        epochs: epochs.collect(),
    }
}

/// The time from which partitions begin that could not be observed at the first run; all of them
/// have that run's.
fn unresolved_from(checkpoint: &Checkpoint) -> Option<Millis> {
    checkpoint.entries.iter().find_map(|entry| match entry.state {
        PartitionState::Unresolved { from } => from,
        PartitionState::Fine | PartitionState::Quarantined(_) | PartitionState::Stopped { .. } => {
            None
        }
    })
}

/// So many causes make one error.
const CAUSES_TOLD: usize = 10;

/// Why nothing at all could be observed, if something is there to be observed: a run that did
/// nothing for this reason must not look like one that had nothing to do.
pub(super) fn nothing_seen(seen: &Observation) -> Option<Error> {
    let first = seen.topics_missing.first().map(|(_, cause)| cause);
    let mut partitions = seen.partitions.iter().map(|partition| partition.offsets.as_ref().err());
    let first = partitions.try_fold(first, |first, cause| Some(first.or(Some(cause?))))??;
    let mut messages: Vec<&str> =
        seen.topics_missing.iter().map(|(_, cause)| cause.message.as_str()).collect();
    if messages.is_empty() {
        messages.push(&first.message);
    }
    let more = messages.len().saturating_sub(CAUSES_TOLD);
    messages.truncate(CAUSES_TOLD);
    let more = if more == 0 { String::new() } else { format!("; and {more} more like these") };
    Some(Error::new(first.kind, format!("{}{more}", messages.join("; "))))
}

pub(super) fn new_run<S, L, I, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    head: Option<&Head>,
) -> NewRun {
    NewRun {
        birth_id: head.map_or_else(|| ports.clock.random_id(), |head| head.birth_id),
        run: head.map_or(RunNumber(0), |head| head.last_run).next(),
        plan: ports.clock.random_id(),
        now: ports.clock.now(),
        base: head.and_then(|head| head.checkpoint.clone()),
    }
}
