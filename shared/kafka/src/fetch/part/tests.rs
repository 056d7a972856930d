use proptest::prelude::*;

use super::*;
use crate::decode::AbortedTransaction;
use crate::decode::build::{BatchSpec, Rec};

const PRODUCERS: i64 = 3;

/// A piece of a log.
#[derive(Clone, Debug)]
enum Piece {
    /// Offsets that no batch covers.
    Gap(i64),
    /// Records at these steps from one to the next, a tail without records, and the producer
    /// whose transaction it belongs to.
    Data { steps: Vec<i32>, tail: i32, producer: Option<i64> },
    /// The end of a producer's transaction.
    Marker { producer: i64, commit: bool },
    /// A control batch without its record, over several offsets.
    BareMarker(i32),
}

fn piece() -> impl Strategy<Value = Piece> {
    let producer = proptest::option::of(0..PRODUCERS);
    let steps = proptest::collection::vec(1..4_i32, 0..6);
    prop_oneof![
        1 => (1..5_i64).prop_map(Piece::Gap),
        6 => (steps, 0..3_i32, producer)
            .prop_map(|(steps, tail, producer)| Piece::Data { steps, tail, producer }),
        3 => (0..PRODUCERS, any::<bool>())
            .prop_map(|(producer, commit)| Piece::Marker { producer, commit }),
        1 => (1..4_i32).prop_map(Piece::BareMarker),
    ]
}

/// What an offset is, for who looks at the whole log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offset {
    Row,
    /// A record of this producer's transaction; or an offset of its batch without one.
    Transactional {
        transaction: usize,
        record: bool,
    },
    Marker,
    Nothing,
}

/// A log, what each offset is, and its transactions: first offset, producer, aborted.
struct Model {
    bytes: Vec<u8>,
    offsets: Vec<Offset>,
    transactions: Vec<(i64, i64, bool)>,
}

fn model(pieces: &[Piece]) -> Model {
    let mut model = Model { bytes: Vec::new(), offsets: Vec::new(), transactions: Vec::new() };
    let mut open = [None; 3];
    let end = |producer: i64, commit| Piece::Marker { producer, commit };
    // Every transaction ends, so that the whole log is stable.
    let ends = [end(0, false), end(1, true), end(2, false)];
    for piece in pieces.iter().chain(&ends) {
        let base = i64::try_from(model.offsets.len()).expect("small");
        match piece {
            Piece::Gap(count) => {
                model.offsets.extend((0..*count).map(|_| Offset::Nothing));
            }
            Piece::BareMarker(count) => {
                let spec = BatchSpec { attributes: 0x30, ..BatchSpec::new(base, Vec::new()) };
                model.bytes.extend(BatchSpec { last_delta: Some(count - 1), ..spec }.bytes());
                model.offsets.extend((0..*count).map(|_| Offset::Marker));
            }
            Piece::Marker { producer, commit } => {
                let slot = &mut open[usize::try_from(*producer).expect("small")];
                if let Some(transaction) = slot.take() {
                    let transaction: &mut (i64, i64, bool) = &mut model.transactions[transaction];
                    transaction.2 = !commit;
                    model.bytes.extend(BatchSpec::marker(base, *producer, *commit).bytes());
                    model.offsets.push(Offset::Marker);
                }
            }
            Piece::Data { steps, tail, producer } => {
                data(&mut model, &mut open, base, steps, *tail, *producer);
            }
        }
    }
    model
}

fn data(
    model: &mut Model,
    open: &mut [Option<usize>; 3],
    base: i64,
    steps: &[i32],
    tail: i32,
    producer: Option<i64>,
) {
    let mut at = -1;
    let mut records = Vec::new();
    for step in steps {
        at += step;
        records.push(Rec::value(at, &(base + i64::from(at)).to_be_bytes()));
    }
    let last = at.max(0) + tail;
    let mut spec = BatchSpec { last_delta: Some(last), ..BatchSpec::new(base, records) };
    let transaction = producer.map(|producer| {
        let slot = &mut open[usize::try_from(producer).expect("small")];
        *slot.get_or_insert_with(|| {
            model.transactions.push((base, producer, false));
            model.transactions.len() - 1
        })
    });
    if let Some(producer) = producer {
        spec = spec.transactional(producer);
    }
    model.bytes.extend(spec.bytes());
    for delta in 0..=last {
        let record = spec.records.iter().any(|record| record.delta == delta);
        model.offsets.push(match (transaction, record) {
            (Some(transaction), record) => Offset::Transactional { transaction, record },
            (None, true) => Offset::Row,
            (None, false) => Offset::Nothing,
        });
    }
}

