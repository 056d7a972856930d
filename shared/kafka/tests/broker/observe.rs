use std::time::Duration;

use tidegate_broker::{Answer, Api, Broker, Record, Rule, TopicConfig};
use tidegate_core::error::ErrorKind;
use tidegate_core::ports::{LogSource, ObservedPartition, PartitionOffsets};
use tidegate_core::spec::TopicSelection;
use tidegate_core::time::Millis;
use tidegate_core::words::TopicId;
use tidegate_kafka::KafkaOptions;

use crate::lab::{self, all_of, batch, broker, epoch, named, observe, source, within};

fn offsets(observed: &ObservedPartition) -> PartitionOffsets {
    *observed.offsets.as_ref().expect("offsets")
}

#[tokio::test]
async fn offsets_ids_and_epochs_are_seen() {
    let broker = Broker::start().await.expect("a free port");
    let id = broker.create_topic("t", TopicConfig::default()).expect("new");
    broker.set_cluster_id("lab");
    broker.append("t", 0, &batch(10)).expect("appended");
    broker.set_leader_epoch("t", 0, 4).expect("set");
    broker.append("t", 0, &batch(5)).expect("appended");
    broker.append("t", 0, &batch(5).transactional(1)).expect("appended");
    broker.delete_records("t", 0, 3).expect("deleted");
    let mut request = named(&["t"]);
    request.epochs = vec![epoch(0, 0), epoch(7, 0)];
    let seen = observe(&source(&broker), &request).await;
    assert_eq!(seen.cluster_id.as_deref(), Some("lab"));
    assert_eq!(seen.partitions.len(), 1);
    assert_eq!(seen.partitions[0].topic_id, Some(TopicId(id)));
    let known = offsets(&seen.partitions[0]);
    assert_eq!((known.log_start, known.last_stable, known.high_watermark), (3, 15, 20));
    assert_eq!(known.leader_epoch, 4);
    let end = known.epoch_end.expect("asked for");
    assert_eq!((end.epoch, end.end), (0, 10));
    assert!(seen.topics_missing.is_empty());
}

/// T01, T03: times are looked up; a time after the last record finds nothing, never −1 nor 0.
#[tokio::test]
async fn t03_times_find_offsets_or_nothing() {
    let broker = broker(2).await;
    let record = |timestamp| Record { value: Some(b"v"), ..Record::default().at(timestamp) };
    for timestamp in [-1, 1_000, 2_000, 3_000] {
        let batch = tidegate_broker::BatchSpec::new().record(record(timestamp));
        broker.append("t", 0, &batch).expect("appended");
    }
    let mut request = named(&["t"]);
    request.start_time = Some(Millis(1_500));
    request.end_time = Some(Millis(3_001));
    let seen = observe(&source(&broker), &request).await;
    let known = offsets(&seen.partitions[0]);
    assert_eq!((known.start_offset, known.end_offset), (Some(2), None));
    assert_eq!(known.log_start_time, Some(Millis(1_000)), "the first record that has a time");
    let empty = offsets(&seen.partitions[1]);
    assert_eq!((empty.start_offset, empty.end_offset, empty.log_start_time), (None, None, None));
}

/// R08, R10: patterns take whole names; internal topics never match.
#[tokio::test]
async fn r10_patterns_are_matched_here() {
    let broker = Broker::start().await.expect("a free port");
    for (name, internal) in [("ab", false), ("abc", false), ("ab-x", false), ("abi", true)] {
        let config = TopicConfig { internal, ..TopicConfig::default() };
        broker.create_topic(name, config).expect("new");
    }
    let topics = TopicSelection::pattern("ab.*", Some(".*-x")).expect("regular expressions");
    let seen = observe(&source(&broker), &all_of(topics)).await;
    let names: Vec<&str> = seen.partitions.iter().map(|one| &*one.partition.topic).collect();
    assert_eq!(names, ["ab", "abc"]);
}

/// R04, R09: a topic that is not there, and one that may not be described, do not stop the
/// others.
#[tokio::test]
async fn r09_missing_topics_are_named_with_their_cause() {
    let broker = broker(1).await;
    let seen = observe(&source(&broker), &named(&["t", "gone"])).await;
    assert_eq!(seen.partitions.len(), 1);
    assert_eq!(seen.topics_missing.len(), 1);
    let (name, cause) = &seen.topics_missing[0];
    assert_eq!((name.as_str(), cause.kind), ("gone", ErrorKind::Config));
    assert!(cause.message.contains("gone"), "{cause}");
    assert!(broker.create_topic("gone", TopicConfig::default()).is_ok(), "it was not created");
    broker.script(Rule::new(Api::Metadata, Answer::Error(29)).always());
    let seen = observe(&source(&broker), &named(&["t"])).await;
    assert_eq!(seen.topics_missing[0].1.kind, ErrorKind::Denied);
}

/// A topic that was just created is not known everywhere at once.
#[tokio::test]
async fn a_new_topic_is_asked_for_again() {
    let broker = broker(1).await;
    broker.script(Rule::new(Api::Metadata, Answer::Error(3)).times(2));
    let patient = KafkaOptions { topic_retry_for: Duration::from_secs(9), ..lab::options() };
    let seen = observe(&lab::source_with(&broker, patient), &named(&["t"])).await;
    assert!(seen.topics_missing.is_empty());
    assert_eq!(seen.partitions.len(), 1);
    assert_eq!(broker.count(Api::Metadata), 3);
}

