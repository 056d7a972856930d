//! Brokers that say nothing, say it slowly, or ask to be left alone.

use std::time::{Duration, Instant};

use tidegate_broker::{Answer, Api, Rule};
use tidegate_core::error::ErrorKind;
use tidegate_core::ports::LogSource;
use tidegate_core::words::Isolation;
use tidegate_kafka::KafkaOptions;

use crate::lab::{
    self, APIS, batch, broker, epoch, fetch, fetch_within, named, observe_and_fetch, slice, within,
};

/// For a machine that has other things to do: all waits of [`patience`] are far below it.
const BOUND: Duration = Duration::from_secs(6);

fn patience() -> KafkaOptions {
    KafkaOptions {
        connect_timeout: Duration::from_millis(300),
        request_timeout: Duration::from_millis(300),
        retry_for: Duration::from_millis(600),
        observe_retry_for: Duration::from_millis(600),
        ..lab::options()
    }
}

fn silences() -> [Answer; 4] {
    [Answer::Silence, Answer::StallAfter(3), Answer::StallAfter(6), Answer::StallAfter(20)]
}

/// Silence at any request, at its beginning or in the middle of its answer: an observation ends
/// with the cause long before its deadline, and so does a fetch.
#[tokio::test]
async fn silence_at_any_request_ends_in_bounded_time() {
    let mut side_by_side = tokio::task::JoinSet::new();
    for api in APIS {
        for answer in silences() {
            side_by_side.spawn(is_borne_for_a_while(api, answer));
        }
    }
    while let Some(done) = side_by_side.join_next().await {
        done.expect("it ends as it should");
    }
}

async fn is_borne_for_a_while(api: Api, answer: Answer) {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(5)).expect("appended");
    broker.script(Rule::new(api, answer.clone()).always());
    let source = lab::source_with(&broker, patience());
    let mut request = named(&["t"]);
    request.epochs = vec![epoch(0, 0)];

    let begun = Instant::now();
    let seen = source.observe(&request, within(60_000)).await;
    assert!(begun.elapsed() < BOUND, "{api:?} {answer:?}: {:?}", begun.elapsed());
    let kind = match &seen {
        Err(error) => Some(error.kind()),
        Ok(seen) => seen.partitions[0].offsets.as_ref().err().map(|cause| cause.kind),
    };
    let expected = (api != Api::Fetch).then_some(ErrorKind::Unavailable);
    assert_eq!(kind, expected, "{api:?} {answer:?}: {seen:?}");

    let begun = Instant::now();
    let slices = [slice(0, 0, 5)];
    let committed = Isolation::ReadCommitted;
    let (came, error) = fetch_within(&source, &slices, committed, within(60_000)).await;
    assert!(begun.elapsed() < BOUND, "{api:?} {answer:?}: {:?}", begun.elapsed());
    let unread = matches!(api, Api::ApiVersions | Api::Metadata | Api::Fetch);
    let kind = error.as_ref().map(tidegate_core::Error::kind);
    assert_eq!(kind, unread.then_some(ErrorKind::Unavailable), "{api:?} {error:?}");
    assert_eq!(came[0].offsets.len(), if unread { 0 } else { 5 }, "{api:?} {answer:?}");
}

/// A broker that is silent about one partition's fetch does not stop those of other brokers.
#[tokio::test]
async fn silence_of_one_broker_ends_its_slices_only() {
    let broker = tidegate_broker::Broker::start_nodes(2).await.expect("free ports");
    let config = tidegate_broker::TopicConfig { partitions: 2, ..Default::default() };
    broker.create_topic("t", config).expect("new");
    broker.append("t", 0, &batch(5)).expect("appended");
    broker.append("t", 1, &batch(5)).expect("appended");
    let first = |request: &tidegate_broker::Request| request.partitions() == [("t", 0)];
    broker.script(Rule::new(Api::Fetch, Answer::Silence).when(first).always());
    let source = lab::source_with(&broker, patience());
    let slices = [slice(0, 0, 5), slice(1, 0, 6)];
    let begun = Instant::now();
    let late = async {
        // The other slice has something to wait for, so that not all is out of reach.
        while broker.count(Api::Fetch) < 20 && begun.elapsed() < Duration::from_millis(1_500) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        broker.append("t", 1, &batch(1)).expect("appended");
    };
    let ((came, error), ()) = tokio::join!(fetch(&source, &slices, Isolation::ReadCommitted), late);
    assert!(begun.elapsed() < 2 * BOUND);
    assert_eq!((came[1].offsets.len(), came[1].ended.as_deref()), (6, None));
    let said = match (&came[0].ended, error) {
        (Some(ended), None) => ended.clone(),
        (None, Some(error)) => format!("{error:?}"),
        both => panic!("{both:?}"),
    };
    assert!(said.contains("[unavailable]") && said.contains("did not answer Fetch"), "{said}");
}

