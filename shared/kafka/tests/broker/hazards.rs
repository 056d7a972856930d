//! What goes wrong on the wire, and what comes of it: right rows or the right error, in bounded
//! time.

use std::time::{Duration, Instant};

use tidegate_broker::{Answer, Api, Broker, Rule, TopicConfig};
use tidegate_core::columns::Columns;
use tidegate_core::error::ErrorKind;
use tidegate_core::ports::{Fetched, LogFetch, LogSource};
use tidegate_core::words::Isolation;
use tidegate_kafka::KafkaOptions;

use crate::lab::{
    self, batch, batch_of, broker, fetch, fetch_one, fetch_within, named, observe, slice, source,
    within,
};

/// Each code that may pass, during a fetch: the rows come all the same, once.
#[tokio::test]
async fn passing_errors_are_met_with_patience() {
    for code in [5, 6, 9, 13, 56, 72, 74, 75, 7, 78, 89, 3, 100, -1, 2] {
        let broker = broker(2).await;
        broker.append("t", 0, &batch(5)).expect("appended");
        broker.append("t", 1, &batch(5)).expect("appended");
        let trouble = Answer::PartitionError { topic: "t".to_owned(), partition: 0, code };
        broker.script(Rule::new(Api::Fetch, trouble));
        let slices = [slice(0, 0, 5), slice(1, 0, 5)];
        let (came, error) = fetch(&source(&broker), &slices, Isolation::ReadCommitted).await;
        assert!(error.is_none(), "error {code}: {error:?}");
        for came in came {
            assert_eq!(came.offsets, [0, 1, 2, 3, 4], "error {code}: {:?}", came.ended);
        }
    }
}

/// X12, X15: a code that stays ends its slice with the right kind, and only it.
#[tokio::test]
async fn x12_errors_that_stay_end_their_slice_only() {
    let mut side_by_side = tokio::task::JoinSet::new();
    for (code, kind) in [
        (1, "data_loss"),
        (2, "corrupt"),
        (3, "config"),
        (6, "unavailable"),
        (29, "denied"),
        (31, "denied"),
        (43, "config"),
        (76, "config"),
        (-1, "unavailable"),
    ] {
        side_by_side.spawn(an_error_that_stays(code, kind));
    }
    while let Some(ended) = side_by_side.join_next().await {
        ended.expect("it ends as it should");
    }
}

async fn an_error_that_stays(code: i16, kind: &str) {
    let broker = broker(2).await;
    broker.append("t", 0, &batch(5)).expect("appended");
    broker.append("t", 1, &batch(5)).expect("appended");
    let trouble = Answer::PartitionError { topic: "t".to_owned(), partition: 0, code };
    broker.script(Rule::new(Api::Fetch, trouble).always());
    // The other slice waits for a record that comes late, so that something is healthy.
    let slices = [slice(0, 0, 5), slice(1, 0, 6)];
    let source = source(&broker);
    let late = async {
        tokio::time::sleep(Duration::from_millis(1_800)).await;
        broker.append("t", 1, &batch(1)).expect("appended");
    };
    let ((came, error), ()) = tokio::join!(fetch(&source, &slices, Isolation::ReadCommitted), late);
    assert!(error.is_none(), "error {code}: {error:?}");
    let ended = came[0].ended.as_deref().expect("ended early");
    assert!(ended.contains(kind) && ended.contains("t-0"), "error {code}: {ended}");
    assert_eq!(came[0].offsets, Vec::<i64>::new());
    assert_eq!((came[1].next, came[1].ended.as_deref()), (6, None), "error {code}");
}

/// X10, X13: an offset that the log does not have (any more) is a loss, not an empty answer.
#[tokio::test]
async fn x13_an_offset_out_of_range_is_data_loss() {
    let broker = broker(2).await;
    broker.append("t", 0, &batch(10)).expect("appended");
    broker.append("t", 1, &batch(10)).expect("appended");
    broker.delete_records("t", 0, 5).expect("deleted");
    broker.truncate("t", 1, 3).expect("cut back");
    let slices = [slice(0, 2, 10), slice(1, 7, 10)];
    let (came, error) = fetch(&source(&broker), &slices, Isolation::ReadCommitted).await;
    assert!(error.is_none(), "{error:?}");
    for came in came {
        assert!(came.ended.expect("ended").contains("[data_loss]"));
    }
}

