//! Answers that are none to what was asked, or come in a strange order.

use tidegate_broker::{Answer, Api, Broker, Rule, TopicConfig};
use tidegate_core::error::ErrorKind;
use tidegate_core::words::Isolation;

use crate::lab::{
    batch, batches_at, batches_of, broker, epoch, fetch, fetch_body, fetch_one, named, observe,
    slice, source, within,
};
use tidegate_core::ports::LogSource;

/// A broker with `batches` batches of five records in each of so many partitions.
async fn filled(partitions: i32, batches: i64) -> Broker {
    let broker = broker(partitions).await;
    for partition in 0..partitions {
        (0..batches).for_each(|_| {
            broker.append("t", partition, &batch(5)).expect("appended");
        });
    }
    broker
}

/// Other topics and partitions in an answer are passed over, wherever they stand.
#[tokio::test]
async fn what_was_not_asked_for_is_passed_over() {
    let broker = filled(1, 2).await;
    let ours = batches_at(0, &[batch(5)]);
    let theirs = batches_at(700, &[batch(50)]);
    let parts = [("u", 0, &theirs[..]), ("t", 7, &theirs), ("t", 0, &ours), ("t", -1, &theirs)];
    broker.script(Rule::new(Api::Fetch, Answer::Bytes(fetch_body(&parts))));
    let source = source(&broker);
    let came = fetch_one(&source, slice(0, 0, 10)).await;
    assert_eq!((came.offsets, came.ended), ((0..10).collect(), None));
    assert_eq!(source.requests().fetch, 2);
}

/// An answer with nothing but others is no answer: asked again, and then it is said.
#[tokio::test]
async fn an_answer_about_others_only_is_none() {
    let broker = filled(2, 1).await;
    let theirs = batches_at(0, &[batch(5)]);
    let body = fetch_body(&[("u", 0, &theirs)]);
    let asked = |request: &tidegate_broker::Request| request.partitions() == [("t", 0)];
    broker.script(Rule::new(Api::Fetch, Answer::Bytes(body)).when(asked).always());
    let (came, error) = fetch(&source(&broker), &[slice(0, 0, 5)], Isolation::ReadCommitted).await;
    assert!(error.is_none(), "{error:?}");
    let ended = came[0].ended.as_deref().expect("ended");
    assert!(ended.contains("[unavailable]") && ended.contains("t-0 at offset 0"), "{ended}");
    assert!(broker.count(Api::Fetch) < 10, "a few tries, no tight loop");
}

/// A partition that comes twice: nobody could say which of the two holds.
#[tokio::test]
async fn a_partition_that_comes_twice_is_refused() {
    let broker = filled(1, 2).await;
    let (first, second) = (batches_at(0, &[batch(5)]), batches_at(5, &[batch(5)]));
    let body = fetch_body(&[("t", 0, &first), ("t", 0, &second)]);
    broker.script(Rule::new(Api::Fetch, Answer::Bytes(body)));
    let came = fetch_one(&source(&broker), slice(0, 0, 10)).await;
    assert_eq!((came.offsets, came.compacted, came.ended), ((0..10).collect(), 0, None));
}

/// Batches that go down, overlap, or come twice: the slice ends before the first of them, with
/// its offset, and not with a hole.
#[tokio::test]
async fn batches_out_of_order_end_their_slice() {
    let orders: [(&[usize], i64); 4] =
        [(&[0, 2, 1, 3], 5), (&[3, 2, 1, 0], 0), (&[0, 0, 1, 2], 0), (&[0, 1, 2, 2], 10)];
    for (order, good) in orders {
        let broker = filled(2, 4).await;
        broker.script(
            Rule::new(
                Api::Fetch,
                Answer::records(move |_, partition, records| match partition {
                    0 => {
                        let batches = batches_of(&records);
                        let all = order.iter().filter_map(|at| batches.get(*at).cloned());
                        all.collect::<Vec<_>>().concat()
                    }
                    _ => records,
                }),
            )
            .always(),
        );
        let slices = [slice(0, 0, 20), slice(1, 0, 20)];
        let (came, error) = fetch(&source(&broker), &slices, Isolation::ReadCommitted).await;
        assert!(error.is_none(), "{order:?}: {error:?}");
        assert_eq!(came[0].offsets, (0..good).collect::<Vec<_>>(), "{order:?}");
        assert_eq!((came[0].compacted, came[0].next), (0, good), "{order:?}");
        let ended = came[0].ended.as_deref().expect("ended");
        assert!(ended.contains("[bad_record]"), "{order:?}: {ended}");
        assert!(ended.contains("topic t, partition 0"), "{order:?}: {ended}");
        assert_eq!(came[1].offsets.len(), 20, "{order:?}");
    }
}

/// A broker that answers with what was read before: a few tries, then an error, never a row
/// twice and never a tight loop.
#[tokio::test]
async fn an_answer_with_what_is_before_is_none() {
    let broker = filled(1, 2).await;
    let before = |request: &tidegate_broker::Request| {
        request.as_fetch().is_some_and(|fetch| fetch.partitions[0].fetch_offset == 5)
    };
    let old = batches_at(0, &[batch(5)]);
    let only_first = Answer::records(|_, _, records| batches_of(&records)[0].clone());
    broker.script(Rule::new(Api::Fetch, only_first));
    let stale = Answer::Bytes(fetch_body(&[("t", 0, &old)]));
    broker.script(Rule::new(Api::Fetch, stale).when(before).always());
    let came = fetch_one(&source(&broker), slice(0, 0, 10)).await;
    assert_eq!(came.offsets, [0, 1, 2, 3, 4]);
    let ended = came.ended.expect("ended");
    assert!(ended.contains("[unavailable]") && ended.contains("offset 5"), "{ended}");
    assert!(broker.count(Api::Fetch) < 10);
}