/// An answer that trickles in is waited for, as long as something comes: progress is no silence,
/// however long the whole takes.
#[tokio::test]
async fn slow_bytes_are_waited_for() {
    let options = KafkaOptions {
        request_timeout: Duration::from_millis(900),
        connect_timeout: Duration::from_secs(10),
        retry_for: Duration::from_secs(20),
        ..lab::options()
    };
    let mut side_by_side = tokio::task::JoinSet::new();
    for api in APIS {
        let options = options.clone();
        side_by_side.spawn(async move {
            let broker = broker(1).await;
            (0..6).for_each(|_| {
                broker.append("t", 0, &batch(5)).expect("appended");
            });
            let bytes = if api == Api::Fetch { 60 } else { 8 };
            let every = Duration::from_millis(250);
            broker.script(Rule::new(api, Answer::Drip { bytes, every }));
            let source = lab::source_with(&broker, options);
            let begun = Instant::now();
            let (observed, came) = observe_and_fetch(&source, slice(0, 0, 30)).await;
            assert!(observed && came.offsets.len() == 30, "{api:?}: {came:?}");
            let whole = begun.elapsed() >= Duration::from_millis(900);
            assert!(whole, "{api:?}: it came slower than any silence that is borne");
        });
    }
    while let Some(done) = side_by_side.join_next().await {
        done.expect("it is waited for");
    }
}

/// Throttling, on every kind of answer that can say so: what came is used, the next request
/// waits, and nobody waits past the deadline.
#[tokio::test]
async fn throttling_is_kept_and_never_waited_out_past_the_deadline() {
    for api in [Api::Metadata, Api::ListOffsets, Api::OffsetForLeaderEpoch, Api::Fetch] {
        let broker = broker(1).await;
        broker.append("t", 0, &batch(5)).expect("appended");
        broker.append("t", 0, &batch(5)).expect("appended");
        let one_batch = KafkaOptions { fetch_bytes: 1, ..patience() };
        let source = lab::source_with(&broker, one_batch);
        broker.script(Rule::new(api, Answer::throttle(150)));
        let begun = Instant::now();
        let (observed, came) = observe_and_fetch(&source, slice(0, 0, 10)).await;
        assert!(observed && came.offsets.len() == 10, "{api:?}: {came:?}");
        // What follows the last answer of a call has nothing to wait for.
        let waited =
            api == Api::OffsetForLeaderEpoch || begun.elapsed() >= Duration::from_millis(150);
        assert!(waited, "{api:?}: {:?}", begun.elapsed());

        broker.script(Rule::new(api, Answer::throttle(5_000)).always());
        let begun = Instant::now();
        let mut request = named(&["t"]);
        request.epochs = vec![epoch(0, 0)];
        let seen = source.observe(&request, within(1_500)).await;
        let committed = Isolation::ReadCommitted;
        let (came, error) =
            fetch_within(&source, &[slice(0, 0, 10)], committed, within(1_500)).await;
        assert!(begun.elapsed() < BOUND, "{api:?}: {:?}", begun.elapsed());
        if api == Api::Fetch {
            let seen = seen.as_ref().expect("observed");
            assert!(seen.partitions[0].offsets.is_ok());
            assert_eq!(came[0].offsets, [0, 1, 2, 3, 4], "what came is used");
            let kind = error.as_ref().map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::OutOfTime), "{error:?}");
        }
        if api == Api::ListOffsets {
            let seen = seen.as_ref().expect("what is known is told");
            let cause = seen.partitions[0].offsets.as_ref().expect_err("no time is left");
            assert_eq!(cause.kind, ErrorKind::Unavailable);
            assert!(cause.message.contains("throttles this client"), "{cause}");
        }
    }
}
