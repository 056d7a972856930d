//! Files written by the encoder, read back with the parquet crate's own reader.

use std::ops::Range;

use bytes::Bytes;
use proptest::prelude::*;
use tidegate_core::ports::{Codec, EncodeSettings, Encoder, FileEncoder};
use tidegate_core::{Columns, ErrorKind, columns};

use super::*;
use crate::testing::*;

const CODECS: [Codec; 5] = [Codec::None, Codec::Snappy, Codec::Lz4, Codec::Zstd(1), Codec::Gzip];

fn append(file: &mut RawFile, topic: &str, columns: &Columns, rows: Range<usize>) -> Result<()> {
    file.append(topic, 0, columns, std::slice::from_ref(&rows))
}

/// The chunk of column `index` in the first row group.
fn column_of(file: &Bytes, index: usize) -> parquet::file::metadata::ColumnChunkMetaData {
    metadata_of(file).row_group(0).column(index).clone()
}

#[test]
fn f01_every_codec_is_read_back() {
    let rows = mixed_rows("rides", 3, 3000);
    for codec in CODECS {
        let file = file_of(&rows, settings(codec, 200_000));
        assert!(metadata_of(&file).num_row_groups() > 1);
        assert!(rows_of(&file) == rows, "{codec:?}");
    }
}

#[test]
fn f03_offsets_that_do_not_begin_at_zero_and_interleaved_partitions_are_read_back() {
    let [a, b] = [0, 1].map(|partition| mixed_rows("rides", partition, 500));
    let rows: Vec<_> =
        a.chunks(100).zip(b.chunks(100)).flat_map(|(a, b)| [a, b].concat()).collect();
    assert!(rows_of(&file_of(&rows, settings(Codec::Zstd(1), 20_000))) == rows);
}

#[test]
fn a_hundred_thousand_rows_are_read_back_over_many_pages_and_row_groups() {
    let rows = mixed_rows("rides", 0, 100_000);
    let file = file_of(&rows, settings(Codec::Zstd(1), 8 << 20));
    let metadata = metadata_of(&file);
    assert!(metadata.num_row_groups() > 1);
    let pages = metadata.page_index().unwrap().page_locations(0, 1).unwrap();
    assert!(pages.len() > 5);
    assert!(pages.iter().all(|page| page.compressed_page_size <= 1 << 20));
    assert!(rows_of(&file) == rows);
}

#[test]
fn a_value_of_50_mb_stands_in_a_page_of_its_own() {
    let mut rows = mixed_rows("rides", 0, 3);
    rows[1].value = Some(text(1, 50_000_000));
    let file = file_of(&rows, settings(Codec::Zstd(1), 1 << 20));
    assert!(rows_of(&file) == rows);
    let mut file = RawEncoder::default().open(settings(Codec::Zstd(1), 1 << 20)).unwrap();
    append(&mut file, "rides", &columns_of(&rows), 0..3).unwrap();
    file.take_ready();
    assert!(file.held_bytes() < 100_000, "{} bytes held after the row group", file.held_bytes());
}

/// Large values pass by the page's buffer and are compressed in pieces, with those that cannot; rows
/// before and behind them have pages of their own.
#[test]
fn large_keys_values_and_headers_of_every_codec_are_read_back() {
    let mut rows = mixed_rows("rides", 0, 9);
    rows[2].value = Some(text(1, 3_000_000));
    rows[3].value = Some(text(2, 3_000_000));
    rows[5].key = Some(vec![7; 2_000_000]);
    rows[6].headers = Some(vec![("large".to_owned(), Some(text(3, 6_000_000)))]);
    rows[8].value = Some(text(4, (1 << 20) + 1));
    for codec in CODECS {
        let file = file_of(&rows, settings(codec, usize::MAX));
        assert_eq!(metadata_of(&file).num_row_groups(), 1);
        assert!(rows_of(&file) == rows, "{codec:?}");
    }
}

#[test]
fn the_smallest_files_are_read_back() {
    let smallest = TestRow { topic: "t".to_owned(), ..TestRow::default() };
    for codec in CODECS {
        assert!(rows_of(&file_of(&[], settings(codec, 1))).is_empty());
        let rows = [smallest.clone()];
        let file = file_of(&rows, settings(codec, 1));
        assert!(rows_of(&file) == rows, "{codec:?}");
    }
}

