//! Joined files, read back and compared with their inputs.

mod foreign;

use std::ops::Range;
use std::sync::Arc;

use proptest::prelude::*;
use tidegate_core::ErrorKind;
use tidegate_core::ports::{Codec, UPLOAD_PART_MIN};

use super::*;
use crate::testing::*;

/// What a join came to.
struct Made {
    file: Bytes,
    stats: JoinStats,
    copies: Vec<(usize, Range<u64>)>,
    fetched_bytes_max: u64,
}

fn footer_of(file: &Bytes) -> Result<JoinInput> {
    let mut bytes = 8.min(file.len());
    loop {
        let tail = file.slice(file.len() - bytes..);
        match ParquetJoiner.footer(&tail, file.len() as u64)? {
            FooterRead::Footer(footer) => return Ok(JoinInput { footer }),
            FooterRead::NeedsTail(more) => {
                assert!(more > bytes as u64 && more <= file.len() as u64, "no progress");
                bytes = more as usize;
            }
        }
    }
}

fn slice(file: &Bytes, range: &Range<u64>) -> Bytes {
    file.slice(range.start as usize..range.end as usize)
}

fn begin(files: &[Bytes], copy_bytes_min: u64, row_group_bytes: u64) -> Result<ParquetJoin> {
    let inputs = files.iter().map(footer_of).collect::<Result<Vec<_>>>()?;
    let pairs = [("layout".to_owned(), "abc".to_owned())];
    ParquetJoiner.join(inputs, &pairs, copy_bytes_min, row_group_bytes)
}

/// Joins files as core does, and checks what an upload asks for.
fn join(files: &[Bytes], copy_bytes_min: u64, row_group_bytes: u64) -> Result<Made> {
    let mut join = begin(files, copy_bytes_min, row_group_bytes)?;
    let (mut out, mut copies, mut fetched) = (Vec::new(), Vec::new(), Vec::new());
    let (mut since_copy, mut fetched_bytes_max) = (0, 0);
    loop {
        match join.next(std::mem::take(&mut fetched))? {
            JoinStep::Fetch(ranges) => {
                let bytes = ranges.iter().map(|(_, range)| range.end - range.start).sum();
                fetched_bytes_max = fetched_bytes_max.max(bytes);
                fetched = ranges.iter().map(|(input, r)| slice(&files[*input], r)).collect();
            }
            JoinStep::Write(bytes) => {
                since_copy += bytes.len() as u64;
                out.extend_from_slice(&bytes);
            }
            JoinStep::Copy { input, range } => {
                assert!(since_copy == 0 || since_copy >= copy_bytes_min, "a part too small");
                assert!(range.end - range.start >= copy_bytes_min, "a copy too small");
                since_copy = 0;
                out.extend_from_slice(&slice(&files[input], &range));
                copies.push((input, range));
            }
            JoinStep::Done => break,
        }
    }
    Ok(Made { file: out.into(), stats: join.stats(), copies, fetched_bytes_max })
}

/// Files of so many mixed rows each.
fn raw_files(counts: &[usize], row_group_bytes: usize) -> (Vec<Bytes>, Vec<TestRow>) {
    let rows = mixed_rows("rides", 2, counts.iter().sum());
    let mut left = &rows[..];
    let files = counts.iter().map(|count| {
        let (these, rest) = left.split_at(*count);
        left = rest;
        file_of(these, settings(Codec::Zstd(1), row_group_bytes))
    });
    (files.collect(), rows.clone())
}

fn groups_of(file: &Bytes) -> Vec<i64> {
    metadata_of(file).row_groups().iter().map(|group| group.num_rows()).collect()
}

#[test]
fn small_files_are_spliced_into_one_row_group_without_decoding_a_row() {
    let (files, rows) = raw_files(&[700, 1, 30_000, 5, 41], 1 << 30);
    let made = join(&files, UPLOAD_PART_MIN, 1 << 30).unwrap();
    assert_eq!(groups_of(&made.file), [30_747]);
    assert!(rows_of(&made.file) == rows);
    let pages = |file: &Bytes| {
        let metadata = metadata_of(file);
        let index = Arc::clone(metadata.page_index().unwrap());
        (0..9).map(|column| index.page_locations(0, column).unwrap().len()).sum::<usize>() as u64
    };
    let stats =
        JoinStats { row_groups_copied: 0, pages_copied: pages(&made.file), rows_decoded: 0 };
    assert_eq!(made.stats, stats);
    assert_eq!(pages(&made.file), files.iter().map(pages).sum::<u64>());
}

#[test]
fn a_spliced_row_group_has_the_statistics_of_one_that_was_written_at_once() {
    let (files, rows) = raw_files(&[300, 20, 500], 1 << 30);
    let made = join(&files, UPLOAD_PART_MIN, 1 << 30).unwrap();
    let at_once = file_of(&rows, settings(Codec::Zstd(1), 1 << 30));
    let [spliced, written] = [&made.file, &at_once].map(metadata_of);
    for (a, b) in spliced.row_group(0).columns().iter().zip(written.row_group(0).columns()) {
        assert_eq!(a.statistics(), b.statistics(), "{}", a.column_path());
        assert_eq!(a.num_values(), b.num_values());
        assert_eq!(a.encodings_mask(), b.encodings_mask());
        assert_eq!(a.unencoded_byte_array_data_bytes(), b.unencoded_byte_array_data_bytes());
        let pages = |c: &parquet::file::metadata::ColumnChunkMetaData| {
            c.page_encoding_stats().map(|stats| stats.iter().map(|one| one.count).sum::<i32>())
        };
        assert_eq!(pages(a), pages(b).map(|count| count + 2));
    }
}

