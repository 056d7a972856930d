use tidegate_core::words::TopicId;

use super::*;

fn log(records: u64) -> Log {
    let mut log = Log::default();
    for seq in 1..=records {
        log.append(seq, i64::try_from(seq).expect("small"), None);
    }
    log
}

fn read(log: &Log, isolation: Isolation, end: i64) -> (Vec<i64>, Batch) {
    let mut rows = Columns::default();
    let read = BatchRead {
        topic_id: TopicId([1; 16]),
        partition: 0,
        next: 0,
        end,
        slots_max: 99,
        isolation,
    };
    let batch = log.read(&read, &mut rows);
    (rows.offsets().to_vec(), batch)
}

#[test]
fn an_open_transaction_holds_the_stable_end_back_until_it_is_decided() {
    let mut log = log(2);
    log.append(3, 3, Some(7));
    log.append(4, 4, None);
    assert_eq!((log.last_stable(), log.high_watermark()), (2, 4));
    assert_eq!(read(&log, Isolation::ReadCommitted, 9).0, [0, 1]);
    assert_eq!(read(&log, Isolation::ReadUncommitted, 9).0, [0, 1, 2, 3]);
    log.end_transaction(7, false, 5);
    assert_eq!(log.last_stable(), 5);
    let (rows, batch) = read(&log, Isolation::ReadCommitted, 9);
    assert_eq!(rows, [0, 1, 3]);
    assert_eq!((batch.aborted, batch.markers, batch.next), (1, 1, 5));
}

#[test]
fn holes_are_counted_and_the_last_decided_record_is_never_one() {
    let mut log = log(3);
    log.compact(0);
    log.compact(2);
    let (rows, batch) = read(&log, Isolation::ReadCommitted, 9);
    assert_eq!(rows, [1, 2]);
    assert_eq!(batch.compacted, 1);
    assert!(log.ever_visible(0, 1, Isolation::ReadCommitted));
}

#[test]
fn a_cut_log_says_so_by_its_epochs() {
    let mut log = log(5);
    assert_eq!(log.epoch_end(0), (0, 5));
    log.elect();
    log.append(6, 6, None);
    assert_eq!(log.epoch_end(0), (0, 5));
    assert_eq!(log.epoch_end(1), (1, 6));
    log.cut(3);
    log.append(7, 7, None);
    assert_eq!(log.epoch_end(1), (0, 3));
    assert_eq!(log.epoch_end(2), (2, 4));
    assert!(log.ever_visible(4, 5, Isolation::ReadCommitted));
    assert!(log.ever_visible(3, 7, Isolation::ReadCommitted));
    assert!(log.ever_visible(3, 4, Isolation::ReadCommitted));
    assert!(!log.ever_visible(3, 5, Isolation::ReadCommitted));
}

#[test]
fn retention_moves_the_start_and_never_back() {
    let mut log = log(5);
    log.delete_before(3);
    log.delete_before(1);
    assert_eq!(log.log_start(), 3);
    assert_eq!(log.start_time(), Some(4));
    assert_eq!(log.first_at(2), Some(3));
}
