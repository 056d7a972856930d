mod samples;

use proptest::prelude::*;
use tidegate_core::columns::Columns;

use super::build::{BatchSpec, PACKINGS, Packing, Rec, put_varint};
use super::*;
use samples::*;

proptest! {
    /// N01, N02, N04, N06, N10, N14: whatever is in a batch comes out, with every codec.
    #[test]
    fn n10_a_batch_comes_out_as_it_went_in(spec in batch()) {
        let mut rows = Columns::default();
        let holes = read(&spec.bytes(), &mut rows).expect("a good batch");
        prop_assert_eq!(&rows, &expected(&spec));
        let covered = u64::try_from(spec.last_delta.expect("set") + 1).expect("positive");
        let records = u64::try_from(spec.records.len()).expect("small");
        prop_assert_eq!(holes + records, covered);
    }

    /// Any one byte changed is noticed, but in the offset, length and epoch, which no checksum
    /// covers.
    #[test]
    fn a_changed_byte_is_noticed(spec in batch(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = spec.bytes();
        let at = 16 + at.index(bytes.len() - 16);
        bytes[at] ^= 1_u8 << bit;
        let mut rows = Columns::default();
        prop_assert!(read(&bytes, &mut rows).is_err());
        prop_assert!(rows.is_empty());
    }

    /// The checksum is right and the payload is nonsense: an error or rows, never a panic, and
    /// no row of a batch that is refused.
    #[test]
    fn nonsense_under_a_good_checksum_never_panics(
        payload in proptest::collection::vec(any::<u8>(), 0..200),
        packing in 0..PACKINGS.len(),
        count in 0..5,
    ) {
        let packing = PACKINGS[packing];
        for payload in [payload.clone(), packing.pack(&payload)] {
            let spec = BatchSpec {
                packing,
                count: Some(count),
                last_delta: Some(9),
                payload: Some(payload),
                ..BatchSpec::new(0, Vec::new())
            };
            let mut rows = Columns::default();
            if read(&spec.bytes(), &mut rows).is_err() {
                prop_assert!(rows.is_empty());
            }
        }
    }

    #[test]
    fn any_bytes_are_split_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = split(&bytes);
    }
}

/// A batch that ends early is one that was cut off, at each of its bytes.
#[test]
fn a_cut_batch_is_told_at_every_byte() {
    let bytes = BatchSpec::plain(7, 3).bytes();
    for end in 1..bytes.len() {
        match split(&bytes[..end]) {
            Ok(Split::Cut(None)) if end < 12 => {}
            Ok(Split::Cut(Some(size))) => assert!(end >= 12 && size == bytes.len(), "{end}"),
            other => panic!("{end}: {other:?}"),
        }
    }
    assert!(matches!(split(&bytes), Ok(Split::Whole(batch, [])) if batch.offsets() == (7..10)));
}

#[test]
fn old_and_unknown_formats_are_named() {
    for (magic, word) in [
        (0, "older than Kafka 0.11"),
        (1, "older than Kafka 0.11"),
        (3, "unknown"),
        (0xff, "unknown"),
    ] {
        let mut bytes = BatchSpec::plain(0, 1).bytes();
        bytes[16] = magic;
        let defect = split(&bytes[..20]).expect_err("not version 2").to_string();
        assert!(defect.contains(word), "{defect}");
    }
}

/// Each inconsistency is an error that says what it is, never a short result.
#[test]
fn inconsistencies_are_named() {
    let plain = || BatchSpec::plain(0, 2);
    let mut surplus = Vec::new();
    plain().records.iter().for_each(|record| record.encode(&mut surplus));
    surplus.push(0);
    let mut long_record = Vec::new();
    put_varint(&mut long_record, 1_000);
    let mut negative = Vec::new();
    put_varint(&mut negative, -5);
    let falling = vec![Rec::value(1, b"a"), Rec::value(1, b"b")];
    let table = [
        (BatchSpec { count: Some(1), ..plain() }, "bytes follow"),
        (BatchSpec { count: Some(3), last_delta: Some(5), ..plain() }, "end inside a record"),
        (BatchSpec { count: Some(3), ..plain() }, "3 records in 2 offsets"),
        (BatchSpec { count: Some(-1), ..plain() }, "-1 records"),
        (BatchSpec { last_delta: Some(-1), ..plain() }, "last offset delta -1"),
        (BatchSpec { base: -1, ..plain() }, "base offset is -1"),
        (BatchSpec { base: i64::MAX, ..plain() }, "base offset"),
        (BatchSpec { payload: Some(surplus), ..plain() }, "bytes follow"),
        (BatchSpec { payload: Some(long_record), ..plain() }, "end inside a record"),
        (BatchSpec { payload: Some(negative), ..plain() }, "length -5"),
        (BatchSpec::new(0, falling), "offset delta 1"),
        (BatchSpec::new(0, vec![Rec::value(-1, b"a")]), "-1"),
        (
            BatchSpec { last_delta: Some(1), ..BatchSpec::new(0, vec![Rec::value(2, b"a")]) },
            "offset delta 2",
        ),
        (BatchSpec { attributes: 5, ..plain() }, "codec 5"),
        (BatchSpec { attributes: 7, ..plain() }, "codec 7"),
    ];
    for (spec, words) in table {
        let defect = defect(&spec);
        assert!(defect.contains(words), "{defect:?} does not say {words:?}");
    }
    let mut bytes = plain().bytes();
    bytes[8..12].copy_from_slice(&48_i32.to_be_bytes());
    assert!(split(&bytes).expect_err("too short").to_string().contains("length field says 48"));
}