/// X07: gaps at both ends of an answer and in it are crossed and counted as the answer shows
/// them; one at its end is no gap until something follows.
#[tokio::test]
async fn x07_gaps_of_answers_are_counted_as_they_show() {
    let missing: [(&[usize], u64); 5] =
        [(&[0], 5), (&[1, 2], 10), (&[3], 0), (&[0, 2, 3], 5), (&[], 0)];
    for (missing, compacted) in missing {
        let broker = filled(1, 4).await;
        // What is missing at the end comes with the next answer.
        let without = Answer::records(move |_, _, records| {
            let batches = batches_of(&records).into_iter().enumerate();
            let kept = batches.filter(|(at, _)| !missing.contains(at)).map(|(_, batch)| batch);
            kept.collect::<Vec<_>>().concat()
        });
        broker.script(Rule::new(Api::Fetch, without));
        let came = fetch_one(&source(&broker), slice(0, 0, 20)).await;
        assert_eq!((came.next, came.compacted), (20, compacted), "{missing:?}");
        let rows = u64::try_from(came.offsets.len()).expect("small");
        assert_eq!(rows + compacted, 20, "{missing:?}");
    }
}

/// X16: empty answers, null and not, before the end: asked again, and nothing is concluded.
#[tokio::test]
async fn x16_empty_answers_come_to_nothing() {
    let broker = filled(1, 2).await;
    let empty = fetch_body(&[("t", 0, &[])]);
    let null = {
        let mut body = empty.clone();
        let at = body.len() - 4;
        body[at..].copy_from_slice(&(-1_i32).to_be_bytes());
        body
    };
    let some = Answer::records(|_, _, records| batches_of(&records)[0].clone());
    let asks = |wanted: i64| {
        move |request: &tidegate_broker::Request| {
            let fetch = request.as_fetch();
            fetch.is_some_and(|fetch| fetch.read_committed && offset_of(fetch) == wanted)
        }
    };
    broker.script(Rule::new(Api::Fetch, Answer::Bytes(null)).when(asks(0)).times(2));
    broker.script(Rule::new(Api::Fetch, some).when(asks(0)));
    broker.script(Rule::new(Api::Fetch, Answer::Bytes(empty)).when(asks(5)).times(3));
    let came = fetch_one(&source(&broker), slice(0, 0, 10)).await;
    assert_eq!((came.offsets, came.compacted), ((0..10).collect(), 0));
}

fn offset_of(fetch: &tidegate_broker::FetchRequest) -> i64 {
    fetch.partitions[0].fetch_offset
}

/// A metadata answer that leaves out the topic that was asked for: said, not passed over.
#[tokio::test]
async fn a_topic_of_which_nothing_is_said_is_missing() {
    let broker = filled(1, 1).await;
    broker.create_topic("u", TopicConfig::default()).expect("new");
    let port = broker.addr().port();
    let silent = move |topics: &[u8]| {
        // Throttle; one broker: node, host, port, rack null, tags; cluster, controller.
        let mut body = vec![0, 0, 0, 0, 2, 0, 0, 0, 1, 10];
        body.extend(b"127.0.0.1");
        body.extend(u32::from(port).to_be_bytes());
        body.extend([0, 0, 2, b'c', 0, 0, 0, 1]);
        body.extend(topics);
        body
    };
    let none = Answer::Bytes(silent(&[1, 0]));
    broker.script(Rule::new(Api::Metadata, none.clone()).times(2));
    let seen = observe(&source(&broker), &named(&["t"])).await;
    assert_eq!((seen.partitions.len(), seen.topics_missing.len()), (1, 0), "it was asked again");
    let came = fetch_one(&source(&broker), slice(0, 0, 5)).await;
    assert_eq!(came.offsets.len(), 5);

    broker.clear_script();
    broker.script(Rule::new(Api::Metadata, none).always());
    let seen = observe(&source(&broker), &named(&["t"])).await;
    assert_eq!(seen.topics_missing.len(), 1, "{seen:?}");
    let (name, cause) = &seen.topics_missing[0];
    assert_eq!((name.as_str(), cause.kind), ("t", ErrorKind::Unavailable));
    let before = broker.count(Api::Metadata);
    let (_, error) = fetch(&source(&broker), &[slice(0, 0, 5)], Isolation::ReadCommitted).await;
    let error = error.expect("nobody says who leads");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(broker.count(Api::Metadata) - before < 50, "no tight loop");
}

/// Offsets that contradict each other, or answer another partition, are no observation.
#[tokio::test]
async fn offsets_that_cannot_be_are_left_out() {
    let broker = filled(1, 1).await;
    let answer = |partition: i32, offset: i64| {
        // Throttle, one topic, one partition: index, error, timestamp, offset, epoch.
        let mut body = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1];
        body.extend(partition.to_be_bytes());
        body.extend([0; 2]);
        body.extend((-1_i64).to_be_bytes());
        body.extend(offset.to_be_bytes());
        body.extend([0; 4]);
        Answer::Bytes(body)
    };
    for (partition, offset) in [(0, -7), (1, 0)] {
        broker.clear_script();
        broker.script(Rule::new(Api::ListOffsets, answer(partition, offset)).always());
        let mut request = named(&["t"]);
        request.epochs = vec![epoch(0, 0)];
        let seen = source(&broker).observe(&request, within(10_000)).await.expect("seen");
        let cause = seen.partitions[0].offsets.as_ref().expect_err("they cannot be");
        assert_eq!(cause.kind, ErrorKind::Unavailable, "{partition} {offset}: {cause}");
        assert!(cause.message.contains("t-0"), "{partition} {offset}: {cause}");
    }
}
