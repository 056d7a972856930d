//! Readers that are wrong, against finalizers that are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tidegate_broker::{Answer, Api, BatchSpec, Broker, Record, Request, Rule, TopicConfig};
use tidegate_core::ports::{
    FetchSlice, Fetched, LogFetch, LogSource, Observation, ObserveRequest, ReadRange,
};
use tidegate_core::words::Isolation;
use tidegate_core::{Columns, names};
use tidegate_kafka::{KafkaOptions, KafkaSource};
use tidegate_local::{DirectoryObjects, DirectoryState, SystemClock};
use tidegate_parquet::{ParquetJoiner, RawEncoder};

use super::*;

/// Kafka, read by a reader that loses a record of the first step that has some.
#[derive(Clone, Debug)]
struct Lossy {
    kafka: KafkaSource,
    loses: Arc<AtomicBool>,
}

struct LossyFetch<F> {
    fetch: F,
    loses: Arc<AtomicBool>,
}

impl LogSource for Lossy {
    type Fetch = LossyFetch<<KafkaSource as LogSource>::Fetch>;

    async fn observe(&self, request: &ObserveRequest, deadline: Deadline) -> Result<Observation> {
        self.kafka.observe(request, deadline).await
    }

    async fn fetch(
        &self,
        slices: &[FetchSlice],
        isolation: Isolation,
        deadline: Deadline,
    ) -> Result<Self::Fetch> {
        let fetch = self.kafka.fetch(slices, isolation, deadline).await?;
        Ok(LossyFetch { fetch, loses: Arc::clone(&self.loses) })
    }
}

impl<F: LogFetch> LogFetch for LossyFetch<F> {
    async fn next(&mut self, rows: &mut Columns, deadline: Deadline) -> Result<Fetched> {
        let fetched = self.fetch.next(rows, deadline).await?;
        if !rows.is_empty() && self.loses.swap(false, Ordering::Relaxed) {
            rows.truncate(rows.len() - 1);
        }
        Ok(fetched)
    }

    fn stop(&mut self, slice: usize) {
        self.fetch.stop(slice);
    }
}

type Ports =
    Embedded<DirectoryState, DirectoryObjects, Lossy, RawEncoder, ParquetJoiner, SystemClock>;

struct Lab {
    spec: Spec,
    ports: Arc<Ports>,
    holder: RandomId,
    broker: Broker,
    /// It ends with the test.
    _dir: TempDir,
}

/// Two partitions of ten records, each read by a task of its own.
async fn lab() -> Lab {
    lab_with(KafkaOptions::default(), Settings::default()).await
}

