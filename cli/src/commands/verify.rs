//! `verify`: what stands, against what the manifests say.

use std::time::Duration;

use serde_json::json;
use tidegate_core::ports::Clock;
use tidegate_core::time::Deadline;
use tidegate_core::use_cases::{Verified, VerifyPorts, VerifyScope, verify as verify_destination};
use tidegate_core::words::{PipelineName, RunNumber};
use tidegate_local::SystemClock;
use tidegate_parquet::{ParquetJoiner, ParquetReadBack};

use crate::console::{say, say_json, say_typed};
use crate::deployment::Deployment;
use crate::exit::{Exit, Failure};
use crate::table::{bytes, counted};

/// How long a verification may take: all data files may have to be read.
const TIMEOUT: Duration = Duration::from_secs(24 * 3_600);

/// Verifies the destination. Findings are printed one by one; any makes the call fail.
pub(crate) async fn verify(
    spec: &str,
    state: Option<&str>,
    deep: bool,
    since: Option<u64>,
    json: bool,
) -> Result<Exit, Failure> {
    let at = Deployment::open(spec, state).await?;
    let ports = VerifyPorts {
        state: &at.state,
        objects: &at.objects,
        joiner: &ParquetJoiner,
        reader: &ParquetReadBack,
    };
    let scope = VerifyScope { since: RunNumber(since.unwrap_or(0)), deep };
    let deadline = Deadline(SystemClock.now().after(TIMEOUT));
    let done = verify_destination(&ports, &at.spec, scope, deadline).await?;
    if json {
        done.findings.iter().for_each(|finding| say_typed("finding", finding));
        done.notes.iter().for_each(|note| say_typed("note", note));
        say_json(&summary(&at.spec.pipeline, scope, &done));
    } else {
        let lines = done.findings.iter().chain(&done.notes);
        lines.for_each(|line| say(&format!("{}: {}", line.at, line.message)));
        say(&verdict(&at.spec.pipeline, scope, &done));
    }
    Ok(if done.is_whole() { Exit::Done } else { Exit::Failed })
}

fn summary(pipeline: &PipelineName, scope: VerifyScope, done: &Verified) -> serde_json::Value {
    json!({
        "type": "verified",
        "pipeline": pipeline,
        "whole": done.is_whole(),
        "findings": done.findings.len(),
        "notes": done.notes.len(),
        "since": scope.since,
        "deep": scope.deep,
        "open": done.open,
        "manifests": done.runs,
        "partitions": done.partitions,
        "offsets": done.offsets,
        "files": done.files,
        "rows": done.rows,
        "bytes": done.bytes,
    })
}

/// What a person wants to know: whether it is whole, and what was looked at to say so.
fn verdict(pipeline: &PipelineName, scope: VerifyScope, done: &Verified) -> String {
    let since = match scope.since {
        RunNumber(0 | 1) => String::new(),
        run => format!(" from run {run} on"),
    };
    let found = match done.findings.len() {
        0 => "whole".to_owned(),
        some => format!("NOT whole, with {}", counted(some as u64, "finding")),
    };
    let (read, hint) = if scope.deep {
        ("every row and page read", "")
    } else {
        ("by footers and statistics", "; --deep reads every row")
    };
    format!(
        "{pipeline} is {found}{since}: {} and {} of {}; {} in {} ({}), {read}{hint}",
        counted(done.runs, "run"),
        counted(done.offsets, "offset"),
        counted(done.partitions, "partition"),
        counted(done.rows, "row"),
        counted(done.files, "data file"),
        bytes(done.bytes),
    )
}
