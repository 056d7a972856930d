use super::*;
use crate::batch::{Marker, Record, control_batch};
use crate::codec::Codec;

fn log() -> Log {
    Log::new(TimestampType::CreateTime, usize::MAX, 0)
}

/// Appends a batch of `count` records, at timestamps 100 × their offset.
fn append(log: &mut Log, spec: BatchSpec, count: i64) -> i64 {
    let mut spec = spec;
    for offset in log.end()..log.end() + count {
        spec.push(Record::new(b"key", b"value").at(offset * 100));
    }
    let bytes = spec.encode().expect("a batch");
    log.append(&spec, bytes, 0, 7).expect("appended")
}

fn mark(log: &mut Log, marker: Marker, producer: i64) -> i64 {
    let bytes = control_batch(marker, producer, 0).expect("a batch");
    log.append_raw(bytes, 1, 0).expect("appended")
}

fn ask(log: &Log, offset: i64) -> Ask {
    Ask { offset, before: log.end(), max_bytes: usize::MAX, whole_first: true, cut_tail: false }
}

/// Base offset, next offset and count of the batches from `offset` on.
fn batches(log: &Log, offset: i64) -> Vec<(i64, i64, i32)> {
    let found = log.read(&ask(log, offset)).batches;
    let headers = found.iter().map(|bytes| BatchHeader::parse(bytes).expect("a batch"));
    headers.map(|header| (header.base_offset, header.next_offset(), header.count)).collect()
}

#[test]
fn an_answer_begins_with_the_batch_that_holds_the_offset() {
    let mut log = log();
    append(&mut log, BatchSpec::new(), 3);
    append(&mut log, BatchSpec::new(), 2);
    assert_eq!(batches(&log, 0), [(0, 3, 3), (3, 5, 2)]);
    assert_eq!(batches(&log, 2), [(0, 3, 3), (3, 5, 2)]);
    assert_eq!(batches(&log, 3), [(3, 5, 2)]);
    assert_eq!(batches(&log, 5), []);
    let bounded = log.read(&Ask { before: 3, ..ask(&log, 0) });
    assert_eq!((bounded.batches.len(), bounded.until), (1, 3));
}

#[test]
fn room_is_kept_but_for_the_first_batch() {
    let mut log = log();
    append(&mut log, BatchSpec::new(), 3);
    append(&mut log, BatchSpec::new(), 3);
    let whole = log.read(&ask(&log, 0));
    let first = whole.batches[0].len();
    let read = |max_bytes, whole_first, cut_tail| {
        let ask = Ask { max_bytes, whole_first, cut_tail, ..ask(&log, 0) };
        log.read(&ask).batches.iter().map(Bytes::len).collect::<Vec<_>>()
    };
    assert_eq!(read(1, true, false), [first]);
    assert_eq!(read(1, false, false), [0usize; 0]);
    assert_eq!(read(1, false, true), [1]);
    assert_eq!(read(first + 9, true, false), [first]);
    assert_eq!(read(first + 9, true, true), [first, 9]);
    assert_eq!(read(whole.size, true, true).len(), 2);
}

#[test]
fn an_answer_stays_within_a_segment() {
    let mut log = Log::new(TimestampType::CreateTime, 200, 0);
    for _ in 0..4 {
        append(&mut log, BatchSpec::new(), 2);
    }
    assert_eq!(batches(&log, 0), [(0, 2, 2), (2, 4, 2)]);
    assert_eq!(batches(&log, 4), [(4, 6, 2), (6, 8, 2)]);
}

#[test]
fn an_open_transaction_holds_the_last_stable_offset() {
    let mut log = log();
    append(&mut log, BatchSpec::new(), 2);
    append(&mut log, BatchSpec::new().transactional(1), 2);
    append(&mut log, BatchSpec::new().transactional(2), 2);
    assert_eq!((log.last_stable(), log.end()), (2, 6));
    mark(&mut log, Marker::Abort, 1);
    assert_eq!(log.last_stable(), 4);
    mark(&mut log, Marker::Commit, 2);
    assert_eq!(log.last_stable(), 8);
    assert!(!log.has_open(1));
    // Listed wherever an answer touches it, marker included, and nowhere else.
    assert_eq!(log.aborted(0, 8), [(1, 2)]);
    assert_eq!(log.aborted(6, 7), [(1, 2)]);
    assert_eq!(log.aborted(0, 2), []);
    assert_eq!(log.aborted(7, 8), []);
}

