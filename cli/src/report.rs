//! What a run came to, for programs and for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_core::ErrorKind;
use tidegate_core::documents::{CheckpointEntry, LeftOut, Loss, Why};
use tidegate_core::planning::Lag;
use tidegate_core::spec::Spec;
use tidegate_core::use_cases::{Committed, TickOutcome, Unfinished};
use tidegate_core::words::RunNumber;

use crate::driver::Pass;

/// The outcome of a tick and what it started (design: "CLI").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// A run was committed.
    Committed,
    /// There was nothing to do.
    Idle,
    /// Another process is at work on the run.
    Busy,
    /// The operator paused the pipeline.
    Paused,
}

impl Outcome {
    /// The outcome as it stands in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Paused => "paused",
        }
    }
}

/// One line of `run --json`.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct RunLine {
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// The pipeline.
    pub(crate) pipeline: String,
    /// The run; none if there was none.
    pub(crate) run: Option<RunNumber>,
    /// Rows published.
    pub(crate) rows: u64,
    /// Key, value and header bytes read.
    pub(crate) bytes_read: u64,
    /// Bytes of the data files.
    pub(crate) bytes_written: u64,
    /// Data files.
    pub(crate) files: u64,
    /// How far behind the pipeline was; null if that could not be observed.
    pub(crate) lag_before: Option<Lag>,
    /// How far behind it is now, up to the ends that were observed.
    pub(crate) lag_after: Option<Lag>,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Offsets that were passed over, because they were gone.
    pub(crate) losses: Vec<LossLine>,
    /// Partitions that are stopped or quarantined, and what could not be observed.
    pub(crate) stopped: Vec<StoppedLine>,
}

/// Offsets that are gone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct LossLine {
    topic: String,
    partition: i32,
    start: i64,
    end: i64,
}

impl LossLine {
    /// A loss.
    pub(crate) fn of(loss: &Loss) -> Self {
        let Loss { topic, partition, start, end, .. } = loss;
        Self { topic: topic.to_string(), partition: *partition, start: *start, end: *end }
    }
}

/// A partition that is not read, or seldom; a topic, where it has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(crate) struct StoppedLine {
    /// The topic.
    pub(crate) topic: String,
    /// The partition; none: the whole topic.
    pub(crate) partition: Option<i32>,
    /// `stopped`, `quarantined`, `unobserved`, or `unread`: this run could not read it to its end.
    pub(crate) state: String,
    /// Why, for programs: `lost`, `recreated`, `truncated`, or the kind of the error.
    pub(crate) reason: Option<String>,
    /// Why, where, and what to do.
    pub(crate) cause: String,
}

impl StoppedLine {
    /// An entry that is stopped or quarantined; none for any other.
    pub(crate) fn of(entry: &CheckpointEntry) -> Option<Self> {
        entry.state.is_amiss().then(|| Self {
            topic: entry.partition.topic.to_string(),
            partition: Some(entry.partition.partition),
            state: entry.state.name().to_owned(),
            reason: entry.state.reason().map(str::to_owned),
            cause: entry.state.message().unwrap_or_default().to_owned(),
        })
    }

    /// What could not be observed; none for what is left out for another reason.
    pub(crate) fn unobserved(left_out: &LeftOut) -> Option<Self> {
        match &left_out.why {
            Why::Unobserved(cause) => Some(Self {
                topic: left_out.topic.to_string(),
                partition: left_out.partition,
                state: "unobserved".to_owned(),
                reason: Some(cause.kind.to_string()),
                cause: cause.message.clone(),
            }),
            Why::Stopped | Why::Quarantined | Why::Batching | Why::Capped | Why::Table => None,
        }
    }