/// The connection closes at each point of an answer; the frozen and the nonsensical peer.
#[tokio::test]
async fn connections_that_break_are_replaced() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(5)).expect("appended");
    let hurried = KafkaOptions {
        request_timeout: Duration::from_millis(200),
        observe_retry_for: Duration::from_millis(2_000),
        ..lab::options()
    };
    let mut answers = vec![Answer::Close, Answer::Silence, Answer::Bytes(vec![1, 2, 3])];
    answers.push(Answer::Raw(vec![0x7f; 100]));
    answers.push(Answer::Raw(vec![0, 0, 0, 0]));
    answers.push(Answer::mangle(|mut body| {
        body.pop();
        body
    }));
    answers.extend((0..120).step_by(7).map(Answer::CutAfter));
    for api in [Api::Fetch, Api::Metadata, Api::ListOffsets] {
        for answer in &answers {
            broker.clear_script();
            broker.script(Rule::new(api, answer.clone()));
            let source = lab::source_with(&broker, hurried.clone());
            let seen = observe(&source, &named(&["t"])).await;
            assert!(seen.partitions[0].offsets.is_ok(), "{api:?} {answer:?}: {seen:?}");
            let came = fetch_one(&source, slice(0, 0, 5)).await;
            assert_eq!(came.offsets, [0, 1, 2, 3, 4], "{api:?} {answer:?}: {:?}", came.ended);
        }
    }
}

/// A broker that stays away: unavailable, in bounded time; and the fetch can be gone on with
/// once it is back.
#[tokio::test]
async fn a_broker_that_goes_away_is_unavailable_until_it_is_back() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(5)).expect("appended");
    let source = source(&broker);
    let mut fetch = source
        .fetch(&[slice(0, 0, 8)], Isolation::ReadCommitted, within(5_000))
        .await
        .expect("begun");
    let mut rows = Columns::default();
    fetch.next(&mut rows, within(5_000)).await.expect("five rows");
    broker.stop_node(1).await.expect("stopped");
    let begun = Instant::now();
    let error = fetch.next(&mut rows, within(20_000)).await.expect_err("nobody there");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let error = fetch.next(&mut rows, within(300)).await.expect_err("still nobody");
    assert_eq!(error.kind(), ErrorKind::OutOfTime, "{error:?}");
    broker.start_node(1).await.expect("started");
    broker.append("t", 0, &batch(5)).expect("appended");
    let next = fetch.next(&mut rows, within(10_000)).await.expect("three more");
    assert!(matches!(next, Fetched::Progress(progress) if progress.next == 8), "{next:?}");
}

/// A leader that moves in mid-read is followed.
#[tokio::test]
async fn a_leader_that_moves_is_followed() {
    let broker = Broker::start_nodes(3).await.expect("free ports");
    broker.create_topic("t", TopicConfig::default()).expect("new");
    (0..40).for_each(|_| {
        broker.append("t", 0, &batch_of(1, &[1; 900])).expect("appended");
    });
    let options = KafkaOptions { fetch_bytes: 2_000, ..lab::options() };
    let source = lab::source_with(&broker, options);
    let mut fetch = source
        .fetch(&[slice(0, 0, 40)], Isolation::ReadCommitted, within(9_000))
        .await
        .expect("begun");
    let (mut rows, mut offsets, mut node) = (Columns::default(), Vec::new(), 0);
    while let Fetched::Progress(_) = fetch.next(&mut rows, within(9_000)).await.expect("ok") {
        offsets.extend_from_slice(rows.offsets());
        node = node % 3 + 1;
        broker.move_leader("t", 0, Some(node)).expect("moved");
    }
    assert_eq!(offsets, (0..40).collect::<Vec<_>>());
}

