use std::sync::Arc;
use std::time::Duration;

use tidegate_broker::{Api, BatchSpec, Codec, EmptyBatches, Marker, Record, TopicConfig};
use tidegate_core::columns::Columns;
use tidegate_core::error::ErrorKind;
use tidegate_core::ports::{Fetched, LogFetch, LogSource};
use tidegate_core::words::Isolation;
use tidegate_kafka::KafkaOptions;

use crate::lab::{self, batch, batch_of, broker, fetch, fetch_one, slice, source, within};

#[tokio::test]
async fn slices_come_whole_and_in_order() {
    let broker = broker(3).await;
    for (partition, codec) in (0..3).zip([Codec::Gzip, Codec::Lz4, Codec::Zstd]) {
        for _ in 0..50 {
            broker.append("t", partition, &batch(20).codec(codec)).expect("appended");
        }
    }
    let slices = [slice(0, 0, 1_000), slice(1, 7, 993), slice(2, 999, 1_000)];
    let (came, error) = fetch(&source(&broker), &slices, Isolation::ReadCommitted).await;
    assert!(error.is_none(), "{error:?}");
    for (slice, came) in slices.iter().zip(&came) {
        let all: Vec<i64> = (slice.range.start()..slice.range.end()).collect();
        assert_eq!(came.offsets, all);
        assert_eq!(came.next, slice.range.end());
    }
}

/// P-cases of split partitions: several slices of one partition in one fetch.
#[tokio::test]
async fn slices_of_one_partition_do_not_disturb_each_other() {
    let broker = broker(1).await;
    (0..10).for_each(|_| {
        broker.append("t", 0, &batch(10)).expect("appended");
    });
    let slices = [slice(0, 0, 33), slice(0, 33, 77), slice(0, 77, 100)];
    let (came, error) = fetch(&source(&broker), &slices, Isolation::ReadCommitted).await;
    assert!(error.is_none(), "{error:?}");
    let offsets: Vec<i64> = came.iter().flat_map(|came| came.offsets.clone()).collect();
    assert_eq!(offsets, (0..100).collect::<Vec<_>>());
}

/// X02, X03, X04: interleaved transactions, a marker at a slice's end.
#[tokio::test]
async fn x03_aborted_records_never_appear_and_markers_are_crossed() {
    let broker = broker(1).await;
    let append = |batch: &BatchSpec| broker.append("t", 0, batch).expect("appended");
    append(&batch(3).transactional(1));
    append(&batch(2).transactional(2));
    append(&batch(4));
    broker.abort(1).expect("a marker");
    append(&batch(1).transactional(1));
    broker.commit(2).expect("a marker");
    broker.commit(1).expect("a marker");
    // 0-2 aborted, 3-4 committed, 5-8 plain, 9 marker, 10 committed, 11 and 12 markers.
    let source = source(&broker);
    let came = fetch_one(&source, slice(0, 0, 13)).await;
    assert_eq!(came.offsets, [3, 4, 5, 6, 7, 8, 10]);
    assert_eq!((came.aborted, came.markers, came.next), (3, 3, 13));
    let (came, _) = fetch(&source, &[slice(0, 0, 13)], Isolation::ReadUncommitted).await;
    assert_eq!(came[0].offsets.len(), 10);
    assert_eq!((came[0].aborted, came[0].markers), (0, 3));
    let came = fetch_one(&source, slice(0, 1, 2)).await;
    assert_eq!((came.offsets.len(), came.aborted), (0, 1), "inside of an aborted batch");
    let came = fetch_one(&source, slice(0, 9, 10)).await;
    assert_eq!((came.offsets.len(), came.markers), (0, 1), "nothing but a marker");
}

/// X07: holes at the start, in the middle and at the end of a slice, and empty batches.
#[tokio::test]
async fn x07_compaction_holes_are_crossed_and_counted() {
    for empty in [EmptyBatches::Keep, EmptyBatches::Remove] {
        let broker = broker(1).await;
        (0..10).for_each(|_| {
            broker.append("t", 0, &batch(10)).expect("appended");
        });
        let kept = |offset: i64| matches!(offset, 15 | 17 | 40..=44 | 95..=99);
        broker.compact("t", 0, kept, empty).expect("compacted");
        let source = source(&broker);
        for (start, end) in [(0, 100), (0, 15), (16, 17), (18, 90), (50, 60), (12, 96)] {
            let came = fetch_one(&source, slice(0, start, end)).await;
            let rows: Vec<i64> = (start..end).filter(|offset| kept(*offset)).collect();
            assert_eq!(came.offsets, rows, "[{start}, {end})");
            let holes = end.abs_diff(start) - u64::try_from(rows.len()).expect("small");
            assert_eq!((came.compacted, came.next), (holes, end), "[{start}, {end})");
        }
    }
}