#[test]
fn a_file_says_who_wrote_it_and_carries_the_pairs_given() {
    let file = file_of(&mixed_rows("rides", 0, 10), settings(Codec::Snappy, 1000));
    let metadata = metadata_of(&file);
    let head = metadata.file_metadata();
    assert_eq!(head.created_by(), Some("tidegate version 0.1.0 (build parquet-60.1.0)"));
    let pairs = head.key_value_metadata().unwrap();
    assert_eq!((&*pairs[0].key, pairs[0].value.as_deref()), ("run", Some("7")));
    assert_eq!(head.num_rows(), 10);
    assert_eq!(
        schema::fingerprint(head.schema_descr().root_schema()),
        RawEncoder::default().fingerprint()
    );
}

#[test]
fn no_column_has_a_dictionary_so_that_files_can_be_spliced() {
    let file = file_of(&mixed_rows("rides", 0, 5000), settings(Codec::Zstd(1), 100_000));
    for group in metadata_of(&file).row_groups() {
        for column in group.columns() {
            assert_eq!(column.dictionary_page_offset(), None);
        }
    }
}

#[test]
fn statistics_bound_every_column_but_values_and_headers() {
    let rows = mixed_rows("rides", 3, 1000);
    let file = file_of(&rows, settings(Codec::Zstd(1), usize::MAX));
    let bounds = |index| {
        let column = column_of(&file, index);
        let statistics = column.statistics().unwrap();
        let both = [statistics.min_bytes_opt(), statistics.max_bytes_opt()];
        (both.map(|bytes| bytes.map(<[u8]>::to_vec)), statistics.null_count_opt().unwrap())
    };
    let bytes = |bytes: &[u8]| Some(bytes.to_vec());
    assert_eq!(bounds(2), ([bytes(b"rides"), bytes(b"rides")], 0));
    assert_eq!(bounds(3), ([bytes(&3_i32.to_le_bytes()), bytes(&3_i32.to_le_bytes())], 0));
    let offsets = [1000_i64, 2998].map(|offset| bytes(&offset.to_le_bytes()));
    assert_eq!(bounds(4), (offsets, 0));
    let nulls = |null: fn(&TestRow) -> bool| rows.iter().filter(|row| null(row)).count() as u64;
    assert_eq!(bounds(1), ([None, None], nulls(|row| row.value.is_none())));
    assert_eq!(bounds(5).1, nulls(|row| row.timestamp.is_none()));
    let keys = rows.iter().filter_map(|row| row.key.clone());
    assert_eq!(bounds(0).0, [keys.clone().min(), keys.max()]);
}

#[test]
fn timestamps_outside_the_years_1_to_9999_are_null() {
    let mut rows = Columns::default();
    for timestamp in [-1, 0, -62_135_596_800_001, i64::MAX, i64::MIN, 253_402_300_799_999] {
        let row = columns::Row { offset: 0, timestamp, append_time: false, key: None, value: None };
        rows.push(row);
    }
    let mut file = RawEncoder::default().open(settings(Codec::Zstd(1), 1000)).unwrap();
    append(&mut file, "t", &rows, 0..6).unwrap();
    let file = file.finish(&[]).unwrap().concat().into();
    let read: Vec<_> = rows_of(&file).into_iter().map(|row| row.timestamp).collect();
    assert_eq!(read, [None, Some(0), None, None, None, Some(253_402_300_799_999)]);
}

#[test]
fn header_keys_of_any_bytes_are_told_apart() {
    let mut rows = Columns::default();
    rows.next_headers().push_header(b"\xff", Some(b"v"));
    rows.next_headers().push_header(b"base64:/w==", None);
    rows.next_headers().push_header(b"", Some(b""));
    rows.push(columns::Row { offset: 0, timestamp: 0, append_time: false, key: None, value: None });
    let mut file = RawEncoder::default().open(settings(Codec::None, 1000)).unwrap();
    append(&mut file, "t", &rows, 0..1).unwrap();
    let file = file.finish(&[]).unwrap().concat().into();
    let headers = rows_of(&file)[0].headers.clone().unwrap();
    let blob = |bytes: &[u8]| Some(bytes.to_vec());
    let expected =
        [("base64:/w==", blob(b"v")), ("base64:YmFzZTY0Oi93PT0=", None), ("", blob(b""))];
    assert_eq!(headers, expected.map(|(key, value)| (key.to_owned(), value)));
}

