//! A plan for programs and for people.

use super::{Shown, Summary};
use crate::console::{say, say_typed};
use crate::table::{bytes, count, counted, grid, lag, place};

/// So many slices are shown to people.
const SLICES_SHOWN: usize = 40;

/// One object per line, told apart by `type`; the summary last.
pub(super) fn as_json(shown: &Shown) {
    shown.tables.iter().for_each(|line| say_typed("table", line));
    shown.tasks.iter().for_each(|line| say_typed("task", line));
    shown.slices.iter().for_each(|line| say_typed("slice", line));
    shown.left_out.iter().for_each(|line| say_typed("left_out", line));
    shown.losses.iter().for_each(|line| say_typed("loss", line));
    say_typed("summary", &shown.summary);
}

pub(super) fn as_tables(shown: &Shown) {
    say(&opening(&shown.summary));
    if !shown.slices.is_empty() {
        say(&tables(shown));
        say(&slices(shown));
    }
    if shown.slices.len() > SLICES_SHOWN {
        say(&format!("… and {} more: --json shows all", shown.slices.len() - SLICES_SHOWN));
    }
    shown.losses.iter().for_each(|loss| say(&loss.to_string()));
    if !shown.left_out.is_empty() {
        let rows = shown.left_out.iter().map(|line| {
            [place(&line.topic, line.partition), line.why.to_owned(), line.message.clone()]
        });
        say(&grid(["left out", "why", ""], [], rows));
    }
}

fn opening(summary: &Summary) -> String {
    let Summary { pipeline, run, tasks, slices, offsets, .. } = summary;
    let what = format!(
        "{} in {}, read as {}, about {}",
        counted(*offsets, "offset"),
        counted(*slices as u64, "slice"),
        counted(*tasks as u64, "task"),
        bytes(summary.bytes)
    );
    let mut text = match (summary.open, summary.paused, slices) {
        (true, _, _) => format!(
            "run {run} of {pipeline} is open: the next run rolls it forward first ({what}), and \
             plans anew then"
        ),
        (false, true, _) => format!("{pipeline} is paused; run {run} would be: {what}"),
        (false, false, 0) => format!("{pipeline} has nothing to read"),
        (false, false, _) => format!("run {run} of {pipeline} would be: {what}"),
    };
    text.push_str(&format!("; lag {}", lag(Some(summary.lag))));
    if summary.backlog {
        text.push_str("; limits leave a rest for the run after it");
    }
    text
}

fn tables(shown: &Shown) -> String {
    let rows = shown.tables.iter().map(|line| {
        [
            line.table.clone(),
            count(line.partitions),
            count(line.offsets),
            bytes(line.bytes),
            format!("{} per directory at most", count(line.files)),
        ]
    });
    grid(["table", "partitions", "offsets", "bytes, about", "files"], [1, 2, 3], rows)
}

fn slices(shown: &Shown) -> String {
    let rows = shown.slices.iter().take(SLICES_SHOWN).map(|line| {
        [
            line.task.to_string(),
            place(&line.topic, Some(line.partition)),
            line.start.to_string(),
            line.end.to_string(),
            count(line.offsets),
            bytes(line.bytes),
        ]
    });
    grid(["task", "slice", "start", "end", "offsets", "bytes, about"], [0, 2, 3, 4, 5], rows)
}