#[test]
fn large_files_are_copied_as_they_are_and_small_ones_between_them_spliced() {
    let (files, rows) = raw_files(&[6000, 10, 20, 6000, 30, 6000], 300_000);
    let large = files[5].len() as u64 / 3;
    let made = join(&files, large, 1 << 30).unwrap();
    assert!(rows_of(&made.file) == rows);
    let copied: Vec<_> = made.copies.iter().map(|(input, _)| *input).collect();
    assert_eq!(copied, [0, 3, 5]);
    assert_eq!(made.copies[0].1.start, 0, "the first file keeps its magic");
    let groups = |file: &Bytes| groups_of(file).len() as u64;
    let moved = groups(&files[0]) + groups(&files[3]) + groups(&files[5]) + 1;
    assert_eq!(made.stats.row_groups_copied, moved);
    assert!(groups_of(&made.file).contains(&30));
    assert_eq!(made.stats.rows_decoded, 0);
}

#[test]
fn row_groups_are_spliced_up_to_the_bytes_given() {
    let (files, rows) = raw_files(&[100; 12], 1 << 30);
    let one = metadata_of(&files[0]).row_group(0).total_byte_size() as u64;
    let made = join(&files, UPLOAD_PART_MIN, one * 9 / 2).unwrap();
    assert_eq!(groups_of(&made.file), [400, 400, 400]);
    assert!(rows_of(&made.file) == rows);
}

#[test]
fn a_join_holds_a_bounded_number_of_bytes() {
    let mut rows = mixed_rows("rides", 0, 4);
    rows.iter_mut().for_each(|row| {
        row.value = Some((0..9_000_000_u64).map(|n| mix(n) as u8).collect());
    });
    let files: Vec<_> =
        rows.chunks(2).map(|rows| file_of(rows, settings(Codec::None, 1 << 30))).collect();
    let made = join(&files, 1 << 30, 1 << 30).unwrap();
    assert!(rows_of(&made.file) == rows);
    assert_eq!(groups_of(&made.file), [4]);
    assert!(made.fetched_bytes_max <= 8 << 20);
}

#[test]
fn one_file_and_files_without_rows_are_joined_too() {
    let (files, rows) = raw_files(&[500], 20_000);
    let made = join(&files, 1, 1).unwrap();
    assert_eq!((made.copies.len(), groups_of(&made.file)), (1, groups_of(&files[0])));
    assert!(rows_of(&made.file) == rows);

    let empty = file_of(&[], settings(Codec::Zstd(1), 1));
    let made = join(&[empty.clone(), files[0].clone(), empty.clone()], 1, 1).unwrap();
    assert!(rows_of(&made.file) == rows);
    let made = join(&[empty.clone(), empty], 1, 1).unwrap();
    assert!(rows_of(&made.file).is_empty());
    assert_eq!(begin(&[], 1, 1).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn the_pairs_given_replace_those_of_the_files_and_the_writer_stays() {
    let (files, _) = raw_files(&[10, 10], 1000);
    let made = join(&files, 1 << 30, 1 << 30).unwrap();
    let metadata = metadata_of(&made.file);
    let pairs = metadata.file_metadata().key_value_metadata().unwrap();
    assert_eq!(pairs[..], [KeyValue::new("layout".to_owned(), "abc".to_owned())]);
    assert_eq!(metadata.file_metadata().created_by(), Some(CREATED_BY));
    let footer = footer_of(&made.file).unwrap().footer;
    assert_eq!((footer.rows, footer.value("layout"), footer.value("run")), (20, Some("abc"), None));
    assert_eq!(footer.fingerprint, footer_of(&files[0]).unwrap().footer.fingerprint);
}

#[test]
fn a_joined_file_can_be_joined_again() {
    let (files, rows) = raw_files(&[50, 60, 70, 80], 10_000);
    let halves: Vec<_> =
        files.chunks(2).map(|files| join(files, 9000, 20_000).unwrap().file).collect();
    let made = join(&halves, 1 << 20, 1 << 30).unwrap();
    assert_eq!(groups_of(&made.file), [260]);
    assert!(rows_of(&made.file) == rows);
}

#[test]
fn row_groups_of_different_codecs_are_moved_and_never_spliced() {
    let rows = mixed_rows("rides", 0, 40);
    let files = [Codec::Snappy, Codec::Gzip].map(|codec| file_of(&rows, settings(codec, 1 << 20)));
    let made = join(&files, 1 << 20, 1 << 30).unwrap();
    assert_eq!(groups_of(&made.file), [40, 40]);
    assert!(rows_of(&made.file) == [&rows[..], &rows[..]].concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_joined_file_holds_the_rows_of_its_inputs_in_order(
        inputs in prop::collection::vec((any_rows(60), 1_usize..3000), 1..6),
        copy_bytes_min in 1_u64..6000,
        row_group_bytes in 1_u64..20_000,
    ) {
        let files: Vec<_> = inputs
            .iter()
            .map(|(rows, row_group_bytes)| file_of(rows, settings(Codec::Zstd(1), *row_group_bytes)))
            .collect();
        let made = join(&files, copy_bytes_min, row_group_bytes).unwrap();
        let rows: Vec<_> = inputs.into_iter().flat_map(|(rows, _)| rows).collect();
        prop_assert_eq!(rows_of(&made.file), rows);
        prop_assert_eq!(made.stats.rows_decoded, 0);
        prop_assert!(join(&files, copy_bytes_min, row_group_bytes).unwrap().file == made.file);
    }
}