/// All before the last stable offset is compacted away, and what follows is not to be seen yet:
/// a fetch of committed records alone would wait until the open transaction ends.
#[tokio::test]
async fn a_hole_before_an_open_transaction_is_crossed() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(10)).expect("appended");
    broker.append("t", 0, &batch(10)).expect("appended");
    broker.append("t", 0, &batch(5).transactional(1)).expect("appended");
    broker.compact("t", 0, |offset| !(10..20).contains(&offset), EmptyBatches::Remove).expect("ok");
    assert_eq!(broker.offsets("t", 0).expect("there").last_stable, 20);
    let came = fetch_one(&source(&broker), slice(0, 0, 20)).await;
    assert_eq!((came.offsets.len(), came.compacted, came.next), (10, 10, 20));
}

/// X16, X01: an empty answer is never the end: records that come later are waited for.
#[tokio::test]
async fn x16_an_empty_answer_is_not_the_end() {
    let broker = Arc::new(broker(1).await);
    broker.append("t", 0, &batch(3)).expect("appended");
    let source = source(&broker);
    let mut fetch = source
        .fetch(&[slice(0, 0, 5)], Isolation::ReadCommitted, within(5_000))
        .await
        .expect("begun");
    let mut rows = Columns::default();
    let first = fetch.next(&mut rows, within(5_000)).await.expect("three rows");
    assert!(matches!(first, Fetched::Progress(progress) if progress.next == 3));
    let waited = fetch.next(&mut rows, within(200)).await.expect_err("nothing comes");
    assert_eq!(waited.kind(), ErrorKind::OutOfTime);
    broker.append("t", 0, &batch(3)).expect("appended");
    let second = fetch.next(&mut rows, within(5_000)).await.expect("two more");
    assert!(matches!(second, Fetched::Progress(progress) if progress.next == 5));
    assert_eq!(rows.offsets(), [3, 4]);
    assert!(matches!(fetch.next(&mut rows, within(5_000)).await, Ok(Fetched::Done)));
}

/// N08: a batch larger than all limits of the request is read, whoever comes first.
#[tokio::test]
async fn n08_a_batch_larger_than_the_answer_is_read() {
    let broker = broker(3).await;
    let small = KafkaOptions { fetch_bytes: 10_000, ..lab::options() };
    for partition in 0..3 {
        for _ in 0..3 {
            broker.append("t", partition, &batch_of(2, &[1; 40_000])).expect("appended");
        }
    }
    for cut_tail in [false, true] {
        broker.set_cut_tail(cut_tail);
        let source = lab::source_with(&broker, small.clone());
        let slices = [slice(0, 0, 6), slice(1, 0, 6), slice(2, 1, 5)];
        let (came, error) = fetch(&source, &slices, Isolation::ReadCommitted).await;
        assert!(error.is_none(), "{error:?}");
        let counts: Vec<usize> = came.iter().map(|came| came.offsets.len()).collect();
        assert_eq!(counts, [6, 6, 4], "cut_tail {cut_tail}");
    }
}

/// Answers end at a segment's end.
#[tokio::test]
async fn segments_do_not_stop_a_fetch() {
    let broker = tidegate_broker::Broker::start().await.expect("a free port");
    let config = TopicConfig { segment_bytes: 500, ..TopicConfig::default() };
    broker.create_topic("t", config).expect("new");
    (0..40).for_each(|_| {
        broker.append("t", 0, &batch(10)).expect("appended");
    });
    let came = fetch_one(&source(&broker), slice(0, 0, 400)).await;
    assert_eq!(came.offsets.len(), 400);
}

/// A handful of requests, over one connection, for many partitions; and nobody starves.
#[tokio::test]
async fn one_connection_serves_all_partitions_of_a_broker() {
    let broker = broker(200).await;
    (0..200).for_each(|partition| {
        broker.append("t", partition, &batch(5)).expect("appended");
    });
    let source = source(&broker);
    let slices: Vec<_> = (0..200).map(|partition| slice(partition, 0, 5)).collect();
    let (came, error) = fetch(&source, &slices, Isolation::ReadCommitted).await;
    assert!(error.is_none() && came.iter().all(|came| came.next == 5));
    let counts = source.requests();
    assert_eq!((counts.connections, counts.metadata), (1, 1));
    assert!(counts.fetch <= 3, "{counts:?}");
    assert_eq!(broker.count(Api::Fetch), counts.fetch);
}

