//! Metadata that changes between two calls of one observation, or in the middle of a fetch.

use std::time::Duration;

use tidegate_broker::{Answer, Api, Broker, Rule, TopicConfig};
use tidegate_core::columns::Columns;
use tidegate_core::error::ErrorKind;
use tidegate_core::ports::{Fetched, LogFetch, LogSource, Observation};
use tidegate_core::words::Isolation;

use crate::lab::{batch, broker, fetch, named, observe, slice, source, within};

/// Lets the broker's tasks run until it received so many requests of `api`.
async fn received(broker: &Broker, api: Api, requests: u64) {
    while broker.count(api) < requests {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Observes while the leader of `t-0` refuses to answer at first, and `change` happens before
/// the metadata that is asked for then is answered.
async fn observe_across(broker: &Broker, change: impl FnOnce(&Broker)) -> Observation {
    let refuses = Answer::PartitionError { topic: "t".to_owned(), partition: 0, code: 6 };
    broker.script(Rule::new(Api::ListOffsets, refuses));
    let late = Answer::Delay(Duration::from_millis(700));
    broker.script(Rule::new(Api::Metadata, late).skip(1));
    let source = source(broker);
    let request = named(&["t"]);
    let changed = async {
        received(broker, Api::Metadata, 2).await;
        change(broker);
    };
    tokio::join!(observe(&source, &request), changed).0
}

#[tokio::test]
async fn a_leader_that_moved_between_two_calls_is_found() {
    let broker = Broker::start_nodes(2).await.expect("free ports");
    broker.create_topic("t", TopicConfig::default()).expect("new");
    broker.append("t", 0, &batch(3)).expect("appended");
    let seen = observe_across(&broker, |broker| {
        broker.move_leader("t", 0, Some(2)).expect("moved");
    })
    .await;
    let offsets = seen.partitions[0].offsets.as_ref().expect("the new leader answers");
    assert_eq!((offsets.high_watermark, offsets.leader_epoch), (3, 1));
}

/// R06: offsets of the new topic are never given for the old one, nor the reverse.
#[tokio::test]
async fn r06_a_topic_made_anew_between_two_calls_is_left_out() {
    let broker = broker(2).await;
    (0..2).for_each(|partition| {
        broker.append("t", partition, &batch(3)).expect("appended");
    });
    let seen = observe_across(&broker, |broker| {
        broker.delete_topic("t").expect("deleted");
        let config = TopicConfig { partitions: 2, ..TopicConfig::default() };
        broker.create_topic("t", config).expect("new");
        broker.append("t", 0, &batch(9)).expect("appended");
    })
    .await;
    assert_eq!(seen.partitions.len(), 2);
    for one in seen.partitions {
        let cause = one.offsets.expect_err("of which of the two would they be?");
        assert_eq!(cause.kind, ErrorKind::Unavailable);
        assert!(cause.message.contains("topic t was deleted and created anew"), "{cause}");
    }
    let seen = observe(&source(&broker), &named(&["t"])).await;
    assert!(seen.partitions.iter().all(|one| one.offsets.is_ok()), "the next one sees the new");
}

/// R01: partitions that are added in the middle are seen the next time.
#[tokio::test]
async fn r01_partitions_added_between_two_calls_come_with_the_next() {
    let broker = broker(2).await;
    let seen = observe_across(&broker, |broker| broker.grow_topic("t", 5).expect("grown")).await;
    assert_eq!(seen.partitions.len(), 2);
    assert!(seen.partitions.iter().all(|one| one.offsets.is_ok()), "{seen:?}");
    assert_eq!(observe(&source(&broker), &named(&["t"])).await.partitions.len(), 5);
}

#[tokio::test]
async fn a_topic_deleted_between_two_calls_is_left_out() {
    let broker = broker(1).await;
    let seen = observe_across(&broker, |broker| broker.delete_topic("t").expect("deleted")).await;
    let cause = seen.partitions[0].offsets.as_ref().expect_err("it is gone");
    assert!(matches!(cause.kind, ErrorKind::Config | ErrorKind::Unavailable), "{cause:?}");
    assert!(cause.message.contains("t-0"), "{cause}");
}

/// R06: the new topic counts its leader epochs from 0 again, so that its leader knows none of
/// the epoch that is sent: metadata tells why.
#[tokio::test]
async fn r06_a_topic_made_anew_does_not_know_the_old_epoch() {
    let broker = broker(1).await;
    broker.set_leader_epoch("t", 0, 5).expect("set");
    broker.append("t", 0, &batch(5)).expect("appended");
    let source = source(&broker);
    let slices = [slice(0, 0, 50)];
    let fetch = source.fetch(&slices, Isolation::ReadCommitted, within(5_000)).await;
    let (mut fetch, mut rows) = (fetch.expect("begun"), Columns::default());
    fetch.next(&mut rows, within(5_000)).await.expect("five rows");
    broker.delete_topic("t").expect("deleted");
    broker.create_topic("t", TopicConfig::default()).expect("new");
    broker.append("t", 0, &batch(60)).expect("appended");
    match fetch.next(&mut rows, within(9_000)).await.expect("an end") {
        Fetched::Ended { slice: 0, error } => {
            assert_eq!(error.kind(), ErrorKind::DataLoss, "{error}");
            assert!(error.to_string().contains("created anew"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// X09, X13: one code, two causes, each with its own words.
#[tokio::test]
async fn x13_loss_and_truncation_are_told_apart() {
    let broker = broker(3).await;
    (0..3).for_each(|partition| {
        broker.append("t", partition, &batch(10)).expect("appended");
    });
    broker.delete_records("t", 0, 5).expect("deleted");
    broker.truncate("t", 1, 3).expect("cut back");
    let slices = [slice(0, 2, 10), slice(1, 7, 10), slice(2, 0, 10)];
    let (came, error) = fetch(&source(&broker), &slices, Isolation::ReadCommitted).await;
    assert!(error.is_none(), "{error:?}");
    let words = [
        ["[data_loss]", "t-0", "begins at offset 5", "offset 2"],
        ["[data_loss]", "t-1", "ends at offset 3", "offset 7"],
    ];
    for (came, words) in came.iter().zip(words) {
        let ended = came.ended.as_deref().expect("ended");
        assert!(words.iter().all(|word| ended.contains(word)), "{words:?}: {ended}");
    }
    assert_eq!((came[2].offsets.len(), came[2].ended.as_deref()), (10, None));
}

/// A follower that has just become leader may not know of an offset yet.
#[tokio::test]
async fn an_offset_out_of_range_that_is_in_range_is_asked_for_again() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(10)).expect("appended");
    broker.script(Rule::new(Api::Fetch, Answer::Error(1)).times(2));
    let (came, error) = fetch(&source(&broker), &[slice(0, 0, 10)], Isolation::ReadCommitted).await;
    assert!(error.is_none() && came[0].offsets.len() == 10, "{error:?} {came:?}");
    broker.clear_script();
    broker.script(Rule::new(Api::Fetch, Answer::Error(1)).always());
    let (came, _) = fetch(&source(&broker), &[slice(0, 0, 10)], Isolation::ReadCommitted).await;
    let ended = came[0].ended.as_deref().expect("not for ever");
    assert!(ended.contains("[data_loss]") && ended.contains("offset 0"), "{ended}");
}
