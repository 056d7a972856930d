//! The status for programs and for people.

use super::{OpenRunLine, PipelineLine, RunLine, Shown};
use crate::console::{say, say_typed};
use crate::table::{bytes, count, grid, lag, span};

/// One object per line, told apart by `type`; the runs newest first.
pub(super) fn as_json(shown: &Shown) {
    say_typed("pipeline", &shown.pipeline);
    shown.topics.iter().for_each(|line| say_typed("topic", line));
    shown.partitions.iter().for_each(|line| say_typed("partition", line));
    shown.stopped.iter().for_each(|line| say_typed("stopped", line));
    shown.runs.iter().for_each(|line| say_typed("run", line));
}

/// The same as tables; partition by partition if `verbose`.
pub(super) fn as_tables(shown: &Shown, verbose: bool) {
    opening(&shown.pipeline).iter().for_each(|line| say(line));
    if !shown.topics.is_empty() {
        say("");
        say(&topics(shown));
    }
    if verbose && !shown.partitions.is_empty() {
        say("");
        say(&partitions(shown));
    }
    if !shown.stopped.is_empty() {
        say("");
        shown.stopped.iter().for_each(|line| say(&line.to_string()));
    }
    if !shown.runs.is_empty() {
        say("");
        say(&runs(shown));
    }
}

fn opening(line: &PipelineLine) -> Vec<String> {
    let PipelineLine { pipeline, destination, .. } = line;
    let mut lines = vec![format!("{pipeline} -> {destination}, lag {}", lag(line.lag))];
    if line.paused {
        lines.push("paused: no new run is opened until `tidegate resume`".to_owned());
    }
    if let Some(open) = &line.open_run {
        let what = match &open.aborting {
            None => "the next run rolls it forward, if nobody is at work".to_owned(),
            Some(reason) => format!(
                "it is being aborted ({reason}); `tidegate abort` goes on with it, if nobody is \
                 at it"
            ),
        };
        let OpenRunLine { run, tasks, seconds, .. } = open;
        lines.push(format!("run {run} is open for {} ({tasks} tasks): {what}", span(*seconds)));
    }
    if let Some(cause) = &line.cause {
        let as_of = line.as_of.as_deref().unwrap_or("never");
        lines.push(format!(
            "ends as the last plan saw them ({as_of}), since Kafka does not answer:"
        ));
        lines.push(format!("  {cause}"));
    }
    if line.last_run.is_none() {
        lines.push("no run has written anything yet".to_owned());
    }
    lines
}

fn topics(shown: &Shown) -> String {
    let rows = shown.topics.iter().map(|line| {
        [
            line.topic.clone(),
            count(line.partitions),
            line.committed.to_string(),
            known(line.end),
            lag(line.lag),
            if line.stopped == 0 { String::new() } else { format!("{} not fine", line.stopped) },
        ]
    });
    grid(["topic", "partitions", "committed", "end", "lag", ""], [1, 2, 3, 4], rows)
}

fn partitions(shown: &Shown) -> String {
    let rows = shown.partitions.iter().map(|line| {
        [
            format!("{}-{}", line.topic, line.partition),
            known(line.committed),
            known(line.end),
            known(line.high_watermark),
            lag(line.lag),
            line.state.clone(),
        ]
    });
    let heads = ["partition", "committed", "readable to", "end", "lag", "state"];
    grid(heads, [1, 2, 3, 4], rows)
}

fn runs(shown: &Shown) -> String {
    let rows = shown.runs.iter().map(|line| {
        [
            line.run.to_string(),
            line.planned_at.clone(),
            count(line.rows),
            line.files.to_string(),
            bytes(line.bytes),
            remark(line),
        ]
    });
    grid(["run", "planned", "rows", "files", "written", ""], [0, 2, 3, 4], rows)
}

/// What a run did beside copying.
fn remark(line: &RunLine) -> String {
    let lost = (line.lost > 0).then(|| format!("{} lost", count(line.lost)));
    let why = line.reason.as_ref().map(|reason| format!("{}: {reason}", line.kind));
    why.into_iter().chain(lost).collect::<Vec<_>>().join(", ")
}

fn known(offset: Option<i64>) -> String {
    offset.map_or_else(|| "?".to_owned(), |offset| offset.to_string())
}
