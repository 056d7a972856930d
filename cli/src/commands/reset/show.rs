//! What a reset changes, for programs and for people.

use serde::Serialize;
use serde_json::json;
use tidegate_core::planning::ResetChange;
use tidegate_core::words::{PipelineName, RunNumber};

use super::sums;
use crate::console::{complain, say, say_json, say_typed};
use crate::table::{count, grid, place};

/// What becomes of a partition.
#[derive(Debug, Serialize)]
struct ChangeLine {
    topic: String,
    partition: i32,
    /// The next offset to read, before; null where nothing of this topic was committed.
    from: Option<i64>,
    /// The next offset to read, from now on.
    to: i64,
    /// Offsets that are never read.
    lost: u64,
    /// Offsets that are read, and published, a second time.
    again: u64,
    /// What the partition was: `fine`, `quarantined`, `stopped` or `new`.
    state: &'static str,
}

impl ChangeLine {
    fn of(change: &ResetChange) -> Self {
        Self {
            topic: change.moves.topic.to_string(),
            partition: change.moves.partition,
            from: change.moves.from,
            to: change.moves.to,
            lost: change.lost(),
            again: change.again(),
            state: change.before.as_ref().map_or("new", |before| before.state.name()),
        }
    }
}

/// One line per partition.
pub(super) fn changes(changes: &[ResetChange], json: bool) {
    let lines = changes.iter().map(ChangeLine::of);
    if json {
        lines.for_each(|line| say_typed("change", &line));
        return;
    }
    let rows = lines.map(|line| {
        [
            place(&line.topic, Some(line.partition)),
            line.from.map_or_else(|| "-".to_owned(), |from| from.to_string()),
            line.to.to_string(),
            count(line.lost),
            count(line.again),
            line.state.to_owned(),
        ]
    });
    say(&grid(["partition", "from", "to", "lost", "again", "was"], [1, 2, 3, 4], rows));
}

/// Nothing is to be done.
pub(super) fn nothing(pipeline: &PipelineName, json: bool) {
    if json {
        say_json(&summary("nothing", pipeline, None, &[]));
    } else {
        say(&format!("{pipeline}: all that was chosen stands there already, and is fine"));
    }
}

/// What would be done.
pub(super) fn planned(
    pipeline: &PipelineName,
    changes: &[ResetChange],
    allow_duplicates: bool,
    json: bool,
) {
    let (_, again) = sums(changes);
    if json {
        say_json(&summary("planned", pipeline, None, changes));
    } else {
        say(&format!("{pipeline}: nothing was changed (--dry-run)"));
    }
    if again > 0 && !allow_duplicates {
        complain(&format!(
            "{} offsets would be published a second time: the reset will want --allow-duplicates",
            count(again)
        ));
    }
}

/// What was done: by this process, or by another one that was faster.
pub(super) fn done(
    pipeline: &PipelineName,
    run: RunNumber,
    (changes, by_us): (&[ResetChange], bool),
    json: bool,
) {
    if json {
        say_json(&summary("reset", pipeline, Some(run), changes));
        return;
    }
    let (lost, again) = sums(changes);
    say(&format!(
        "{pipeline} is reset by run {run}: {} partitions, {} offsets are never read, {} again",
        changes.len(),
        count(lost),
        count(again)
    ));
    if !by_us {
        say("another process at work on the pipeline brings the run to its end");
    }
}

fn summary(
    outcome: &str,
    pipeline: &PipelineName,
    run: Option<RunNumber>,
    changes: &[ResetChange],
) -> serde_json::Value {
    let (lost, again) = sums(changes);
    json!({
        "type": "summary",
        "outcome": outcome,
        "pipeline": pipeline,
        "run": run,
        "partitions": changes.len(),
        "lost": lost,
        "again": again,
    })
}
