//! A broker in this process, a directory, and the built binary between them.

pub(crate) mod lake;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_broker::{BatchSpec, Broker, Codec, Record, TopicConfig};
use tokio::process::{Child, Command};

/// 2026-11-25T00:00:00Z.
pub(crate) const MIDNIGHT: i64 = 1_795_564_800_000;

/// A pipeline `p` of all topics that begin with `t`, from a broker to a directory.
pub(crate) struct Lab {
    pub(crate) broker: Broker,
    pub(crate) dir: TempDir,
    pub(crate) spec: Value,
}

impl Lab {
    /// An empty broker, and the smallest spec.
    pub(crate) async fn new() -> Self {
        let broker = Broker::start().await.expect("a free port");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let spec = json!({
            "pipeline": "p",
            "kafka": {"bootstrap_servers": [broker.addr().to_string()]},
            "topics": {"pattern": "t.*"},
            "destination": format!("file://{}", dir.path().join("lake").display()),
        });
        let lab = Self { broker, dir, spec };
        lab.write_spec();
        lab
    }

    /// Sets a field of the spec.
    pub(crate) fn set(&mut self, field: &str, value: Value) {
        self.spec[field] = value;
        self.write_spec();
    }

    fn write_spec(&self) {
        let text = serde_json::to_vec_pretty(&self.spec).expect("JSON");
        std::fs::write(self.spec_path(), text).expect("a writable directory");
    }

    pub(crate) fn spec_path(&self) -> PathBuf {
        self.dir.path().join("spec.json")
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.dir.path().join("lake")
    }

    pub(crate) fn topic(&self, name: &str, partitions: i32) {
        let config = TopicConfig { partitions, ..TopicConfig::default() };
        self.broker.create_topic(name, config).expect("a new topic");
    }

    /// Appends `records` records of about 120 bytes, a second apart, in batches of 50.
    pub(crate) fn produce(&self, topic: &str, partition: i32, records: usize) {
        let first = self.broker.offsets(topic, partition).expect("a topic").high_watermark;
        let offsets: Vec<i64> = (first..).take(records).collect();
        for some in offsets.chunks(50) {
            let mut batch = BatchSpec::new().codec(Codec::Lz4);
            for offset in some {
                let (key, value) = (format!("{topic}-{partition}"), value_of(*offset));
                let record = Record::new(key.as_bytes(), value.as_bytes());
                batch.push(record.at(MIDNIGHT + offset * 1_000));
            }
            self.broker.append(topic, partition, &batch).expect("a topic");
        }
    }

    /// The binary, with the spec after the verb.
    pub(crate) fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.arg(verb).arg(self.spec_path()).args(arguments).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A call of the binary to its end.
    pub(crate) async fn call(&self, verb: &str, arguments: &[&str]) -> Ended {
        Ended::of(self.command(verb, arguments).output().await.expect("the built binary"))
    }

    /// The same with `--json`; the exit code must be `code`.
    pub(crate) async fn json(&self, code: i32, verb: &str, arguments: &[&str]) -> Vec<Value> {
        let ended = self.call(verb, &[arguments, &["--json"]].concat()).await;
        assert_eq!(ended.code, Some(code), "{verb}: {}\n{}", ended.out, ended.err);
        ended.lines()
    }

    /// One `run --json` that must print one line and end well.
    pub(crate) async fn run(&self) -> Value {
        let mut lines = self.json(0, "run", &[]).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    /// The binary, started and left alone.
    pub(crate) fn start(&self, verb: &str, arguments: &[&str]) -> Child {
        self.command(verb, arguments).spawn().expect("the built binary")
    }
}

/// The value of the record at `offset`.
pub(crate) fn value_of(offset: i64) -> String {
    format!("{{\"ride\": {offset}, \"note\": \"{}\"}}", "x".repeat(90))
}

/// A call that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        let ended = Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        };
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        ended
    }

    /// Standard output as JSON, an object per line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).expect("an object per line");
        self.out.lines().map(parse).collect()
    }
}

/// All files below `dir` whose path below it satisfies `wanted`, in order.
pub(crate) fn files(dir: &Path, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let below = path.strip_prefix(dir).expect("it was found there");
            let below = below.to_string_lossy().into_owned();
            if wanted(&below) {
                found.push(below);
            }
        }
    }
    found.sort();
    found
}
