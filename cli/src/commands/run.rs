//! `run`: the whole job in this process.

use std::collections::BTreeSet;

use tidegate_core::documents::Why;
use tidegate_core::ports::{Clock, StateStore};
use tidegate_core::use_cases::{TickOutcome, Unfinished};
use tidegate_core::{Error, ErrorKind, Result};

use super::abort::is_aborting;
use crate::console::{say, say_json};
use crate::deployment::Deployment;
use crate::driver::{self, Embedded, Pass};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::report::{Outcome, RunLine, StoppedLine};
use crate::table::RunTable;

/// Copies what is new, once or until nothing is left. A run that was left open is finished
/// first, and does not count.
pub(crate) async fn run(
    spec: &str,
    state: Option<&str>,
    until_caught_up: bool,
    json: bool,
) -> Result<Exit, Failure> {
    let Deployment { spec, state, objects, log } = Deployment::open(spec, state).await?;
    let ports = Embedded::new(state, objects, log, driver::cores());
    let holder = ports.clock.random_id();
    let _hold = ports.state.hold(&spec.pipeline, holder, ports.deadline()).await?;
    let mut shown = Shown::new(json);
    let mut judged_again = false;
    loop {
        let progress = Progress::on_terminal();
        let pass = driver::pass(&ports, &spec, holder, &progress).await;
        progress.end();
        let pass = pass?;
        if let TickOutcome::Aborting { run } = pass.outcome {
            return Err(is_aborting(run).into());
        }
        shown.show(&RunLine::of(&spec, &pass), &pass);
        if !goes_on(&pass, until_caught_up, &mut judged_again)? {
            return Ok(shown.exit());
        }
    }
}

/// Whether another pass is to follow.
fn goes_on(pass: &Pass, until_caught_up: bool, judged_again: &mut bool) -> Result<bool> {
    let Some(done) = &pass.committed else { return Ok(false) };
    // What became of a run that others left open, perhaps ended too often, says nothing of the next.
    let left_open = matches!(pass.outcome, TickOutcome::RolledForward { .. });
    if !until_caught_up || left_open {
        return Ok(left_open);
    }
    if done.moved > 0 {
        *judged_again = false;
        return Ok(true);
    }
    // A log that changed while it was read: the next plan judges what became of it.
    let changed = done.unfinished.iter().any(|slice| slice.cause.kind == ErrorKind::DataLoss);
    if changed && !std::mem::replace(judged_again, true) {
        return Ok(true);
    }
    // A run that moved nothing is followed by others only if it had nothing to move.
    if let Some(aside) = done.set_aside.first() {
        let message =
            format!("run {} got no further: task {}: {}", done.run, aside.task, aside.cause);
        return Err(Error::unavailable(message));
    }
    let own = |kind| matches!(kind, ErrorKind::BadRecord | ErrorKind::Corrupt);
    match done.unfinished.iter().find(|unfinished| !own(unfinished.cause.kind)) {
        Some(Unfinished { cause, .. }) => {
            Err(Error::new(cause.kind, format!("run {} got no further: {cause}", done.run)))
        }
        // What is left is quarantined: it waits for its time, and the exit code tells.
        None => Ok(done.unfinished.is_empty()),
    }
}

/// What was shown so far.
struct Shown {
    json: bool,
    table: RunTable,
    told: BTreeSet<String>,
    lost: bool,
    stopped: bool,
}

impl Shown {
    fn new(json: bool) -> Self {
        Self {
            json,
            table: RunTable::default(),
            told: BTreeSet::new(),
            lost: false,
            stopped: false,
        }
    }

    fn show(&mut self, line: &RunLine, pass: &Pass) {
        if self.json {
            say_json(line);
        } else {
            self.table.add(line).iter().for_each(|line| say(line));
        }
        self.lost |= !line.losses.is_empty();
        self.stopped = !line.stopped.is_empty();
        let idle_after_work = line.outcome == Outcome::Idle && !self.told.is_empty();
        if !idle_after_work {
            self.warn(line, pass);
        }
    }

    /// How the process ends: with what was lost in any of its runs, and what is not read now.
    fn exit(&self) -> Exit {
        if self.lost || self.stopped { Exit::DoneBut } else { Exit::Done }
    }

    /// Tells what a table has no place for, once.
    fn warn(&mut self, line: &RunLine, pass: &Pass) {
        let losses = line.losses.iter().map(ToString::to_string);
        let stopped = line.stopped.iter().map(ToString::to_string);
        let tables = pass.left_out.iter().filter(|left_out| left_out.why == Why::Table);
        let tables = tables.map(|l| format!("topic {} is left out: {}", l.topic, l.message));
        let done = pass.committed.iter();
        let unfinished = done.clone().flat_map(|done| &done.unfinished);
        let unfinished = unfinished.filter(|slice| StoppedLine::unread(slice).is_none());
        let unfinished = unfinished.map(|slice| {
            format!(
                "{} was read up to {} of {}: {}",
                slice.partition, slice.reached, slice.end, slice.cause
            )
        });
        let set_aside = done.clone().flat_map(|done| &done.set_aside).map(|aside| {
            format!("task {} does not count and is read again: {}", aside.task, aside.cause)
        });
        let untidy = done.filter_map(|done| done.untidy.as_ref());
        let untidy = untidy.map(|cause| format!("left for the next run to tidy up: {cause}"));
        let all = losses.chain(stopped).chain(tables).chain(unfinished).chain(set_aside);
        for message in all.chain(untidy).collect::<Vec<_>>() {
            if self.told.insert(message.clone()) {
                tracing::warn!("{message}");
            }
        }
    }
}
