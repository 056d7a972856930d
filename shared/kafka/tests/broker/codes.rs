//! Every error code on every kind of request: what it comes to if it stays, and how soon.

use std::time::{Duration, Instant};

use tidegate_broker::{Answer, Api, Broker, Rule};
use tidegate_core::columns::Columns;
use tidegate_core::error::{Error, ErrorKind};
use tidegate_core::ports::{Fetched, LogFetch, LogSource};
use tidegate_core::words::Isolation;
use tidegate_kafka::{KafkaOptions, KafkaSource};
use tokio::task::JoinSet;

use crate::lab::{self, batch, broker, epoch, fetch, named, slice, within};

/// A code, what it comes to if it stays, and whether it may pass.
type Row = (i16, ErrorKind, bool);

const TABLE: [Row; 33] = {
    use ErrorKind::{BadRecord, Config, Corrupt, DataLoss, Denied, Unavailable};
    [
        (-1, Unavailable, true),
        (1, DataLoss, false),
        (2, Corrupt, true),
        (3, Config, true),
        (5, Unavailable, true),
        (6, Unavailable, true),
        (7, Unavailable, true),
        (8, Unavailable, true),
        (9, Unavailable, true),
        (10, BadRecord, false),
        (13, Unavailable, true),
        (17, Config, false),
        (29, Denied, false),
        (31, Denied, false),
        (33, Denied, false),
        (34, Denied, false),
        (35, Config, false),
        (42, Config, false),
        (43, Config, false),
        (56, Unavailable, true),
        (58, Denied, false),
        (70, Unavailable, true),
        (71, Unavailable, true),
        (72, Unavailable, true),
        (74, Unavailable, true),
        (75, Unavailable, true),
        (76, Config, false),
        (78, Unavailable, true),
        (87, BadRecord, false),
        (89, Unavailable, true),
        (100, Config, true),
        (103, Config, true),
        (999, Unavailable, true),
    ]
};

/// For a loaded machine: the waits of [`hurried`] come to less than a second.
const BOUND: Duration = Duration::from_secs(8);

fn hurried(broker: &Broker) -> KafkaSource {
    let options = KafkaOptions {
        retry_for: Duration::from_millis(400),
        observe_retry_for: Duration::from_millis(400),
        topic_retry_for: Duration::from_millis(200),
        ..lab::options()
    };
    lab::source_with(broker, options)
}

/// Two partitions of five records.
async fn filled() -> Broker {
    let broker = broker(2).await;
    (0..2).for_each(|partition| {
        broker.append("t", partition, &batch(5)).expect("appended");
    });
    broker
}

fn of_first(code: i16) -> Answer {
    Answer::PartitionError { topic: "t".to_owned(), partition: 0, code }
}

/// Runs `check` for all codes side by side, each within the bound.
async fn each<F: Future<Output = ()> + Send + 'static>(check: impl Fn(Row) -> F) {
    let mut side_by_side = JoinSet::new();
    for row in TABLE {
        let checked = check(row);
        side_by_side.spawn(async move {
            let begun = Instant::now();
            checked.await;
            assert!(begun.elapsed() < BOUND, "error {} took {:?}", row.0, begun.elapsed());
        });
    }
    while let Some(done) = side_by_side.join_next().await {
        done.expect("each comes to what the table says");
    }
}

/// X12: a code that stays ends its slice, and says which; the other slice is read on.
#[tokio::test]
async fn x12_codes_that_stay_end_their_slice_of_a_fetch() {
    each(|(code, kind, _)| async move {
        let broker = filled().await;
        broker.script(Rule::new(Api::Fetch, of_first(code)).always());
        let source = hurried(&broker);
        let slices = [slice(0, 0, 5), slice(1, 0, 6)];
        let begun = source.fetch(&slices, Isolation::ReadCommitted, within(20_000)).await;
        let (mut fetch, mut rows) = (begun.expect("begun"), Columns::default());
        let (mut offsets, mut ended) = (Vec::new(), None::<Error>);
        loop {
            match fetch.next(&mut rows, within(20_000)).await.expect("one slice is healthy") {
                Fetched::Progress(step) => {
                    assert_eq!(step.slice, 1, "error {code}");
                    offsets.extend_from_slice(rows.offsets());
                }
                Fetched::Ended { slice, error } => {
                    assert_eq!(slice, 0, "error {code}");
                    ended = Some(error);
                    // What the healthy slice was waiting for.
                    broker.append("t", 1, &batch(1)).expect("appended");
                }
                Fetched::Done => break,
            }
        }
        let error = ended.expect("it ends");
        assert_eq!(error.kind(), kind, "error {code}: {error}");
        let message = error.to_string();
        let named = message.contains("t-0 at offset 0") && message.contains(&code.to_string());
        assert!(named, "error {code}: {message}");
        assert_eq!(offsets, [0, 1, 2, 3, 4, 5], "error {code}");
    })
    .await;
}