#[test]
fn a_row_group_closes_when_it_holds_its_bytes() {
    let mut rows = mixed_rows("t", 0, 10);
    rows.iter_mut().for_each(|row| {
        *row =
            TestRow { value: Some(vec![b'x'; 100]), topic: "t".to_owned(), ..TestRow::default() };
    });
    let file = file_of(&rows, settings(Codec::Zstd(1), 250));
    let groups: Vec<_> = metadata_of(&file).row_groups().iter().map(|g| g.num_rows()).collect();
    assert_eq!(groups, [3, 3, 3, 1]);
}

#[test]
fn only_the_ranges_asked_for_are_written() {
    let rows = mixed_rows("rides", 0, 100);
    let mut file = RawEncoder::default().open(settings(Codec::Zstd(1), 1 << 20)).unwrap();
    file.append("rides", 0, &columns_of(&rows), &[3..10, 10..10, 50..51]).unwrap();
    let file = file.finish(&[]).unwrap().concat().into();
    assert!(rows_of(&file) == [&rows[3..10], &rows[50..51]].concat());
}

#[test]
fn a_range_past_the_rows_is_an_error_and_no_panic() {
    let mut file = RawEncoder::default().open(settings(Codec::Zstd(1), 1 << 20)).unwrap();
    let error = append(&mut file, "rides", &columns_of(&[]), 0..1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn bytes_leave_while_rows_still_come_and_sizes_are_told() {
    let settings = EncodeSettings { codec: Codec::Zstd(1), row_group_bytes: 100_000 };
    let mut file = RawEncoder::default().open(settings).unwrap();
    assert!(file.held_bytes() < 16 << 10, "an empty file holds {} bytes", file.held_bytes());
    assert!(file.take_ready().is_empty(), "a file without a row group leaves as a whole");
    assert!(file.take_ready().is_empty(), "a file without a row group leaves as a whole");
    let columns = columns_of(&mixed_rows("rides", 0, 400));
    let mut taken = 0;
    for _ in 0..20 {
        append(&mut file, "rides", &columns, 0..400).unwrap();
        assert!(file.held_bytes() < 600_000);
        taken += file.take_ready().iter().map(Bytes::len).sum::<usize>();
    }
    assert!(taken > 100_000, "only {taken} bytes left early");
    let told = file.file_bytes();
    let bytes = taken + file.finish(&[]).unwrap().iter().map(Bytes::len).sum::<usize>();
    let real = bytes as f64;
    assert!((0.8..1.2).contains(&(told as f64 / real)), "told {told}, was {bytes}");
}

#[test]
fn the_same_rows_make_the_same_bytes_whatever_was_compressed_before() {
    let rows = mixed_rows("rides", 0, 5000);
    let encoder = RawEncoder::default();
    let write = || {
        let mut file = encoder.open(settings(Codec::Zstd(1), 300_000)).unwrap();
        append(&mut file, "rides", &columns_of(&rows), 0..5000).unwrap();
        file.finish(&[]).unwrap().concat()
    };
    let first = write();
    file_of(&mixed_rows("other", 1, 777), settings(Codec::Zstd(1), 9000));
    assert!(first == write());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_rows_are_read_back(
        rows in any_rows(120),
        row_group_bytes in 1_usize..3000,
        codec in prop::sample::select(CODECS.to_vec()),
    ) {
        let file = file_of(&rows, settings(codec, row_group_bytes));
        prop_assert_eq!(rows_of(&file), rows);
    }

    #[test]
    fn any_integers_are_read_back(offsets in prop::collection::vec(any::<i64>(), 0..400)) {
        let rows: Vec<_> = offsets
            .into_iter()
            .map(|offset| TestRow { topic: "t".to_owned(), offset, partition: 5, ..TestRow::default() })
            .collect();
        let file = file_of(&rows, settings(Codec::None, usize::MAX));
        prop_assert_eq!(rows_of(&file), rows);
    }
}