/// Compressed data that is cut off, followed by something, or of another codec.
#[test]
fn broken_compression_is_an_error_with_every_codec() {
    let mut plain = Vec::new();
    (0..2_000).for_each(|delta| Rec::value(delta, b"some value").encode(&mut plain));
    for packing in PACKINGS.into_iter().filter(|packing| *packing != Packing::None) {
        let packed = packing.pack(&plain);
        let cut = packed[..packed.len() - packed.len() / 3].to_vec();
        let longer = [&packed[..], b"more"].concat();
        for payload in [cut, longer, b"no frame at all".to_vec(), Vec::new()] {
            let (count, last_delta) = (Some(2_000), Some(1_999));
            let payload = Some(payload);
            let spec =
                BatchSpec { packing, count, last_delta, payload, ..BatchSpec::new(0, Vec::new()) };
            let defect = defect(&spec);
            assert!(!defect.is_empty(), "{packing:?}");
        }
    }
}

/// A decompression bomb is refused at the bound, with every codec; exactly the bound is read.
#[test]
fn a_bomb_is_refused_and_what_just_fits_is_read() {
    let value = vec![7; 3 << 20];
    let mut plain = Vec::new();
    Rec::value(0, &value).encode(&mut plain);
    for packing in PACKINGS.into_iter().filter(|packing| *packing != Packing::None) {
        let bytes = BatchSpec { packing, ..BatchSpec::new(0, vec![Rec::value(0, &value)]) }.bytes();
        for whole_max in [plain.len(), 1 << 10] {
            let mut rows = Columns::default();
            let mut small = Codecs::with_whole_max(plain.len() - 1, whole_max);
            let defect = read_with(&mut small, &bytes, &mut rows).expect_err("too large");
            assert!(defect.to_string().contains("larger than"), "{packing:?}: {defect}");
            let mut exact = Codecs::with_whole_max(plain.len(), whole_max);
            assert_eq!(read_with(&mut exact, &bytes, &mut rows), Ok(0), "{packing:?}");
            assert_eq!(rows.values().get(0), Some(&value[..]), "{packing:?}");
        }
    }
}

/// Contexts and buffers are reused from batch to batch, also after one that was broken.
#[test]
fn contexts_survive_a_broken_batch() {
    let mut codecs = Codecs::new(1 << 20);
    for _ in 0..3 {
        for packing in PACKINGS {
            let good = BatchSpec { packing, ..BatchSpec::plain(0, 500) };
            let bad = BatchSpec { payload: Some(vec![0x28; 40]), ..good.clone() };
            let mut rows = Columns::default();
            assert!(read_with(&mut codecs, &bad.bytes(), &mut rows).is_err(), "{packing:?}");
            assert_eq!(read_with(&mut codecs, &good.bytes(), &mut rows), Ok(0), "{packing:?}");
            assert_eq!(rows.len(), 500);
        }
    }
}

/// Batches of one record and of 100,000, records of 0 bytes and of 50 MB.
#[test]
fn batches_of_all_sizes() {
    for packing in [Packing::None, Packing::Xerial, Packing::Lz4, Packing::Zstd] {
        let many: Vec<Rec> = (0..100_000).map(|delta| Rec::value(delta, b"")).collect();
        let large = vec![Rec::value(0, &vec![9; 50_000_000])];
        for records in [vec![Rec::value(0, b"")], many, large] {
            let (count, size) = (records.len(), records[0].value.as_ref().map(Vec::len));
            let mut rows = Columns::default();
            let bytes = BatchSpec { packing, ..BatchSpec::new(5, records) }.bytes();
            assert_eq!(read(&bytes, &mut rows), Ok(0), "{packing:?} {count}");
            assert_eq!(rows.len(), count);
            assert_eq!(rows.values().get(count - 1).map(<[u8]>::len), size);
        }
    }
}

/// An empty batch that compaction left covers its offsets all the same.
#[test]
fn an_empty_batch_is_all_holes() {
    for packing in PACKINGS {
        let spec = BatchSpec { packing, last_delta: Some(9), ..BatchSpec::new(100, Vec::new()) };
        assert_eq!(read(&spec.bytes(), &mut Columns::default()), Ok(10), "{packing:?}");
        let bare = BatchSpec { payload: Some(Vec::new()), ..spec };
        assert_eq!(read(&bare.bytes(), &mut Columns::default()), Ok(10), "{packing:?}");
    }
}

/// A headers' key may be anything but null; a value may be null (N06).
#[test]
fn n06_a_header_without_a_key_is_refused() {
    let mut body = vec![0, 0, 0, 1, 1];
    put_varint(&mut body, 1);
    put_varint(&mut body, -1);
    put_varint(&mut body, -1);
    let mut payload = Vec::new();
    put_varint(&mut payload, i32::try_from(body.len()).expect("small"));
    payload.extend(body);
    let spec = BatchSpec { payload: Some(payload), count: Some(1), ..BatchSpec::plain(0, 1) };
    assert!(defect(&spec).contains("no key"));
}

#[test]
fn markers_say_what_they_mark() {
    let parsed = |spec: &BatchSpec| {
        let bytes = spec.bytes();
        match split(&bytes) {
            Ok(Split::Whole(batch, [])) => marker_aborts(&batch, &bytes[61..]),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(parsed(&BatchSpec::marker(5, 1, false)), Ok(true));
    assert_eq!(parsed(&BatchSpec::marker(5, 1, true)), Ok(false));
    assert_eq!(BatchSpec::marker(5, 1, true).bytes().len(), 78, "as Kafka's own");
    let empty = BatchSpec { attributes: 0x30, ..BatchSpec::new(5, Vec::new()) };
    assert_eq!(parsed(&empty), Ok(false), "without its record it marks nothing");
    let keyless = BatchSpec { attributes: 0x30, ..BatchSpec::plain(5, 1) };
    assert!(parsed(&keyless).is_err());
}
