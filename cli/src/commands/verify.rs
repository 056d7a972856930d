//! `verify`: what stands, against what the manifests say.

use std::time::Duration;

use serde_json::json;
use tidegate_core::ports::Clock;
use tidegate_core::time::Deadline;
use tidegate_core::use_cases::{ReadRows, VerifyPorts, verify as verify_destination};
use tidegate_core::words::RunNumber;
use tidegate_local::SystemClock;
use tidegate_parquet::{ParquetJoiner, read_row_ids};

use crate::console::{say, say_json};
use crate::deployment::Deployment;
use crate::exit::{Exit, Failure};

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
    let at = Deployment::open(spec, state)?;
    let ports = VerifyPorts { state: &at.state, objects: &at.objects, joiner: &ParquetJoiner };
    let read: Option<ReadRows<'_>> = if deep { Some(&read_row_ids) } else { None };
    let since = RunNumber(since.unwrap_or(0));
    let deadline = Deadline(SystemClock.now().after(TIMEOUT));
    let pipeline = &at.spec.pipeline;
    let done = verify_destination(&ports, pipeline, since, read, deadline).await?;
    for finding in &done.findings {
        if json {
            say_json(finding);
        } else {
            say(&format!("{}: {}", finding.at, finding.message));
        }
    }
    let whole = done.findings.is_empty();
    if json {
        say_json(&json!({
            "pipeline": pipeline,
            "whole": whole,
            "findings": done.findings.len(),
            "manifests": done.manifests,
            "files": done.files,
            "rows": done.rows,
            "deep": deep,
        }));
    } else {
        let verdict = if whole { "whole" } else { "NOT whole" };
        say(&format!(
            "{pipeline} is {verdict}: {} manifests, {} data files, {} rows; {} findings",
            done.manifests,
            done.files,
            done.rows,
            done.findings.len()
        ));
    }
    Ok(if whole { Exit::Done } else { Exit::Failed })
}