#[test]
fn compaction_leaves_holes_and_keeps_what_batches_cover() {
    for codec in Codec::ALL {
        let mut log = log();
        append(&mut log, BatchSpec::new().codec(codec), 4);
        append(&mut log, BatchSpec::new().codec(codec), 4);
        append(&mut log, BatchSpec::new().codec(codec), 4);
        log.compact(|offset| offset == 1 || offset >= 9, EmptyBatches::Keep).expect("readable");
        assert_eq!(batches(&log, 0), [(0, 4, 1), (4, 8, 0), (8, 12, 3)], "{codec:?}");
        let bare = BatchHeader::parse(&log.read(&ask(&log, 4)).batches[0]).expect("a batch");
        assert_eq!((bare.attributes, bare.max_timestamp), (0, 700), "{codec:?}");
        let time = log.find_time(100, 12).expect("offset 1 has it");
        assert_eq!((time.offset, time.timestamp), (1, 100));
        assert_eq!(log.find_time(101, 12).map(|time| time.offset), Some(9));
        log.compact(|offset| offset >= 9, EmptyBatches::Remove).expect("readable");
        assert_eq!(batches(&log, 0), [(8, 12, 3)], "{codec:?}");
        assert_eq!((log.start(), log.end()), (0, 12));
    }
}

#[test]
fn an_aborted_transaction_is_listed_only_while_its_marker_stands() {
    let mut log = log();
    append(&mut log, BatchSpec::new().transactional(1), 2);
    mark(&mut log, Marker::Abort, 1);
    append(&mut log, BatchSpec::new().transactional(1), 2);
    mark(&mut log, Marker::Commit, 1);
    log.compact(|offset| offset >= 2, EmptyBatches::Remove).expect("readable");
    assert_eq!(log.aborted(0, 6), [(1, 0)]);
    log.compact(|offset| offset >= 3, EmptyBatches::Keep).expect("readable");
    assert_eq!(log.aborted(0, 6), []);
    assert_eq!(batches(&log, 0), [(2, 3, 0), (3, 5, 2), (5, 6, 1)]);
}

#[test]
fn deleting_moves_the_start_and_truncating_the_end() {
    let mut log = log();
    append(&mut log, BatchSpec::new(), 4);
    append(&mut log, BatchSpec::new().transactional(1), 4);
    mark(&mut log, Marker::Commit, 1);
    log.delete_records(5).expect("within the log");
    assert_eq!((log.start(), log.end()), (5, 9));
    assert_eq!(batches(&log, 5), [(4, 8, 4), (8, 9, 1)]);
    assert_eq!(log.find_time(0, 9).map(|time| time.offset), Some(5));
    log.truncate(8).expect("within the log");
    // Open again, from before the start.
    assert_eq!((log.end(), log.last_stable()), (8, 5));
    log.begin_epoch(3);
    assert_eq!(log.epochs().end_of(0, log.end()), (0, 8));
    log.truncate(6).expect("within the log");
    assert_eq!((log.end(), log.last_stable(), batches(&log, 5).len()), (6, 6, 0));
    assert!(log.truncate(10).is_err());
    assert!(log.delete_records(4).is_err());
}

#[test]
fn append_time_replaces_the_records_times() {
    let mut log = Log::new(TimestampType::LogAppendTime, usize::MAX, 0);
    append(&mut log, BatchSpec::new().append_time(5000), 2);
    append(&mut log, BatchSpec::new(), 1);
    assert_eq!(log.find_time(8, 3).map(|time| (time.offset, time.timestamp)), Some((0, 5000)));
    let found = log.read(&ask(&log, 2)).batches;
    let header = BatchHeader::parse(&found[0]).expect("a batch");
    assert_eq!((header.max_timestamp, header.attributes), (7, attribute::APPEND_TIME));
}

#[test]
fn sequences_go_on_per_producer() {
    let mut log = log();
    append(&mut log, BatchSpec::new().producer(1, 0), 3);
    append(&mut log, BatchSpec::new().producer(2, 0), 1);
    append(&mut log, BatchSpec::new().producer(1, 0), 1);
    let found = log.read(&ask(&log, 0)).batches;
    let sequence = |bytes: &Bytes| BatchHeader::parse(bytes).map(|header| header.base_sequence);
    assert_eq!(found.iter().filter_map(sequence).collect::<Vec<_>>(), [0, 0, 3]);
}
