//! `status`: where the pipeline stands, how far behind it is, and what its last runs did.

mod gather;
mod runs;
mod show;

use serde::Serialize;
use tidegate_core::planning::Lag;
use tidegate_core::words::RunNumber;

use crate::deployment::Deployment;
use crate::exit::{Exit, Failure};
use crate::report::StoppedLine;

/// So many runs are shown.
const RUNS_SHOWN: usize = 10;

/// Everything that is shown, in this order.
#[derive(Debug)]
struct Shown {
    pipeline: PipelineLine,
    topics: Vec<TopicLine>,
    partitions: Vec<PartitionLine>,
    stopped: Vec<StoppedLine>,
    runs: Vec<RunLine>,
}

/// The pipeline as a whole.
#[derive(Debug, Serialize)]
struct PipelineLine {
    pipeline: String,
    destination: String,
    paused: bool,
    /// The run of the last manifest; null before the first.
    last_run: Option<RunNumber>,
    open_run: Option<OpenRunLine>,
    /// Whether Kafka answered; else the ends are those that the last plan knew.
    observed: bool,
    /// When the ends were seen.
    as_of: Option<String>,
    /// Why Kafka was not observed.
    cause: Option<String>,
    /// Null if nothing is known of the ends.
    lag: Option<Lag>,
}

/// The run that is under way.
#[derive(Debug, Serialize)]
struct OpenRunLine {
    run: RunNumber,
    tasks: u32,
    opened_at: String,
    /// How long it has been open.
    seconds: u64,
    /// Why it is being aborted, if it is.
    aborting: Option<String>,
}

/// A topic: sums over its partitions.
#[derive(Debug, Serialize)]
struct TopicLine {
    topic: String,
    partitions: u64,
    /// The next offsets to read.
    committed: i64,
    /// The high watermarks; null if none is known.
    end: Option<i64>,
    lag: Option<Lag>,
    /// Partitions that are not fine.
    stopped: u64,
}

/// A partition.
#[derive(Debug, Serialize)]
struct PartitionLine {
    topic: String,
    partition: i32,
    /// The next offset to read; null if it was never planned.
    committed: Option<i64>,
    /// What a run may read up to (the last stable offset, or the spec's `end`).
    end: Option<i64>,
    /// What lag is counted to.
    high_watermark: Option<i64>,
    log_start: Option<i64>,
    lag: Option<Lag>,
    state: String,
    cause: Option<String>,
}

/// A run, from its manifest.
#[derive(Debug, Serialize)]
struct RunLine {
    run: RunNumber,
    /// `commit`, `reset` or `aborted`.
    kind: &'static str,
    /// Why, in the words of who reset or aborted.
    reason: Option<String>,
    planned_at: String,
    laid_out_at: String,
    rows: u64,
    offsets: u64,
    files: usize,
    bytes: u64,
    /// Offsets that were lost.
    lost: u64,
    set_aside: usize,
}

/// Shows where the pipeline stands.
pub(crate) async fn status(
    spec: &str,
    state: Option<&str>,
    json: bool,
    verbose: bool,
) -> Result<Exit, Failure> {
    let at = Deployment::open_to_look(spec, state).await?;
    let shown = gather::gather(&at).await?;
    if json {
        show::as_json(&shown);
    } else {
        show::as_tables(&shown, verbose);
    }
    Ok(if shown.stopped.is_empty() { Exit::Done } else { Exit::DoneBut })
}