/// Partitions of a broker take turns, although the first could fill every answer.
#[tokio::test]
async fn partitions_take_turns() {
    let broker = broker(4).await;
    for partition in 0..4 {
        (0..30).for_each(|_| {
            broker.append("t", partition, &batch_of(1, &[1; 900])).expect("appended");
        });
    }
    let one_at_a_time = KafkaOptions { fetch_bytes: 1_000, ..lab::options() };
    let slices: Vec<_> = (0..4).map(|partition| slice(partition, 0, 30)).collect();
    let source = lab::source_with(&broker, one_at_a_time);
    let mut fetch =
        source.fetch(&slices, Isolation::ReadCommitted, within(9_000)).await.expect("begun");
    let (mut rows, mut next) = (Columns::default(), [0_i64; 4]);
    while let Fetched::Progress(progress) = fetch.next(&mut rows, within(9_000)).await.expect("ok")
    {
        next[progress.slice] = progress.next;
        let behind = next.iter().filter(|next| **next < progress.next - 2).count();
        assert_eq!(behind, 0, "{next:?}");
    }
    assert_eq!(next, [30; 4]);
}

/// The next answer is on its way while the first is decoded: the broker has the second request
/// before the caller asks for more.
#[tokio::test]
async fn the_next_fetch_is_under_way_while_one_is_decoded() {
    let broker = broker(1).await;
    (0..10).for_each(|_| {
        broker.append("t", 0, &batch_of(1, &[1; 900])).expect("appended");
    });
    let options = KafkaOptions { fetch_bytes: 1_000, ..lab::options() };
    let source = lab::source_with(&broker, options);
    let mut fetch = source
        .fetch(&[slice(0, 0, 10)], Isolation::ReadCommitted, within(5_000))
        .await
        .expect("begun");
    let mut rows = Columns::default();
    fetch.next(&mut rows, within(5_000)).await.expect("one row");
    let second = async {
        while broker.count(Api::Fetch) < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), second).await.expect("it was sent by itself");
}

#[tokio::test]
async fn a_stopped_slice_is_not_read_further() {
    let broker = broker(2).await;
    (0..2).for_each(|partition| {
        broker.append("t", partition, &batch(5)).expect("appended");
    });
    let source = source(&broker);
    let slices = [slice(0, 0, 5), slice(1, 0, 5)];
    let mut fetch =
        source.fetch(&slices, Isolation::ReadCommitted, within(5_000)).await.expect("begun");
    fetch.stop(0);
    let mut rows = Columns::default();
    let first = fetch.next(&mut rows, within(5_000)).await.expect("rows");
    assert!(matches!(first, Fetched::Progress(progress) if progress.slice == 1));
    assert!(matches!(fetch.next(&mut rows, within(5_000)).await, Ok(Fetched::Done)));
    assert!(matches!(fetch.next(&mut rows, within(5_000)).await, Ok(Fetched::Done)));
}

#[tokio::test]
async fn no_slices_are_done_at_once() {
    let broker = broker(1).await;
    let (_, error) = fetch(&source(&broker), &[], Isolation::ReadCommitted).await;
    assert!(error.is_none());
}

/// N14: a topic with LogAppendTime has one time per batch, and the type is kept.
#[tokio::test]
async fn n14_log_append_time_is_the_batchs() {
    let broker = tidegate_broker::Broker::start().await.expect("a free port");
    let config = TopicConfig {
        timestamp_type: tidegate_broker::TimestampType::LogAppendTime,
        ..TopicConfig::default()
    };
    broker.create_topic("t", config).expect("new");
    let record = |timestamp| Record { value: Some(b"v"), timestamp, ..Record::default() };
    let batch = BatchSpec::new().record(record(5)).record(record(6)).append_time(777);
    broker.append("t", 0, &batch).expect("appended");
    let source = source(&broker);
    let slices = [slice(0, 0, 2)];
    let mut fetch =
        source.fetch(&slices, Isolation::ReadCommitted, within(5_000)).await.expect("begun");
    let mut rows = Columns::default();
    fetch.next(&mut rows, within(5_000)).await.expect("rows");
    assert_eq!((rows.timestamps(), rows.append_time()), (&[777, 777][..], &[true, true][..]));
}

/// A marker without a transaction, as a compacted log has it.
#[tokio::test]
async fn stray_markers_are_markers() {
    let broker = broker(1).await;
    broker.append_marker("t", 0, 9, Marker::Abort).expect("appended");
    broker.append("t", 0, &batch(1)).expect("appended");
    broker.append_marker("t", 0, 9, Marker::Commit).expect("appended");
    let came = fetch_one(&source(&broker), slice(0, 0, 3)).await;
    assert_eq!((came.offsets, came.markers), (vec![1], 2));
}
