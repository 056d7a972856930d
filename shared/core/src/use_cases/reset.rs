//! *Reset*: an operator decides where partitions go on. It opens a run that any finalizer rolls
//! forward.

use super::observing::{new_run, observe_for_reset};
use super::opening::open_planned;
use super::planner::PlannerPorts;
use super::starting::start_all;
use super::state::{check_destination, load_head, no_state};
use crate::documents::OpenRun;
use crate::error::{Error, Result};
use crate::planning::{self, ResetChange, ResetScope};
use crate::ports::{Clock, Invoker, LogSource, StateStore};
use crate::spec::Spec;
use crate::time::Deadline;
use crate::words::{RandomId, RunNumber};

/// The longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 1_000;

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetRequest {
    /// What is to be reset, and where to.
    pub scope: ResetScope,
    /// Why: it stands in the manifest.
    pub reason: String,
    /// Whether offsets may be published a second time.
    pub allow_duplicates: bool,
    /// Whether to look only.
    pub dry_run: bool,
}

/// What a reset came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResetOutcome {
    /// All that was chosen stands there already, and is fine.
    Nothing,
    /// These changes would be made.
    Planned(Vec<ResetChange>),
    /// A run is open that makes these changes; its finalizer was started.
    Opened {
        /// Its number.
        run: RunNumber,
        /// Its plan.
        plan: RandomId,
        /// What it changes.
        changes: Vec<ResetChange>,
    },
}

/// Opens a run that moves partitions to where the operator wants them. Works while the pipeline
/// is paused.
///
/// # Errors
/// `Config` for what cannot be done as it was asked (all that is wrong is named), or would publish
/// offsets twice without permission; `Conflict` if a run is open, or somebody was faster; whatever
/// keeps Kafka or the state from being read. Nothing is written then.
pub async fn reset<S: StateStore, L: LogSource, I: Invoker, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    request: &ResetRequest,
    deadline: Deadline,
) -> Result<ResetOutcome> {
    let reason = check_reason(&request.reason)?;
    let pipeline = &spec.pipeline;
    let loaded = load_head(ports.state, pipeline, deadline).await?;
    let loaded = loaded.ok_or_else(|| no_state(pipeline))?;
    check_destination(spec, &loaded.head)?;
    if let Some(open) = &loaded.head.open {
        return Err(run_is_open(open));
    }
    let to = &request.scope.to;
    let (checkpoint, seen) = observe_for_reset(ports, spec, &loaded.head, to, deadline).await?;
    let changes = planning::reset(spec, &checkpoint, &seen, &request.scope)?;
    if changes.is_empty() {
        return Ok(ResetOutcome::Nothing);
    }
    if request.dry_run {
        return Ok(ResetOutcome::Planned(changes));
    }
    if !request.allow_duplicates {
        check_duplicates(&changes)?;
    }
    let new = new_run(ports, Some(&loaded.head));
    let planned = planning::plan_reset(spec, &seen, &new, reason, &changes);
    let (run, plan) = (new.run, new.plan);
    let expected = Some(loaded.version);
    if !open_planned(ports, (expected, loaded.head), &planned, 0, deadline).await? {
        return Err(Error::conflict(format!(
            "pipeline {pipeline} was changed by another process meanwhile (perhaps a run was \
             opened): nothing was reset, try again"
        )));
    }
    start_all(ports, spec, (run, plan), 0, deadline).await?;
    Ok(ResetOutcome::Opened { run, plan, changes })
}

/// A reason that says something, and is no book.
pub(super) fn check_reason(reason: &str) -> Result<&str> {
    let reason = reason.trim();
    match reason.chars().count() {
        1..=REASON_CHARS_MAX => Ok(reason),
        0 => Err(Error::config("the reason is empty: say why, for those who read the manifest")),
        chars => Err(Error::config(format!(
            "the reason has {chars} characters, and {REASON_CHARS_MAX} are kept at most"
        ))),
    }
}

fn run_is_open(open: &OpenRun) -> Error {
    let run = open.run;
    Error::conflict(match &open.aborting {
        None => format!(
            "run {run} is open: let the next `tidegate run` finish it, or give it up with \
             `tidegate abort`; then reset again"
        ),
        Some(abort) => format!(
            "run {run} is being aborted ({}): call `tidegate abort` again if nobody is at it; \
             then reset again",
            abort.reason
        ),
    })
}

/// Refuses what would be published twice.
fn check_duplicates(changes: &[ResetChange]) -> Result<()> {
    let twice: Vec<_> = changes
        .iter()
        .filter_map(|change| {
            let again = change.moves.again()?;
            Some(format!("{}: {} offsets, {again}", change.moves.place(), again.count()))
        })
        .collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(Error::config(format!(
        "offsets that were committed would be published a second time ({}): if their rows may \
         stand there twice, say --allow-duplicates",
        twice.join("; ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something() {
        assert_eq!(check_reason(" why ").expect("a reason"), "why");
        for bad in ["", " \n", &"x".repeat(REASON_CHARS_MAX + 1)] {
            assert!(check_reason(bad).is_err(), "{bad:?}");
        }
    }
}
