//! Metrics in CloudWatch's embedded format: one JSON document per line of the log
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//!
//! Metrics have the dimension `Pipeline` (and, if the spec wants it, `Pipeline` and `Topic`):
//! each costs money per month. All else is a property of the same line, for Logs Insights.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tidegate_core::planning::{Lag, lag, time_to_loss};
use tidegate_core::spec::Spec;
use tidegate_core::time::Millis;
use tidegate_core::use_cases::{Committed, LagReport, TickOutcome, TickReport};
use tidegate_core::words::PipelineName;

const NAMESPACE: &str = "Tidegate";

/// CloudWatch's units.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Count,
    Seconds,
    Bytes,
}

/// A line in the making.
struct Line {
    dimensions: Vec<(&'static str, String)>,
    metrics: Vec<(&'static str, Unit, u64)>,
    properties: Map<String, Value>,
}

impl Line {
    fn new(pipeline: &PipelineName, function: &str) -> Self {
        let properties = Map::from_iter([("function".to_owned(), function.into())]);
        let dimensions = vec![("Pipeline", pipeline.as_str().to_owned())];
        Self { dimensions, metrics: Vec::new(), properties }
    }

    fn metric(&mut self, name: &'static str, unit: Unit, value: u64) -> &mut Self {
        self.metrics.push((name, unit, value));
        self
    }

    fn property(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.properties.insert(name.to_owned(), value.into());
        self
    }

    fn lag(&mut self, lag: Lag, time_to_loss: Option<u64>) -> &mut Self {
        self.metric("OffsetLag", Unit::Count, lag.records);
        self.metric("TimeLagSeconds", Unit::Seconds, lag.seconds);
        if let Some(seconds) = time_to_loss {
            self.metric("TimeToLossSeconds", Unit::Seconds, seconds);
        }
        self
    }

    fn end(self, at: Millis) -> String {
        let names: Vec<_> = self.dimensions.iter().map(|(name, _)| *name).collect();
        let declared: Vec<_> = self
            .metrics
            .iter()
            .map(|(name, unit, _)| json!({"Name": name, "Unit": format!("{unit:?}")}))
            .collect();
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": declared});
        let mut line = Map::new();
        let metadata = json!({"Timestamp": at.0, "CloudWatchMetrics": [directive]});
        line.insert("_aws".to_owned(), metadata);
        line.extend(
            self.dimensions.into_iter().map(|(name, value)| (name.to_owned(), value.into())),
        );
        line.extend(
            self.metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value.into())),
        );
        line.extend(self.properties);
        Value::Object(line).to_string()
    }
}

/// What a tick says: the pipeline's lag and what is amiss, whatever it did. Per topic, too, if the
/// spec wants it.
pub fn of_tick(spec: &Spec, report: &TickReport, now: Millis) -> Vec<String> {
    let mut line = Line::new(&spec.pipeline, "planner");
    let open = report.open_since.map_or(0, |since| now.since(since).as_secs());
    line.metric("OpenRunSeconds", Unit::Seconds, open);
    outcome(&mut line, &report.outcome);
    let Some(found) = &report.lag else { return vec![line.end(now)] };
    line.lag(found.total, time_to_loss(&found.entries, &found.ends));
    let stopped = found.not_fine().count();
    line.metric("StoppedPartitions", Unit::Count, u64::try_from(stopped).unwrap_or(u64::MAX));
    line.property("partitions", found.ends.len()).property("left_out", report.left_out.len());
    let mut lines = vec![line.end(now)];
    if spec.metrics_by_topic {
        lines.extend(by_topic(&spec.pipeline, found, now));
    }
    lines
}

fn by_topic(pipeline: &PipelineName, found: &LagReport, now: Millis) -> Vec<String> {
    let mut topics: BTreeMap<&str, LagReport> = BTreeMap::new();
    for entry in &found.entries {
        topics.entry(&entry.partition.topic).or_default().entries.push(entry.clone());
    }
    for end in &found.ends {
        topics.entry(&end.partition.topic).or_default().ends.push(end.clone());
    }
    let line = |(topic, found): (&str, LagReport)| {
        let lags = lag(&found.entries, &found.ends, now);
        let total = lags.into_values().fold(Lag::default(), Lag::and);
        let mut line = Line::new(pipeline, "planner");
        line.dimensions.push(("Topic", topic.to_owned()));
        line.lag(total, time_to_loss(&found.entries, &found.ends));
        line.end(now)
    };
    topics.into_iter().map(line).collect()
}

fn outcome(line: &mut Line, outcome: &TickOutcome) {
    let (name, run) = match outcome {
        TickOutcome::Idle => ("idle", None),
        TickOutcome::Paused => ("paused", None),
        TickOutcome::Busy { run } => ("busy", Some(run)),
        TickOutcome::Aborting { run } => ("aborting", Some(run)),
        TickOutcome::Opened { run, tasks, .. } => {
            line.property("tasks", *tasks);
            ("opened", Some(run))
        }
        TickOutcome::RolledForward { run, readers, finalizer, .. } => {
            line.property("readers", *readers).property("finalizer", *finalizer);
            ("rolled_forward", Some(run))
        }
    };
    line.property("outcome", name);
    if let Some(run) = run {
        line.property("run", run.0);
    }
}

/// What a commit says.
pub fn of_commit(pipeline: &PipelineName, done: &Committed, now: Millis) -> String {
    let mut line = Line::new(pipeline, "finalizer");
    let lost = done.losses.iter().map(|loss| loss.end.abs_diff(loss.start)).sum();
    line.metric("RowsWritten", Unit::Count, done.rows)
        .metric("BytesWritten", Unit::Bytes, done.bytes_written)
        .metric("RecordsLost", Unit::Count, lost)
        .property("run", done.run.0)
        .property("files", done.files)
        .property("bytes_read", done.bytes_read)
        .property("offsets", done.moved)
        .property("backlog", done.backlog)
        .property("set_aside", done.set_aside.len())
        .property("unfinished", done.unfinished.len())
        .property("row_groups_copied", done.joined.row_groups_copied)
        .property("pages_copied", done.joined.pages_copied);
    line.end(now)
}

#[cfg(test)]
mod tests;