    /// A slice that met trouble; none if it only ran out of time, or its entry tells.
    pub(crate) fn unread(unfinished: &Unfinished) -> Option<Self> {
        let Unfinished { partition, reached, end, cause } = unfinished;
        let told = match cause.kind {
            ErrorKind::OutOfTime | ErrorKind::BadRecord | ErrorKind::Corrupt => true,
            ErrorKind::Unavailable
            | ErrorKind::Conflict
            | ErrorKind::DataLoss
            | ErrorKind::Denied
            | ErrorKind::Config => false,
        };
        (!told).then(|| Self {
            topic: partition.topic.to_string(),
            partition: Some(partition.partition),
            state: "unread".to_owned(),
            reason: Some(cause.kind.to_string()),
            cause: format!("it was read up to {reached} of {end}: {cause}"),
        })
    }
}

impl fmt::Display for LossLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, start, end } = self;
        write!(f, "{topic}-{partition}: offsets [{start}, {end}) are lost")
    }
}

impl fmt::Display for StoppedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.topic)?;
        if let Some(partition) = self.partition {
            write!(f, "-{partition}")?;
        }
        write!(f, " is {}", self.state)?;
        if let Some(reason) = &self.reason {
            write!(f, " ({reason})")?;
        }
        write!(f, ": {}", self.cause)
    }
}

impl RunLine {
    /// The line of a pass.
    pub(crate) fn of(spec: &Spec, pass: &Pass) -> Self {
        let outcome = match (&pass.outcome, &pass.committed) {
            (_, Some(_)) => Outcome::Committed,
            (TickOutcome::Idle, None) => Outcome::Idle,
            (TickOutcome::Paused, None) => Outcome::Paused,
            // A run that this process worked on and did not commit was committed by another.
            (
                TickOutcome::Busy { .. }
                | TickOutcome::Aborting { .. }
                | TickOutcome::Opened { .. }
                | TickOutcome::RolledForward { .. },
                None,
            ) => Outcome::Busy,
        };
        let lag = pass.lag.as_ref().map(|lag| lag.total);
        let done = pass.committed.as_ref();
        Self {
            outcome,
            pipeline: spec.pipeline.to_string(),
            run: run(&pass.outcome),
            rows: done.map_or(0, |done| done.rows),
            bytes_read: done.map_or(0, |done| done.bytes_read),
            bytes_written: done.map_or(0, |done| done.bytes_written),
            files: done.map_or(0, |done| done.files),
            lag_before: lag,
            lag_after: done.map(|done| done.lag).or(lag),
            seconds: (pass.took.as_secs_f64() * 1000.0).round() / 1000.0,
            losses: done.map(losses).unwrap_or_default(),
            stopped: stopped(spec, pass),
        }
    }
}

fn run(outcome: &TickOutcome) -> Option<RunNumber> {
    match outcome {
        TickOutcome::Idle | TickOutcome::Paused => None,
        TickOutcome::Busy { run }
        | TickOutcome::Aborting { run }
        | TickOutcome::Opened { run, .. }
        | TickOutcome::RolledForward { run, .. } => Some(*run),
    }
}

fn losses(done: &Committed) -> Vec<LossLine> {
    done.losses.iter().map(LossLine::of).collect()
}

/// What is not read, as the checkpoint has it after the pass. Topics that the spec no longer names
/// are nobody's business.
fn stopped(spec: &Spec, pass: &Pass) -> Vec<StoppedLine> {
    let before = pass.lag.iter().flat_map(|lag| &lag.entries);
    let after = pass.committed.iter().flat_map(|done| &done.entries);
    let entries: BTreeMap<_, _> = before.chain(after).map(|e| (&e.partition, e)).collect();
    let entries = entries.into_values().filter(|e| spec.topics.matches(&e.partition.topic));
    let mut lines: BTreeSet<_> = entries.filter_map(StoppedLine::of).collect();
    lines.extend(pass.left_out.iter().filter_map(StoppedLine::unobserved));
    let unfinished = pass.committed.iter().flat_map(|done| &done.unfinished);
    lines.extend(unfinished.filter_map(StoppedLine::unread));
    lines.into_iter().collect()
}