/// Requests per broker, never per partition.
#[tokio::test]
async fn a_handful_of_requests_observes_thousands_of_partitions() {
    let broker = Broker::start_nodes(3).await.expect("free ports");
    for topic in ["a", "b"] {
        let config = TopicConfig { partitions: 3_000, ..TopicConfig::default() };
        broker.create_topic(topic, config).expect("new");
    }
    let source = source(&broker);
    let seen = observe(&source, &named(&["a", "b"])).await;
    assert_eq!(seen.partitions.len(), 6_000);
    assert!(seen.partitions.iter().all(|one| one.offsets.is_ok()));
    assert!(seen.partitions.is_sorted_by_key(|one| one.partition.clone()));
    let counts = source.requests();
    assert_eq!((counts.metadata, counts.list_offsets, counts.connections), (1, 9, 3), "{counts:?}");
}

/// A partition without a leader, one that may not be read, and a broker that is down: the
/// others are seen.
#[tokio::test]
async fn a_partition_that_cannot_be_observed_does_not_fail_the_others() {
    let broker = Broker::start_nodes(2).await.expect("free ports");
    let config = TopicConfig { partitions: 4, ..TopicConfig::default() };
    broker.create_topic("t", config).expect("new");
    broker.move_leader("t", 0, None).expect("moved");
    let denied = Answer::PartitionError { topic: "t".to_owned(), partition: 2, code: 29 };
    broker.script(Rule::new(Api::ListOffsets, denied).always());
    // Node 2 leads 1 and 3.
    broker.stop_node(2).await.expect("stopped");
    broker.move_leader("t", 3, Some(1)).expect("moved");
    let seen = observe(&source(&broker), &named(&["t"])).await;
    let kinds: Vec<Option<ErrorKind>> = seen
        .partitions
        .iter()
        .map(|one| one.offsets.as_ref().err().map(|cause| cause.kind))
        .collect();
    let (away, denied) = (Some(ErrorKind::Unavailable), Some(ErrorKind::Denied));
    assert_eq!(kinds, [away, away, denied, None]);
}

/// A leader that moves between the two requests is found.
#[tokio::test]
async fn a_moved_leader_is_found() {
    let broker = Broker::start_nodes(2).await.expect("free ports");
    broker.create_topic("t", TopicConfig::default()).expect("new");
    broker.append("t", 0, &batch(3)).expect("appended");
    for code in [5, 6, 9, 13, 56, 72, 74, 75, 7, 78, 89, 3, -1] {
        broker.clear_script();
        broker.script(Rule::new(Api::ListOffsets, Answer::Error(code)));
        let seen = observe(&source(&broker), &named(&["t"])).await;
        assert_eq!(offsets(&seen.partitions[0]).high_watermark, 3, "error {code}");
    }
}

/// Only ids, leaders and epochs: what a reader checks before and after its fetch.
#[tokio::test]
async fn without_offsets_only_epochs_are_asked_for() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(3)).expect("appended");
    let mut request = named(&["t"]);
    request.offsets = false;
    request.epochs = vec![epoch(0, 0)];
    let source = source(&broker);
    let seen = observe(&source, &request).await;
    assert_eq!(offsets(&seen.partitions[0]).epoch_end.map(|end| end.end), Some(3));
    assert_eq!(source.requests().list_offsets, 0);
}

/// Older brokers: no topic ids, no leader epochs, and what they lack is said.
#[tokio::test]
async fn older_brokers_are_spoken_to() {
    for metadata in 4..=12 {
        let broker = broker(1).await;
        broker.append("t", 0, &batch(3)).expect("appended");
        broker.set_versions(Api::Metadata, 1, metadata);
        broker.set_versions(Api::ListOffsets, 1, 2 + metadata % 4);
        broker.set_versions(Api::OffsetForLeaderEpoch, 0, 2 + metadata % 2);
        let mut request = named(&["t"]);
        request.epochs = vec![epoch(0, 0)];
        let seen = observe(&source(&broker), &request).await;
        let known = offsets(&seen.partitions[0]);
        assert_eq!((known.high_watermark, known.log_start), (3, 0), "version {metadata}");
        assert_eq!(seen.partitions[0].topic_id.is_some(), metadata >= 10);
        assert_eq!(known.leader_epoch, if metadata >= 7 { 0 } else { -1 });
    }
    let broker = broker(1).await;
    broker.set_versions(Api::Metadata, 0, 3);
    let error = source(&broker).observe(&named(&["t"]), within(5_000)).await.expect_err("too old");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("Metadata"), "{error}");
}

/// No broker there: an error in bounded time that names the servers.
#[tokio::test]
async fn an_unreachable_cluster_is_unavailable() {
    let broker = broker(1).await;
    let source = source(&broker);
    let server = broker.addr().to_string();
    broker.stop().await;
    let error = source.observe(&named(&["t"]), within(5_000)).await.expect_err("nobody there");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&server), "{error}");
}

/// The first bootstrap server is down, the second is not.
#[tokio::test]
async fn any_bootstrap_server_will_do() {
    let broker = broker(1).await;
    let spec = lab::spec(vec!["127.0.0.1:1".to_owned(), broker.addr().to_string()]);
    let source = tidegate_kafka::KafkaSource::new(&spec, lab::options()).expect("a good spec");
    assert_eq!(observe(&source, &named(&["t"])).await.partitions.len(), 1);
}

#[tokio::test]
async fn servers_that_are_none_are_refused_at_once() {
    for servers in [vec![], vec!["nonsense".to_owned()]] {
        let refused = tidegate_kafka::KafkaSource::new(&lab::spec(servers), lab::options()).err();
        assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::Config));
    }
}
