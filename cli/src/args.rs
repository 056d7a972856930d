//! What can be asked for.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

/// Kafka topics to Parquet, in scheduled, capped batches: each offset exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    after_help = "Exit codes: 0 done (also idle, busy, paused), 1 failed, 2 usage or spec, \
                  3 done, but with losses, or stopped or quarantined partitions, 130 interrupted."
)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,

    /// Where the pipeline's state is kept: a directory, file:///directory or dynamodb://table
    /// [default: the folder _state of a destination on a directory, else the variable
    /// TIDEGATE_STATE].
    #[arg(long, global = true, value_name = "WHERE")]
    pub(crate) state: Option<String>,

    /// Print one JSON object per line instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Say more: -v what is done, -vv each request. Logs go to stderr.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// A tour with nothing installed: a small broker, a directory, runs, what was written.
    Demo {
        /// The demo's folder: a new one, or that of a former demo, which is replaced.
        #[arg(long, value_name = "DIR", default_value = "tidegate-demo")]
        dir: PathBuf,
        /// How many events the broker holds.
        #[arg(long, value_name = "N", default_value_t = 40_000)]
        #[arg(value_parser = clap::value_parser!(u64).range(200..=10_000_000))]
        events: u64,
    },
    /// Copy what is new: the whole job in this process.
    Run {
        #[command(flatten)]
        spec: SpecArg,
        /// Go on, run after run, until nothing is left to copy.
        #[arg(long)]
        until_caught_up: bool,
    },
    /// Show what a run would do: slices, tasks, what waits or stops and why. Changes nothing.
    Plan(SpecArg),
    /// Show committed offsets, lag, what is not fine, and the last runs (-v: each partition).
    Status(SpecArg),
    /// Prove a destination: manifests against data files against the checkpoint.
    Verify {
        #[command(flatten)]
        spec: SpecArg,
        /// Read the rows too, not only the footers.
        #[arg(long)]
        deep: bool,
        /// Look at the data files of this run and later ones only.
        #[arg(long, value_name = "RUN")]
        since: Option<u64>,
    },
    /// Let the pipeline open no more runs; an open one is still finished.
    Pause(SpecArg),
    /// Let a paused pipeline go on.
    Resume(SpecArg),
    /// Decide where partitions go on: brings stopped ones back, skips, or reads again.
    Reset(ResetArgs),
    /// Give up the open run, if it cannot be published: the last resort. What it read is read
    /// again.
    Abort(AbortArgs),
}

/// What `reset` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArg,
    /// Where to go on: earliest, latest, a time such as 2026-11-25T18:00:00Z, or a file of
    /// offsets such as {"topic": {"0": 42}}, whose name ends with .json.
    #[arg(long, value_name = "WHERE")]
    pub(crate) to: String,
    /// Only this topic; may be given several times [default: all of the spec].
    #[arg(long = "topic", value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Why: it stands in the manifest, and in status.
    #[arg(long)]
    pub(crate) reason: String,
    /// Show what would change, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Move partitions back although their rows will stand there twice.
    #[arg(long)]
    pub(crate) allow_duplicates: bool,
}

/// What `abort` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct AbortArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArg,
    /// Why: it stands in the manifest, and in status.
    #[arg(long, default_value = "no reason was given")]
    pub(crate) reason: String,
    /// Do not ask (where there is no terminal nobody is asked).
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would be given up, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// The pipeline.
#[derive(Debug, clap::Args)]
pub(crate) struct SpecArg {
    /// The pipeline's spec: a JSON file, or - for standard input.
    #[arg(value_name = "SPEC")]
    pub(crate) path: String,
}
