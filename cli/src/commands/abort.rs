//! `abort`: the last resort for a run that cannot be published.

use std::io::{self, IsTerminal, Write};

use serde_json::json;
use tidegate_core::Error;
use tidegate_core::ports::Clock;
use tidegate_core::time::Deadline;
use tidegate_core::use_cases::{AbortPorts, Abortable, Aborted, Settings, abort, abortable};
use tidegate_core::words::PipelineName;
use tidegate_local::SystemClock;
use tidegate_parquet::RawEncoder;

use crate::args::AbortArgs;
use crate::console::{complain, say, say_json};
use crate::deployment::Deployment;
use crate::driver;
use crate::exit::{Exit, Failure};
use crate::table::count;

/// Gives up the open run, if there is one.
pub(crate) async fn run(
    args: &AbortArgs,
    state: Option<&str>,
    json: bool,
) -> Result<Exit, Failure> {
    let at = Deployment::open(&args.spec.path, state).await?;
    let pipeline = &at.spec.pipeline;
    let ports = AbortPorts {
        state: &at.state,
        objects: &at.objects,
        encoder: &RawEncoder::default(),
        clock: &SystemClock,
        settings: Settings::default(),
    };
    let deadline = Deadline(SystemClock.now().after(driver::TIMEOUT));
    let Some(open) = abortable(&ports, &at.spec, deadline).await? else {
        return Ok(nothing(pipeline, json));
    };
    tell_before(pipeline, &open, json && args.dry_run);
    if args.dry_run {
        return Ok(Exit::Done);
    }
    if !args.yes && !confirmed(&open)? {
        complain("nothing was done");
        return Ok(Exit::Failed);
    }
    let deadline = Deadline(SystemClock.now().after(driver::TIMEOUT));
    match Box::pin(abort(&ports, pipeline, open.run, &args.reason, deadline)).await? {
        Some(done) => tell_after(pipeline, &done, json),
        None => return Ok(nothing(pipeline, json)),
    }
    Ok(Exit::Done)
}

fn nothing(pipeline: &PipelineName, json: bool) -> Exit {
    if json {
        say_json(&json!({ "outcome": "nothing", "pipeline": pipeline, "run": null }));
    } else {
        say(&format!("{pipeline}: no run is open, there is nothing to abort"));
    }
    Exit::Done
}

/// Files that lose their rows, and these rows.
fn at_stake(open: &Abortable) -> (usize, u64) {
    let files = open.layout.iter().flat_map(|layout| &layout.files);
    (files.clone().count(), files.map(|file| file.rows).sum())
}

/// What is to be lost; for programs only where that is all they get.
fn tell_before(pipeline: &PipelineName, open: &Abortable, json: bool) {
    let (files, rows) = at_stake(open);
    let aborting = open.aborting.as_ref().map(|abort| abort.reason.as_str());
    if json {
        say_json(&json!({
            "outcome": "planned",
            "pipeline": pipeline,
            "run": open.run,
            "tasks": open.tasks,
            "laid_out": open.layout.is_some(),
            "files": files,
            "rows": rows,
            "aborting": aborting,
        }));
        return;
    }
    let what = match open.layout {
        Some(_) => format!("{files} data files become empty, {} rows are read again", count(rows)),
        None => "it has no layout, so no data file yet; all is read again".to_owned(),
    };
    complain(&format!("run {} of {pipeline} ({} tasks): {what}", open.run, open.tasks));
    if let Some(reason) = aborting {
        complain(&format!("it is being aborted already, and this goes on with it: {reason}"));
    }
}

/// Asks who sits there. Where there is no terminal nobody does: a program means what it calls.
fn confirmed(open: &Abortable) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let asked = |error| Failure::io("ask", error);
    write!(io::stderr(), "abort run {}? (yes/no) ", open.run).map_err(asked)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(asked)?;
    Ok(answer.trim() == "yes")
}

fn tell_after(pipeline: &PipelineName, done: &Aborted, json: bool) {
    if json {
        say_json(&json!({
            "outcome": "aborted",
            "pipeline": pipeline,
            "run": done.run,
            "reason": done.reason,
            "files": done.files,
            "rows": done.rows,
        }));
    } else {
        say(&format!(
            "run {} of {pipeline} is aborted: {} data files hold no row, {} rows are read again",
            done.run,
            done.files,
            count(done.rows)
        ));
    }
    if let Some(cause) = &done.untidy {
        complain(&format!("left for the next run to tidy up: {cause}"));
    }
}

/// Why a run does nothing while another is being aborted.
pub(crate) fn is_aborting(run: tidegate_core::words::RunNumber) -> Error {
    Error::conflict(format!(
        "run {run} is being aborted, and no run opens until that is done: if nobody is at it, \
         call `tidegate abort` again"
    ))
}
