//! A broker, a source with short waits, and everything that a fetch gave.

use std::time::Duration;

use tidegate_broker::{Api, BatchHeader, BatchSpec, Broker, Record, TopicConfig};
use tidegate_core::columns::Columns;
use tidegate_core::error::Error;
use tidegate_core::ports::{
    FetchSlice, Fetched, LogFetch, LogSource, Observation, ObserveRequest, PartitionEpoch,
};
use tidegate_core::spec::{KafkaSpec, SecurityProtocol, TopicSelection};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{Isolation, OffsetRange, TopicPartition};
use tidegate_kafka::{KafkaOptions, KafkaSource};

/// A deadline so many milliseconds away.
#[expect(clippy::disallowed_methods, reason = "deadlines are wall-clock instants")]
pub(crate) fn within(millis: u64) -> Deadline {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = Millis(0).after(since.expect("after 1970"));
    Deadline(now.after(Duration::from_millis(millis)))
}

/// Waits that suit a broker in the same process.
pub(crate) fn options() -> KafkaOptions {
    KafkaOptions {
        // Nothing here is slow to connect but a machine that has much else to do.
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_millis(1_000),
        retry_for: Duration::from_millis(1_500),
        observe_retry_for: Duration::from_millis(400),
        topic_retry_for: Duration::from_millis(200),
        fetch_max_wait: Duration::from_millis(50),
        ..KafkaOptions::default()
    }
}

pub(crate) fn spec(servers: Vec<String>) -> KafkaSpec {
    KafkaSpec {
        bootstrap_servers: servers,
        security_protocol: SecurityProtocol::Plaintext,
        sasl_mechanism: None,
        credentials: None,
        ca_certificate: None,
        client_certificate: None,
        isolation_level: Isolation::ReadCommitted,
    }
}

pub(crate) fn source_with(broker: &Broker, options: KafkaOptions) -> KafkaSource {
    let spec = spec(vec![broker.addr().to_string()]);
    KafkaSource::new(&spec, options).expect("a good spec")
}

pub(crate) fn source(broker: &Broker) -> KafkaSource {
    source_with(broker, options())
}

/// A broker with one topic `t` of so many partitions.
pub(crate) async fn broker(partitions: i32) -> Broker {
    let broker = Broker::start().await.expect("a free port");
    let config = TopicConfig { partitions, ..TopicConfig::default() };
    broker.create_topic("t", config).expect("a new topic");
    broker
}

/// A batch of so many records with the value `v`.
pub(crate) fn batch(records: i32) -> BatchSpec {
    batch_of(records, b"v")
}

pub(crate) fn batch_of(records: i32, value: &[u8]) -> BatchSpec {
    let mut batch = BatchSpec::new();
    (0..records).for_each(|_| batch.push(Record { value: Some(value), ..Record::default() }));
    batch
}

pub(crate) fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("t", index)
}

pub(crate) fn slice(index: i32, start: i64, end: i64) -> FetchSlice {
    let range = OffsetRange::new(start, end).expect("a range");
    FetchSlice { partition: partition(index), range }
}

pub(crate) fn all_of(topics: TopicSelection) -> ObserveRequest {
    ObserveRequest { topics, offsets: true, start_time: None, end_time: None, epochs: Vec::new() }
}

pub(crate) fn named(names: &[&str]) -> ObserveRequest {
    all_of(TopicSelection::Names(names.iter().map(|name| (*name).into()).collect()))
}

pub(crate) fn epoch(index: i32, epoch: i32) -> PartitionEpoch {
    PartitionEpoch { partition: partition(index), epoch }
}

pub(crate) async fn observe(source: &KafkaSource, request: &ObserveRequest) -> Observation {
    source.observe(request, within(10_000)).await.expect("an observation")
}

/// What came of a slice.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Came {
    pub(crate) next: i64,
    pub(crate) offsets: Vec<i64>,
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) markers: u64,
    pub(crate) aborted: u64,
    pub(crate) compacted: u64,
    pub(crate) leader_epoch: i32,
    pub(crate) ended: Option<String>,
}

/// Fetches to the end; checks the accounting of each step. The error of a fetch that broke off.
pub(crate) async fn fetch(
    source: &KafkaSource,
    slices: &[FetchSlice],
    isolation: Isolation,
) -> (Vec<Came>, Option<Error>) {
    fetch_within(source, slices, isolation, within(20_000)).await
}