/// A code that comes once: the rows come all the same, if it may pass.
#[tokio::test]
async fn codes_that_pass_cost_a_fetch_nothing() {
    each(|(code, _, passes)| async move {
        let broker = filled().await;
        broker.script(Rule::new(Api::Fetch, of_first(code)));
        let slices = [slice(0, 0, 5), slice(1, 0, 5)];
        let (came, error) = fetch(&hurried(&broker), &slices, Isolation::ReadCommitted).await;
        assert!(error.is_none(), "error {code}: {error:?}");
        // An offset that is in range after all is no loss.
        let passes = passes || code == 1;
        assert_eq!(came[0].ended.is_none(), passes, "error {code}: {:?}", came[0].ended);
        assert_eq!(came[0].offsets.len(), if passes { 5 } else { 0 }, "error {code}");
        assert_eq!(came[1].offsets.len(), 5, "error {code}");
    })
    .await;
}

/// A code of the whole answer is one of each slice in it.
#[tokio::test]
async fn codes_of_a_whole_fetch_are_those_of_its_slices() {
    each(|(code, kind, passes)| async move {
        let broker = filled().await;
        let whole = Answer::mangle(move |mut body| {
            body[4..6].copy_from_slice(&code.to_be_bytes());
            body
        });
        broker.script(Rule::new(Api::Fetch, whole.clone()));
        let slices = [slice(0, 0, 5), slice(1, 0, 5)];
        let (came, error) = fetch(&hurried(&broker), &slices, Isolation::ReadCommitted).await;
        assert!(error.is_none(), "error {code}: {error:?}");
        for came in &came {
            let passes = passes || code == 1;
            assert_eq!(came.offsets.len(), if passes { 5 } else { 0 }, "error {code}: {came:?}");
        }
        broker.script(Rule::new(Api::Fetch, whole).always());
        let (came, error) = fetch(&hurried(&broker), &slices, Isolation::ReadCommitted).await;
        // Where nothing is healthy, what is unavailable is the cluster.
        let said = match (&came[0].ended, error) {
            (Some(ended), _) => ended.clone(),
            (None, error) => format!("{:?}", error.expect("it ends")),
        };
        assert!(said.contains(&format!("[{kind}]")), "error {code}: {said}");
        assert!(came.iter().all(|came| came.offsets.is_empty()), "error {code}");
    })
    .await;
}

/// P21: codes that stay leave their partition out of an observation, with the cause; those that
/// pass are waited for. The other partition is seen.
#[tokio::test]
async fn p21_codes_of_offsets_leave_their_partition_out() {
    for api in [Api::ListOffsets, Api::OffsetForLeaderEpoch] {
        each(move |(code, kind, passes)| async move {
            let broker = filled().await;
            let mut request = named(&["t"]);
            request.epochs = vec![epoch(0, 0), epoch(1, 0)];
            broker.script(Rule::new(api, of_first(code)));
            let source = hurried(&broker);
            let seen = source.observe(&request, within(20_000)).await.expect("observed");
            let offsets = &seen.partitions[0].offsets;
            assert_eq!(offsets.is_ok(), passes, "{api:?} error {code}: {offsets:?}");

            broker.script(Rule::new(api, of_first(code)).always());
            let seen = source.observe(&request, within(20_000)).await.expect("observed");
            let cause = seen.partitions[0].offsets.as_ref().expect_err("it stays");
            assert_eq!(cause.kind, kind, "{api:?} error {code}: {cause}");
            let named = cause.message.contains("t-0") && cause.message.contains(&code.to_string());
            assert!(named, "{api:?} error {code}: {cause}");
            assert!(seen.partitions[1].offsets.is_ok(), "{api:?} error {code}");
        })
        .await;
    }
}

/// A topic's code in the metadata: missing with its cause in an observation, the end of its
/// slices in a fetch.
#[tokio::test]
async fn codes_of_topics_are_causes() {
    each(|(code, kind, passes)| async move {
        let broker = filled().await;
        broker.script(Rule::new(Api::Metadata, Answer::Error(code)));
        let source = hurried(&broker);
        let seen = source.observe(&named(&["t"]), within(20_000)).await.expect("observed");
        assert_eq!(seen.partitions.len() == 2, passes, "error {code}: {seen:?}");

        broker.script(Rule::new(Api::Metadata, Answer::Error(code)).always());
        let seen = source.observe(&named(&["t"]), within(20_000)).await.expect("observed");
        let (topic, cause) = &seen.topics_missing[0];
        assert_eq!((topic.as_str(), cause.kind), ("t", kind), "error {code}: {cause}");
        let (came, error) = fetch(&source, &[slice(0, 0, 5)], Isolation::ReadCommitted).await;
        let said = match (&came[0].ended, error) {
            (Some(ended), _) => ended.clone(),
            (None, error) => format!("{:?}", error.expect("it ends")),
        };
        assert!(said.contains(&format!("[{kind}]")), "error {code}: {said}");
    })
    .await;
}
