//! What is said while the demo goes on: for people a story, with --json one object per line.

use serde_json::{Value, json};
use tidegate_broker::Broker;
use tidegate_core::planning::Lag;

use super::events::{PAYMENTS, Produced, RIDES};
use super::folder::Folder;
use super::written::Written;
use crate::console::{say, say_json, say_typed};
use crate::report::RunLine;
use crate::table::{RunTable, bytes, count, counted, grid, lag};

/// What is shown of a value.
const VALUE_CHARS: usize = 48;

/// A step: its title, the arguments of the call, and what there is to see.
pub(super) struct Step {
    title: &'static str,
    arguments: &'static str,
    seen: &'static str,
}

/// The first run.
pub(super) const FIRST: Step = Step {
    title: "One run. It takes no more than limits.records_per_run, and leaves the rest",
    arguments: "",
    seen: "",
};
/// After the run that was killed.
pub(super) const KILLED: &str =
    "The next run was killed in the middle (kill -9). It stays open, and nothing of it is visible:";
/// The run after it.
pub(super) const ROLLED_FORWARD: Step = Step {
    title: "The same call again: it finishes the run that was killed, then copies what is next",
    arguments: "",
    seen: "No offset was skipped, none was copied twice.",
};
/// The last runs.
pub(super) const CAUGHT_UP: Step = Step {
    title: "Run after run, until nothing is left",
    arguments: " --until-caught-up",
    seen: "",
};

/// Tells the demo.
#[derive(Debug)]
pub(super) struct Story<'a> {
    folder: &'a Folder,
    json: bool,
}

impl<'a> Story<'a> {
    pub(super) fn new(folder: &'a Folder, json: bool) -> Self {
        Self { folder, json }
    }

    /// What is in the broker, and the pipeline's spec.
    pub(super) fn broker(&self, broker: &Broker, produced: &Produced, spec: &Value) {
        if self.json {
            return say_typed("produced", produced);
        }
        title(&format!("A Kafka broker at {}, in this process, with", broker.addr()));
        let Produced { rides, tombstones, late, payments, aborted, markers } = *produced;
        let rows = [
            [
                RIDES.to_owned(),
                count(rides),
                format!(
                    "keys, headers, {} tombstones, {} that are a day late",
                    count(tombstones),
                    count(late)
                ),
            ],
            [
                PAYMENTS.to_owned(),
                count(payments),
                format!(
                    "in {} transactions, one of them (of {}) aborted",
                    count(markers),
                    count(aborted)
                ),
            ],
        ];
        say(&grid(["topic", "events", ""], [1], rows));
        title(&format!("A pipeline: {}", self.folder.shown_spec().display()));
        say(&format!("{spec:#}"));
    }

    /// Where the pipeline stands, as `status` says.
    pub(super) fn status(&self, words: &str, lines: &[Value]) {
        let pipeline = lines.first().unwrap_or(&Value::Null);
        if self.json {
            let topics: Vec<_> = lines.iter().filter(|line| line["type"] == "topic").collect();
            return say_json(&json!({ "type": "status", "pipeline": pipeline, "topics": topics }));
        }
        if !words.is_empty() {
            title(words);
        }
        if let Some(run) = pipeline["open_run"]["run"].as_u64() {
            say(&format!("run {run} is open"));
        }
        let topics = lines.iter().filter(|line| line["type"] == "topic").map(|line| {
            let text = |name: &str| line[name].to_string();
            let topic = line["topic"].as_str().unwrap_or_default().to_owned();
            [topic, text("committed"), text("end"), lag(lag_of(line))]
        });
        say(&grid(["topic", "committed", "end", "lag"], [1, 2, 3], topics));
    }

    /// Runs, as `run` says.
    pub(super) fn runs(&self, step: Step, runs: &[RunLine]) {
        if self.json {
            return runs.iter().for_each(|run| say_typed("run", run));
        }
        title(step.title);
        self.prompt("run", step.arguments);
        let mut table = RunTable::default();
        runs.iter().flat_map(|run| table.add(run)).for_each(|line| say(&line));
        if !step.seen.is_empty() {
            say(step.seen);
        }
    }

    /// What `verify` says.
    pub(super) fn verified(&self, verdict: &Value) {
        if self.json {
            return say_typed("verified", verdict);
        }
        title("The proof: manifests against rows, offsets and checkpoint");
        self.prompt("verify", " --deep");
        let figure = |name: &str, noun| counted(verdict[name].as_u64().unwrap_or_default(), noun);
        say(&format!(
            "{}, {} of {}, {}: {}",
            figure("manifests", "run"),
            figure("offsets", "offset"),
            figure("partitions", "partition"),
            figure("rows", "row"),
            figure("findings", "finding")
        ));
    }

    /// The files.
    pub(super) fn written(&self, written: &Written, produced: &Produced) {
        if self.json {
            written.directories.iter().for_each(|line| say_typed("directory", line));
            written.shown.iter().for_each(|line| say_typed("row", line));
            let Written { files, rows, bytes, .. } = written;
            return say_json(&json!({
                "type": "summary", "files": files, "rows": rows, "bytes": bytes,
                "visible": produced.visible(),
            }));
        }
        title(&format!("What was written to {}", self.folder.shown_lake().display()));
        let rows = written.directories.iter().map(|line| {
            [line.directory.clone(), count(line.files), count(line.rows), bytes(line.bytes)]
        });
        say(&grid(["directory", "files", "rows", "bytes"], [1, 2, 3], rows));
        say(&format!(
            "{} in {}: the {} events less the {} that were aborted",
            counted(written.rows, "row"),
            counted(written.files, "file"),
            count(produced.rides + produced.payments),
            count(produced.aborted)
        ));
        title("The first rows, read back");
        let rows = written.shown.iter().map(|row| {
            [
                format!("{}-{}", row.topic, row.partition),
                row.offset.clone(),
                row.timestamp.clone(),
                row.key.clone(),
                row.value.as_deref().map_or_else(|| "null".to_owned(), cut),
                row.headers.clone(),
            ]
        });
        let heads = ["partition", "offset", "timestamp", "key", "value", "headers"];
        say(&grid(heads, [1], rows));
    }

    /// Where to look, and what to type next.
    pub(super) fn end(&self) {
        if self.json {
            return;
        }
        let (lake, spec) = (self.folder.shown_lake(), self.folder.shown_spec());
        let (lake, spec) = (lake.display(), spec.display());
        title("Look further");
        say(&format!(
            "duckdb -c \"SELECT topic, count(*), max(\\\"offset\\\") FROM \
             read_parquet('{lake}/*/*/*/*.parquet') GROUP BY topic\""
        ));
        say(&format!("less {lake}/_runs/demo/0000000001.json    # the manifest of run 1"));
        say(&format!("tidegate status {spec}    # the broker is gone: it shows what was known"));
        say(&format!("tidegate verify {spec} --deep"));
        say(&format!(
            "Your own Kafka: change kafka.bootstrap_servers, topics and destination in {spec}."
        ));
    }

    fn prompt(&self, verb: &str, arguments: &str) {
        say(&format!("$ tidegate {verb} {}{arguments}", self.folder.shown_spec().display()));
    }
}

/// The beginning of a value.
fn cut(value: &str) -> String {
    match value.char_indices().nth(VALUE_CHARS) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    }
}

fn title(text: &str) {
    say("");
    say(text);
}

fn lag_of(line: &Value) -> Option<Lag> {
    serde_json::from_value(line["lag"].clone()).ok()
}
