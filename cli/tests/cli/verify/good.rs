//! A good destination: several runs, two tables, a hot partition and small ones, several
//! directories, a loss, a transaction and an aborted one, records without a time.

use std::path::PathBuf;

use serde_json::json;
use tidegate_broker::{BatchSpec, Codec, Record};
use tidegate_core::ports::Clock;
use tidegate_core::spec::Spec;
use tidegate_core::time::Deadline;
use tidegate_core::use_cases::{Verified, VerifyPorts, VerifyScope, verify};
use tidegate_core::words::RunNumber;
use tidegate_local::{DirectoryObjects, DirectoryState, SystemClock};
use tidegate_parquet::{ParquetJoiner, ParquetReadBack};

use crate::support::lake::rows;
use crate::support::{Lab, MIDNIGHT, files};

const HOUR: i64 = 3_600_000;

/// The destination, and the broker that it was filled from.
pub(crate) struct Good {
    pub(crate) lab: Lab,
}

impl Good {
    /// Four runs with something in them, and an idle one.
    pub(crate) async fn new() -> Self {
        let mut lab = Lab::new().await;
        lab.set("on_data_loss", json!("skip"));
        lab.set("catch_up", json!(false));
        lab.topic("t.hot", 1);
        lab.topic("t.small", 4);
        let mut good = Self { lab };
        good.produce("t.hot", 0, 120, |at| MIDNIGHT + (at % 3) * HOUR);
        for partition in 0..3 {
            good.produce("t.small", partition, 5, |at| MIDNIGHT + at * 1_000);
        }
        good.run(0).await;
        // A loss, and records without a time.
        good.produce("t.hot", 0, 30, |_| MIDNIGHT);
        good.lab.broker.delete_records("t.hot", 0, 130).expect("a topic");
        good.produce("t.small", 0, 4, |at| if at % 2 == 0 { -1 } else { MIDNIGHT });
        good.run(3).await;
        assert_eq!(good.lab.run().await["outcome"], "idle");
        // A transaction that is committed, and one that is aborted.
        for (producer, commit) in [(7, true), (8, false)] {
            let batch = good.batch("t.small", 3, 6, |_| MIDNIGHT + HOUR).transactional(producer);
            good.lab.broker.append("t.small", 3, &batch).expect("a topic");
            let broker = &good.lab.broker;
            if commit { broker.commit(producer) } else { broker.abort(producer) }.expect("open");
        }
        good.run(0).await;
        good.produce("t.hot", 0, 40, |at| MIDNIGHT + at * 60_000);
        good.produce("t.small", 1, 3, |_| MIDNIGHT);
        good.run(0).await;
        good
    }

    fn batch(
        &self,
        topic: &str,
        partition: i32,
        records: i64,
        at: impl Fn(i64) -> i64,
    ) -> BatchSpec {
        let first = self.lab.broker.offsets(topic, partition).expect("a topic").high_watermark;
        let mut batch = BatchSpec::new().codec(Codec::Zstd);
        for offset in first..first + records {
            let value = crate::support::value_of(offset);
            batch.push(Record::new(b"key", value.as_bytes()).at(at(offset)));
        }
        batch
    }

    fn produce(&mut self, topic: &str, partition: i32, records: i64, at: impl Fn(i64) -> i64) {
        let batch = self.batch(topic, partition, records, at);
        self.lab.broker.append(topic, partition, &batch).expect("a topic");
    }

    async fn run(&self, code: i32) {
        let lines = self.lab.json(code, "run", &[]).await;
        assert_eq!(lines[0]["outcome"], "committed", "{lines:?}");
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        rows(&self.lab.lake()).values().map(Vec::len).sum()
    }

    /// Where an object stands.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.lab.lake().join(path)
    }

    /// The manifests and layouts.
    pub(crate) fn records(&self) -> Vec<String> {
        files(&self.lab.lake(), |path| path.starts_with("_runs/"))
    }

    /// What `verify` says, called in this process.
    pub(crate) async fn verify(&self, deep: bool) -> Verified {
        verified(&self.lab, deep).await
    }

    /// Writes other bytes in an object's place (none: removes it), verifies, and puts back what
    /// stood there.
    pub(crate) async fn with(&self, path: &str, bytes: Option<&[u8]>, deep: bool) -> Verified {
        let file = self.at(path);
        let before = std::fs::read(&file).ok();
        put(&file, bytes);
        let verified = self.verify(deep).await;
        put(&file, before.as_deref());
        verified
    }
}

fn put(file: &std::path::Path, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            std::fs::create_dir_all(file.parent().expect("below a folder")).expect("a folder");
            std::fs::write(file, bytes).expect("a writable folder");
        }
        None => std::fs::remove_file(file).expect("it stands"),
    }
}

/// What `verify` says of a lab's destination, called in this process.
pub(crate) async fn verified(lab: &Lab, deep: bool) -> Verified {
    let spec = Spec::from_json(&lab.spec.to_string()).expect("a good spec");
    let ports = VerifyPorts {
        state: &DirectoryState::open(lab.lake().join("_state")).expect("a state"),
        objects: &DirectoryObjects::open(lab.lake()).expect("a destination"),
        joiner: &ParquetJoiner,
        reader: &ParquetReadBack,
    };
    let scope = VerifyScope { since: RunNumber(0), deep };
    let deadline = Deadline(SystemClock.now().after(std::time::Duration::from_secs(600)));
    verify(&ports, &spec, scope, deadline).await.expect("all can be read")
}
