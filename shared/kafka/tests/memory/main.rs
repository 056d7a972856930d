//! What hazards of the wire take of memory: a binary of its own, whose allocator counts. The
//! broker is in the same process, so that the answers it makes are counted, too.

mod hazards;

use std::alloc::System;
use std::time::Duration;

use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait};
use tidegate_broker::{BatchSpec, Broker, Record, TopicConfig};
use tidegate_core::columns::Columns;
use tidegate_core::error::Error;
use tidegate_core::ports::{
    FetchSlice, Fetched, LogFetch, LogSource, ObserveRequest, PartitionEpoch,
};
use tidegate_core::spec::{KafkaSpec, SecurityProtocol, TopicSelection};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{Isolation, OffsetRange, TopicPartition};
use tidegate_kafka::{KafkaOptions, KafkaSource};

#[global_allocator]
static ALLOCATOR: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The limits, scaled down: a frame has 1 MiB more than the records that it carries.
fn options() -> KafkaOptions {
    KafkaOptions {
        connect_timeout: Duration::from_millis(400),
        request_timeout: Duration::from_millis(400),
        retry_for: Duration::from_millis(300),
        observe_retry_for: Duration::from_millis(100),
        topic_retry_for: Duration::from_millis(100),
        fetch_max_wait: Duration::from_millis(50),
        fetch_bytes: 256 * KIB,
        answers_bytes: 512 * KIB,
        answer_bytes_max: MIB,
        batch_bytes_max: 2 * MIB,
        chunk_bytes: 64 << 10,
        ..KafkaOptions::default()
    }
}

#[expect(clippy::disallowed_methods, reason = "deadlines are wall-clock instants")]
fn within(millis: u64) -> Deadline {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = Millis(0).after(since.expect("after 1970"));
    Deadline(now.after(Duration::from_millis(millis)))
}

fn source(broker: &Broker, options: KafkaOptions) -> KafkaSource {
    let spec = KafkaSpec {
        bootstrap_servers: vec![broker.addr().to_string()],
        security_protocol: SecurityProtocol::Plaintext,
        sasl_mechanism: None,
        credentials: None,
        ca_certificate: None,
        client_certificate: None,
        isolation_level: Isolation::ReadCommitted,
    };
    KafkaSource::new(&spec, options).expect("a good spec")
}

/// A cluster of so many nodes, with a topic `t` of one partition on each.
async fn cluster(nodes: i32) -> Broker {
    let broker = Broker::start_nodes(nodes).await.expect("free ports");
    let config = TopicConfig { partitions: nodes, ..TopicConfig::default() };
    broker.create_topic("t", config).expect("a new topic");
    broker
}

fn batch(records: i32, value: &[u8]) -> BatchSpec {
    let mut batch = BatchSpec::new();
    (0..records).for_each(|_| batch.push(Record { value: Some(value), ..Record::default() }));
    batch
}

fn slice(partition: i32, start: i64, end: i64) -> FetchSlice {
    let range = OffsetRange::new(start, end).expect("a range");
    FetchSlice { partition: TopicPartition::new("t", partition), range }
}

/// What a fetch came to.
#[derive(Debug, Default)]
struct Came {
    rows: usize,
    errors: Vec<Error>,
}

/// Observes, whatever comes of it, and fetches the slices.
async fn read(source: &KafkaSource, slices: &[FetchSlice]) -> Came {
    let topics = TopicSelection::Names(vec!["t".into()]);
    let epochs = vec![PartitionEpoch { partition: TopicPartition::new("t", 0), epoch: 0 }];
    let request =
        ObserveRequest { topics, offsets: true, start_time: None, end_time: None, epochs };
    let seen = source.observe(&request, within(20_000)).await;
    let mut came = fetch(source, slices).await;
    came.errors.extend(seen.err());
    came
}

/// Fetches the slices.
async fn fetch(source: &KafkaSource, slices: &[FetchSlice]) -> Came {
    let mut came = Came::default();
    let fetch = source.fetch(slices, Isolation::ReadCommitted, within(20_000)).await;
    let mut fetch = match fetch {
        Ok(fetch) => fetch,
        Err(error) => {
            came.errors.push(error);
            return came;
        }
    };
    let mut rows = Columns::default();
    loop {
        match fetch.next(&mut rows, within(20_000)).await {
            Ok(Fetched::Progress(_)) => came.rows += rows.len(),
            Ok(Fetched::Ended { error, .. }) => came.errors.push(error),
            Ok(Fetched::Done) => return came,
            Err(error) => {
                came.errors.push(error);
                return came;
            }
        }
    }
}

/// What `reading` allocates at most, beside what was there before.
async fn peak(reading: impl Future<Output = Came>) -> (Came, usize) {
    ALLOCATOR.reset_peak_memory();
    let came = reading.await;
    (came, ALLOCATOR.get_peak_memory())
}

/// One test, as all measure the same allocator.
#[test]
fn memory_is_bounded_whatever_brokers_send() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        hazards::frames().await;
        hazards::arrays_and_texts().await;
        hazards::batches().await;
        hazards::records().await;
        hazards::bombs().await;
        hazards::large_batches().await;
        hazards::many_brokers().await;
        hazards::large_answers_of_many_brokers().await;
    });
}
