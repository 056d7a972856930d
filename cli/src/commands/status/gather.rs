//! What state, Kafka and destination know.

use std::collections::BTreeMap;

use tidegate_core::documents::{self, CheckpointEntry, Head, LeftOut, Plan, PlannedEnd};
use tidegate_core::planning::{Lag, lag};
use tidegate_core::ports::{Clock, Document, StateStore};
use tidegate_core::spec::Spec;
use tidegate_core::spec::units::time_text;
use tidegate_core::time::Millis;
use tidegate_core::use_cases::{check_destination, load_checkpoint, load_head};
use tidegate_core::words::TopicPartition;
use tidegate_core::{Error, ErrorKind, Result};
use tidegate_local::SystemClock;

use super::{OpenRunLine, PartitionLine, PipelineLine, Shown, TopicLine, runs};
use crate::commands::look;
use crate::deployment::{Deployment, look_deadline};
use crate::exit::Failure;
use crate::report::StoppedLine;

/// Where the partitions stand and end, and how that is known.
struct Known {
    entries: Vec<CheckpointEntry>,
    ends: Vec<PlannedEnd>,
    left_out: Vec<LeftOut>,
    as_of: Option<Millis>,
    /// Why Kafka was not observed, if it was not.
    cause: Option<Error>,
}

pub(super) async fn gather(at: &Deployment) -> Result<Shown, Failure> {
    let head = load_head(&at.state, &at.spec.pipeline, look_deadline()).await?;
    let head = head.map(|loaded| loaded.head);
    if let Some(head) = &head {
        check_destination(&at.spec, head)?;
    }
    let known = known(at, head.as_ref()).await?;
    let now = SystemClock.now();
    let partitions = partition_lines(&known, now);
    let last_run = head.as_ref().and_then(|head| head.manifest);
    let pipeline = PipelineLine {
        pipeline: at.spec.pipeline.to_string(),
        destination: at.spec.destination.to_string(),
        paused: head.as_ref().is_some_and(|head| head.paused),
        last_run,
        open_run: head.as_ref().and_then(|head| open_run(head, now)),
        observed: known.cause.is_none(),
        as_of: known.as_of.map(time_text),
        cause: known.cause.as_ref().map(ToString::to_string),
        lag: partitions.iter().filter_map(|line| line.lag).reduce(Lag::and),
    };
    Ok(Shown {
        pipeline,
        topics: topic_lines(&partitions),
        partitions,
        stopped: stopped(&at.spec, &known),
        runs: runs::last(at, last_run).await?,
    })
}

/// What Kafka shows; what the last plan knew, if Kafka does not answer.
async fn known(at: &Deployment, head: Option<&Head>) -> Result<Known> {
    let error = match look::look(at).await {
        Ok(seen) => {
            return Ok(Known {
                entries: seen.lag.entries,
                ends: seen.lag.ends,
                left_out: seen.planned.plan.left_out,
                as_of: Some(seen.planned.plan.planned_at),
                cause: None,
            });
        }
        Err(error) => error,
    };
    let kafka =
        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::OutOfTime | ErrorKind::Denied);
    let Some(head) = head.filter(|_| kafka) else { return Err(error) };
    let named = head.checkpoint.as_ref();
    let checkpoint = load_checkpoint(&at.state, &at.spec.pipeline, named, look_deadline()).await?;
    let plan = last_plan(at, head).await?;
    Ok(Known {
        entries: checkpoint.entries,
        as_of: plan.as_ref().map(|plan| plan.planned_at),
        ends: plan.map(|plan| plan.ends).unwrap_or_default(),
        left_out: Vec::new(),
        cause: Some(error),
    })
}

/// The plan of the open run, else of the last one that was committed.
async fn last_plan(at: &Deployment, head: &Head) -> Result<Option<Plan>> {
    let open = head.open.as_ref().map(|open| (open.run, open.plan));
    let last = head.checkpoint.as_ref().map(|checkpoint| (checkpoint.run, checkpoint.plan));
    let Some((run, plan)) = open.or(last) else { return Ok(None) };
    let document = Document::Plan(run, plan);
    let bytes = at.state.load(&at.spec.pipeline, document, look_deadline()).await?;
    bytes.map(|bytes| documents::decode(&bytes, &document.to_string())).transpose()
}

fn open_run(head: &Head, now: Millis) -> Option<OpenRunLine> {
    let open = head.open.as_ref()?;
    Some(OpenRunLine {
        run: open.run,
        tasks: open.tasks(),
        opened_at: time_text(open.opened_at),
        seconds: now.since(open.opened_at).as_secs(),
        aborting: open.aborting.as_ref().map(|abort| abort.reason.clone()),
    })
}

fn partition_lines(known: &Known, now: Millis) -> Vec<PartitionLine> {
    let lags = lag(&known.entries, &known.ends, now);
    let entries = known.entries.iter().map(|entry| (&entry.partition, entry));
    let entries: BTreeMap<&TopicPartition, &CheckpointEntry> = entries.collect();
    let ends: BTreeMap<_, _> = known.ends.iter().map(|end| (&end.partition, end)).collect();
    let mut all: Vec<_> = entries.keys().chain(ends.keys()).copied().collect();
    all.sort();
    all.dedup();
    let line = |partition: &TopicPartition| {
        let (entry, end) = (entries.get(partition), ends.get(partition));
        PartitionLine {
            topic: partition.topic.to_string(),
            partition: partition.partition,
            committed: entry.and_then(|entry| entry.position()),
            end: end.map(|end| end.end),
            high_watermark: end.map(|end| end.high_watermark),
            log_start: end.map(|end| end.log_start),
            lag: lags.get(partition).copied(),
            state: entry.map_or("fine", |entry| entry.state.name()).to_owned(),
            cause: entry.and_then(|entry| entry.state.message()).map(str::to_owned),
        }
    };
    all.into_iter().map(line).collect()
}

fn topic_lines(partitions: &[PartitionLine]) -> Vec<TopicLine> {
    let mut topics: Vec<TopicLine> = Vec::new();
    for line in partitions {
        if topics.last().is_none_or(|topic| topic.topic != line.topic) {
            let topic = line.topic.clone();
            let (partitions, committed, stopped) = (0, 0, 0);
            topics.push(TopicLine { topic, partitions, committed, end: None, lag: None, stopped });
        }
        let Some(topic) = topics.last_mut() else { continue };
        topic.partitions += 1;
        topic.committed = topic.committed.saturating_add(line.committed.unwrap_or(0));
        topic.end = match (topic.end, line.high_watermark) {
            (Some(end), Some(more)) => Some(end.saturating_add(more)),
            (end, more) => end.or(more),
        };
        topic.lag = topic.lag.into_iter().chain(line.lag).reduce(Lag::and);
        topic.stopped += u64::from(line.state != "fine");
    }
    topics
}

/// Partitions of the spec's topics that are not fine, and what could not be observed.
fn stopped(spec: &Spec, known: &Known) -> Vec<StoppedLine> {
    let entries = known.entries.iter().filter(|e| spec.topics.matches(&e.partition.topic));
    let mut lines: Vec<_> = entries.filter_map(StoppedLine::of).collect();
    lines.extend(known.left_out.iter().filter_map(StoppedLine::unobserved));
    lines.sort();
    lines
}