/// Rows, markers, aborted and compacted of a range.
fn expected(model: &Model, range: Range<i64>, committed: bool) -> (Vec<i64>, u64, u64, u64) {
    let (mut rows, mut markers, mut aborted, mut compacted) = (Vec::new(), 0, 0, 0);
    for offset in range {
        match model.offsets[usize::try_from(offset).expect("small")] {
            Offset::Row => rows.push(offset),
            Offset::Marker => markers += 1,
            Offset::Nothing => compacted += 1,
            Offset::Transactional { transaction, record } => {
                match (committed && model.transactions[transaction].2, record) {
                    (true, _) => aborted += 1,
                    (false, true) => rows.push(offset),
                    (false, false) => compacted += 1,
                }
            }
        }
    }
    (rows, markers, aborted, compacted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// X02, X03, X04, X07, A02: every offset of a slice is a row, a marker, aborted or
    /// compacted, wherever the slice begins and ends, in chunks of any size.
    #[test]
    fn x07_every_offset_of_a_slice_is_accounted_for(
        pieces in proptest::collection::vec(piece(), 1..25),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        chunk in 1..60_u64,
        committed in any::<bool>(),
        large in any::<bool>(),
    ) {
        let model = model(&pieces);
        // The log goes on behind the slice, so that a hole at its end shows.
        let log_end = i64::try_from(model.offsets.len()).expect("small");
        prop_assume!(log_end > 0);
        let mut bytes = model.bytes.clone();
        bytes.extend(BatchSpec::plain(log_end, 2).bytes());
        let from = i64::try_from(from.index(model.offsets.len())).expect("small");
        let to = from + 1 + i64::try_from(to.index(model.offsets.len())).expect("small");
        let wanted = from..to.min(log_end);
        if wanted.is_empty() {
            return Ok(());
        }
        let list = model.transactions.iter().filter(|(_, _, aborted)| *aborted);
        let list = list.map(|(first_offset, producer_id, _)| AbortedTransaction {
            producer_id: *producer_id,
            first_offset: *first_offset,
        });
        let aborted = committed.then(|| AbortedTransactions::new(list.collect()));
        let mut part = Part::new(0, bytes.into(), aborted);
        // Control batches are never large.
        let whole_max = if large { 64 } else { 1 << 20 };
        let mut codecs = Codecs::with_whole_max(1 << 20, whole_max);
        let mut got = (Vec::new(), 0, 0, 0);
        let mut next = wanted.start;
        loop {
            let mut rows = Columns::default();
            let (crossed, left) = part.read(&mut codecs, next..wanted.end, &mut rows, chunk);
            let counted = u64::try_from(rows.len()).expect("small")
                + crossed.markers + crossed.aborted + crossed.compacted;
            prop_assert_eq!(counted, crossed.next.abs_diff(next));
            got.0.extend_from_slice(rows.offsets());
            got.1 += crossed.markers;
            got.2 += crossed.aborted;
            got.3 += crossed.compacted;
            prop_assert!(left == Left::Nothing || crossed.next > next, "no progress: {:?}", left);
            next = crossed.next;
            match left {
                Left::More => {}
                Left::Nothing => break,
                Left::Bad { .. } => prop_assert!(false, "{:?}", left),
            }
        }
        prop_assert_eq!(next, wanted.end);
        prop_assert_eq!(got, expected(&model, wanted, committed));
    }
}

fn read_all(part: &mut Part, wanted: Range<i64>) -> (Columns, Crossed, Left) {
    let mut rows = Columns::default();
    let (crossed, left) = part.read(&mut Codecs::new(1 << 20), wanted, &mut rows, u64::MAX);
    (rows, crossed, left)
}

/// Batches before a bad one count, and it is told where it is.
#[test]
fn a_bad_batch_stops_a_slice_behind_the_good_ones() {
    let mut bytes = BatchSpec::plain(0, 3).bytes();
    let good = bytes.len();
    bytes.extend(BatchSpec::plain(3, 3).bytes());
    bytes[good + 65] ^= 1;
    let (rows, crossed, left) = read_all(&mut Part::new(0, bytes.into(), None), 0..6);
    assert_eq!((rows.len(), crossed.next), (3, 3));
    assert!(matches!(left, Left::Bad { offset: 3, .. }), "{left:?}");
}

/// A base offset is under no checksum: of two batches that overlap neither is taken.
#[test]
fn batches_out_of_order_are_refused() {
    let spec = |base| BatchSpec::plain(base, 3).bytes();
    for (second, third) in [(7, 20), (0, 20), (2, 3)] {
        let bytes = [spec(5), spec(second), spec(third)].concat();
        let (rows, crossed, left) = read_all(&mut Part::new(0, bytes.into(), None), 0..30);
        assert_eq!((rows.len(), crossed.next, crossed.compacted), (0, 0, 0), "{second}");
        assert!(matches!(left, Left::Bad { offset: 5, .. }), "{second}: {left:?}");
    }
    let bytes = [spec(5), spec(8), spec(9)].concat();
    let (rows, crossed, left) = read_all(&mut Part::new(0, bytes.into(), None), 0..30);
    assert_eq!((rows.len(), crossed.next, crossed.compacted), (3, 8, 5));
    assert!(matches!(left, Left::Bad { offset: 8, .. }), "{left:?}");
}

/// What is used up is not kept until it is asked for again.
#[test]
fn a_part_that_is_used_up_is_told() {
    let bytes = [BatchSpec::plain(0, 3).bytes(), BatchSpec::plain(3, 3).bytes()].concat();
    let mut part = Part::new(0, bytes.into(), None);
    let mut rows = Columns::default();
    let mut codecs = Codecs::new(1 << 20);
    let (crossed, left) = part.read(&mut codecs, 0..9, &mut rows, 1);
    assert_eq!((crossed.next, left), (3, Left::More));
    rows.clear();
    let (crossed, left) = part.read(&mut codecs, 3..9, &mut rows, 1);
    assert_eq!((crossed.next, left), (6, Left::Nothing));
}

/// The leader epoch is that of the batch that holds the last offset, or of the one that
/// follows it where the last offsets are a hole.
#[test]
fn the_leader_epoch_is_that_of_the_last_or_following_batch() {
    let first = BatchSpec { leader_epoch: 4, ..BatchSpec::plain(0, 3) };
    let second = BatchSpec { leader_epoch: 6, ..BatchSpec::plain(8, 3) };
    let bytes = Bytes::from([first.bytes(), second.bytes()].concat());
    for (end, epoch, compacted) in [(2, 4, 0), (3, 4, 0), (4, 6, 1), (8, 6, 5), (9, 6, 5)] {
        let (_, crossed, left) = read_all(&mut Part::new(0, bytes.clone(), None), 0..end);
        assert_eq!((crossed.next, crossed.leader_epoch, left), (end, epoch, Left::Nothing));
        assert_eq!(crossed.compacted, compacted);
    }
}

#[test]
fn a_glance_tells_where_to_go_on() {
    let whole = [BatchSpec::plain(5, 3).bytes(), BatchSpec::plain(9, 1).bytes()].concat();
    assert_eq!(glance(&whole), Glance::Next(10));
    assert_eq!(glance(&whole[..whole.len() - 1]), Glance::Next(8));
    assert_eq!(glance(&whole[..30]), Glance::Cut(Some(BatchSpec::plain(5, 3).bytes().len())));
    assert_eq!(glance(&whole[..5]), Glance::Cut(None));
    assert_eq!(glance(&[]), Glance::Empty);
    let mut old = whole;
    old[16] = 1;
    assert_eq!(glance(&old), Glance::Bad);
}