/// R06 during a read: the topic is deleted and created anew.
#[tokio::test]
async fn r06_a_topic_made_anew_while_it_is_read_is_data_loss() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(5)).expect("appended");
    let source = source(&broker);
    let mut fetch = source
        .fetch(&[slice(0, 0, 50)], Isolation::ReadCommitted, within(5_000))
        .await
        .expect("begun");
    let mut rows = Columns::default();
    fetch.next(&mut rows, within(5_000)).await.expect("five rows");
    broker.delete_topic("t").expect("deleted");
    broker.create_topic("t", TopicConfig::default()).expect("new");
    broker.append("t", 0, &batch(60)).expect("appended");
    broker.script(Rule::new(Api::Fetch, Answer::Error(3)));
    let ended = fetch.next(&mut rows, within(9_000)).await.expect("an end");
    match ended {
        Fetched::Ended { slice: 0, error } => assert_eq!(error.kind(), ErrorKind::DataLoss),
        other => panic!("{other:?}"),
    }
}

/// An answer that trickles in is waited for while it does; one that stops is not.
#[tokio::test]
async fn a_deadline_is_kept_whatever_the_broker_does() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(5)).expect("appended");
    for api in [Api::ApiVersions, Api::Metadata, Api::ListOffsets] {
        broker.clear_script();
        broker.script(Rule::new(api, Answer::Silence).always());
        let begun = Instant::now();
        let seen = source(&broker).observe(&named(&["t"]), within(700)).await;
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(1_500), "{api:?} took {took:?}");
        let nothing = seen.is_err() || seen.is_ok_and(|seen| seen.partitions[0].offsets.is_err());
        assert!(nothing, "{api:?}");
    }
    broker.clear_script();
    broker.script(Rule::new(Api::Fetch, Answer::Silence).always());
    let begun = Instant::now();
    let slices = [slice(0, 0, 5)];
    let source = source(&broker);
    let (_, error) = fetch_within(&source, &slices, Isolation::ReadCommitted, within(700)).await;
    assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::OutOfTime));
    assert!(begun.elapsed() < Duration::from_millis(1_500));
}

/// Throttling: the answer counts, and the next request waits.
#[tokio::test]
async fn a_throttled_answer_is_used_and_the_next_request_waits() {
    let broker = broker(1).await;
    (0..2).for_each(|_| {
        broker.append("t", 0, &batch_of(1, &[1; 900])).expect("appended");
    });
    let throttled = Answer::mangle(|mut body| {
        body[..4].copy_from_slice(&400_i32.to_be_bytes());
        body
    });
    broker.script(Rule::new(Api::Fetch, throttled));
    let options = KafkaOptions { fetch_bytes: 1_000, ..lab::options() };
    let source = lab::source_with(&broker, options);
    let begun = Instant::now();
    let came = fetch_one(&source, slice(0, 0, 2)).await;
    assert_eq!(came.offsets, [0, 1]);
    assert!(begun.elapsed() >= Duration::from_millis(400));
    assert_eq!(source.requests().fetch, 2);
}

/// What real brokers answer to a client that is above its quota: no partition at all, and how long
/// to wait. However often that happens, the slice is neither failed nor asked for too early.
#[tokio::test]
async fn an_answer_without_partitions_to_a_throttled_client_is_no_failure() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(5)).expect("appended");
    // Throttled for 100 ms, no error, no session, no topics.
    let mut above_quota = 100_i32.to_be_bytes().to_vec();
    above_quota.extend([0; 2 + 4 + 4]);
    for _ in 0..6 {
        broker.script(Rule::new(Api::Fetch, Answer::Bytes(above_quota.clone())));
    }
    let source = source(&broker);
    let begun = Instant::now();
    let came = fetch_one(&source, slice(0, 0, 5)).await;
    assert_eq!(came.offsets, [0, 1, 2, 3, 4]);
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    assert_eq!(source.requests().fetch, 7);
}