async fn lab_with(options: KafkaOptions, settings: Settings) -> Lab {
    let broker = Broker::start().await.expect("a free port");
    let config = TopicConfig { partitions: 2, ..TopicConfig::default() };
    broker.create_topic("t", config).expect("a new topic");
    for partition in 0..2 {
        let ten = (0..10).fold(BatchSpec::new(), |b, _| b.record(Record::new(b"k", b"v")));
        broker.append("t", partition, &ten).expect("a topic");
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let lake = dir.path().join("lake");
    let spec = Spec::from_value(&json!({
        "pipeline": "p",
        "kafka": { "bootstrap_servers": [broker.addr().to_string()] },
        "topics": ["t"],
        "destination": format!("file://{}", lake.display()),
        // Nothing is measured yet: ten records are taken for 10 KiB.
        "limits": { "bytes_per_task": "10KiB" },
    }))
    .expect("a good spec");
    let kafka = KafkaSource::new(&spec.kafka, options).expect("a good spec");
    let ports = Arc::new(Embedded {
        state: DirectoryState::open(dir.path().join("state")).expect("a directory"),
        objects: DirectoryObjects::open(&lake).expect("a directory"),
        log: Lossy { kafka, loses: Arc::default() },
        encoder: RawEncoder::default(),
        joiner: ParquetJoiner,
        clock: SystemClock,
        settings,
        readers: 2,
    });
    Lab { spec, ports, holder: SystemClock.random_id(), broker, _dir: dir }
}

impl Lab {
    async fn pass(&self) -> Pass {
        let _hold = self
            .ports
            .state
            .hold(&self.spec.pipeline, self.holder, self.ports.deadline())
            .await
            .expect("a new holder");
        pass(&self.ports, &self.spec, self.holder, &Progress::hidden()).await.expect("no error")
    }

    /// Passes until nothing is left; answers the rows of them all.
    async fn catch_up(&self) -> u64 {
        let mut rows = 0;
        for _ in 0..9 {
            let Some(done) = self.pass().await.committed else { return rows };
            rows += done.rows;
        }
        panic!("{rows} rows, and still not caught up");
    }

    async fn data_files(&self) -> Vec<String> {
        let deadline = Deadline(SystemClock.now().after(Duration::from_secs(60)));
        let page = self.ports.objects.list("t/", None, deadline).await.expect("a directory");
        let paths = page.objects.into_iter().map(|object| object.path);
        paths.filter(|path| names::DataFile::parse(path).is_some()).collect()
    }
}

/// The reader that lost a record counts what it handed on. The offsets do not add up, so the
/// finalizer sets its task aside, publishes the other's, and the next run reads it again.
#[tokio::test(flavor = "multi_thread")]
async fn a02_what_a_reader_that_lost_a_record_wrote_is_refused() {
    let lab = lab().await;
    lab.ports.log.loses.store(true, Ordering::Relaxed);
    let done = lab.pass().await.committed.expect("the other task commits");
    assert_eq!(done.set_aside.len(), 1, "{done:?}");
    assert!(done.set_aside[0].cause.contains("accounted for"), "{done:?}");
    assert_eq!((done.rows, done.lag.records), (10, 10), "{done:?}");
    assert_eq!(lab.data_files().await.len(), 1);
    assert_eq!(lab.catch_up().await, 10);
}

/// With no other task there is nothing to publish, and nothing visible is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a02_a_run_of_nothing_but_a_lossy_reader_publishes_nothing() {
    let mut lab = lab().await;
    let mut spec = lab.spec.to_json();
    spec["limits"] = json!({ "readers": 1 });
    lab.spec = Spec::from_value(&spec).expect("a good spec");
    lab.ports.log.loses.store(true, Ordering::Relaxed);
    let done = lab.pass().await.committed.expect("the run closes");
    assert_eq!((done.rows, done.files, done.set_aside.len()), (0, 0, 1), "{done:?}");
    assert!(lab.data_files().await.is_empty());
    assert_eq!(lab.catch_up().await, 20);
    // The bytes of what was refused are gone.
    let deadline = lab.ports.deadline();
    let staged = lab.ports.objects.list("_staging/", None, deadline).await.expect("a directory");
    assert!(staged.objects.is_empty(), "{staged:?}");
    let manifest = names::ManifestFile {
        pipeline: lab.spec.pipeline.clone(),
        run: tidegate_core::words::RunNumber(1),
    };
    let read = lab.ports.objects.read(&manifest.to_string(), ReadRange::All, deadline).await;
    assert!(read.expect("a directory").is_some(), "what was set aside is told");
}

/// A reader without progress ends its slices where they are: the run commits what was read, and
/// the next one reads the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_without_progress_reports_what_it_reached() {
    // One batch to an answer, whatever its size.
    let options = KafkaOptions { fetch_bytes: 1, ..KafkaOptions::default() };
    let settings = Settings { no_progress: Duration::from_millis(1_500), ..Settings::default() };
    let lab = lab_with(options, settings).await;
    let batch = BatchSpec::new().record(Record::new(b"k", b"v"));
    lab.broker.append("t", 0, &batch).expect("a topic");
    let last = |request: &Request| {
        let fetch = request.as_fetch();
        fetch.is_some_and(|fetch| fetch.partitions.iter().any(|asked| asked.fetch_offset == 10))
    };
    lab.broker.script(Rule::new(Api::Fetch, Answer::Silence).when(last).always());
    let began = SystemClock.now();
    let done = lab.pass().await.committed.expect("what was read is committed");
    // Far below the silence that one request is given.
    assert!(SystemClock.now().since(began) < Duration::from_secs(12));
    assert_eq!((done.rows, done.lag.records, done.set_aside.len()), (20, 1, 0), "{done:?}");
    lab.broker.clear_script();
    assert_eq!(lab.catch_up().await, 1);
}