pub(crate) async fn fetch_within(
    source: &KafkaSource,
    slices: &[FetchSlice],
    isolation: Isolation,
    deadline: Deadline,
) -> (Vec<Came>, Option<Error>) {
    let mut came: Vec<Came> =
        slices.iter().map(|slice| Came { next: slice.range.start(), ..Came::default() }).collect();
    let mut fetch = match source.fetch(slices, isolation, deadline).await {
        Ok(fetch) => fetch,
        Err(error) => return (came, Some(error)),
    };
    let mut rows = Columns::default();
    loop {
        match fetch.next(&mut rows, deadline).await {
            Ok(Fetched::Progress(progress)) => {
                let came = &mut came[progress.slice];
                let counted = progress.markers + progress.aborted + progress.compacted;
                let crossed = progress.next.abs_diff(came.next);
                let count = u64::try_from(rows.len()).expect("small");
                assert_eq!(crossed, counted + count, "{progress:?}");
                assert!(crossed > 0, "progress without any: {progress:?}");
                came.next = progress.next;
                came.offsets.extend_from_slice(rows.offsets());
                let value = |at| rows.values().get(at).unwrap_or_default().to_vec();
                came.values.extend((0..rows.len()).map(value));
                came.markers += progress.markers;
                came.aborted += progress.aborted;
                came.compacted += progress.compacted;
                came.leader_epoch = progress.leader_epoch;
            }
            Ok(Fetched::Ended { slice, error }) => {
                assert_eq!(came[slice].ended, None, "a slice ends once");
                came[slice].ended = Some(format!("{error:?}"));
            }
            Ok(Fetched::Done) => return (came, None),
            Err(error) => return (came, Some(error)),
        }
    }
}

/// [`fetch`] of one slice that must not break off.
pub(crate) async fn fetch_one(source: &KafkaSource, slice: FetchSlice) -> Came {
    let (mut came, error) = fetch(source, &[slice], Isolation::ReadCommitted).await;
    assert!(error.is_none(), "{error:?}");
    came.remove(0)
}

/// The apis of an observation with epochs and a fetch.
pub(crate) const APIS: [Api; 5] =
    [Api::ApiVersions, Api::Metadata, Api::ListOffsets, Api::OffsetForLeaderEpoch, Api::Fetch];

/// What an observation with epochs, and then a fetch, come to.
pub(crate) async fn observe_and_fetch(source: &KafkaSource, slice: FetchSlice) -> (bool, Came) {
    let mut request = named(&["t"]);
    request.epochs = vec![epoch(slice.partition.partition, 0)];
    let seen = observe(source, &request).await;
    let index = usize::try_from(slice.partition.partition).expect("not negative");
    let good = seen.partitions.get(index).is_some_and(|one| one.offsets.is_ok());
    (good, fetch_one(source, slice).await)
}

/// Batches as they stand in a fetch's answer, one after another.
pub(crate) fn batches_of(mut records: &[u8]) -> Vec<Vec<u8>> {
    let mut batches = Vec::new();
    while let Some(header) = BatchHeader::parse(records) {
        let size = usize::try_from(header.length).expect("not negative") + 12;
        let (batch, rest) = records.split_at(size);
        batches.push(batch.to_vec());
        records = rest;
    }
    batches
}

/// The records of all partitions of an answer, with the base offset of the first batch.
pub(crate) fn batches_at(base: i64, specs: &[BatchSpec]) -> Vec<u8> {
    let mut next = base;
    let mut records = Vec::new();
    for spec in specs {
        let mut batch = spec.encode().expect("a batch");
        batch[..8].copy_from_slice(&next.to_be_bytes());
        next += spec.offsets();
        records.extend(batch);
    }
    records
}

/// A body of a Fetch answer v11, with these topics, partitions and records.
pub(crate) fn fetch_body(parts: &[(&str, i32, &[u8])]) -> Vec<u8> {
    let length = |len: usize| u32::try_from(len).expect("small").to_be_bytes();
    // Throttle, error, session.
    let mut body = vec![0; 10];
    body.extend(length(parts.len()));
    for (topic, partition, records) in parts {
        body.extend(u16::try_from(topic.len()).expect("small").to_be_bytes());
        body.extend(topic.as_bytes());
        body.extend(1_i32.to_be_bytes());
        body.extend(partition.to_be_bytes());
        body.extend(0_i16.to_be_bytes());
        // High watermark, last stable offset, log start.
        [1_000_i64, 1_000, 0].iter().for_each(|offset| body.extend(offset.to_be_bytes()));
        // No list of aborted transactions, no preferred replica.
        [-1_i32, -1].iter().for_each(|field| body.extend(field.to_be_bytes()));
        body.extend(length(records.len()));
        body.extend(*records);
    }
    body
}
