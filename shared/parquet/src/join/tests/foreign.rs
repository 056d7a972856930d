//! Files that are no files of ours: moved as they are, or refused.

use std::sync::Arc;

use bytes::Bytes;
use parquet::data_type::Int64Type;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::record::RowAccessor;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use tidegate_core::ErrorKind;
use tidegate_core::ports::{Codec, Join, JoinStats, JoinStep};

use super::{begin, footer_of, groups_of, join, raw_files};
use crate::MAGIC;
use crate::testing::{file_of, metadata_of, mixed_rows, settings};

/// A file of one column, by the parquet crate's own writer.
fn foreign_file(schema: &str, properties: WriterProperties, values: &[i64]) -> Bytes {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(values, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap().into()
}

const ONE_COLUMN: &str = "message m { REQUIRED INT64 x; }";

fn longs_of(file: &Bytes) -> Vec<i64> {
    let reader = SerializedFileReader::new(file.clone()).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().get_long(0).unwrap()).collect()
}

#[test]
fn row_groups_with_a_dictionary_are_moved_and_never_spliced() {
    let files = [[1, 1, 2], [7, 8, 8]]
        .map(|values| foreign_file(ONE_COLUMN, WriterProperties::default(), &values));
    assert!(metadata_of(&files[0]).row_group(0).column(0).dictionary_page_offset().is_some());
    let made = join(&files, 1 << 20, 1 << 30).unwrap();
    assert_eq!(longs_of(&made.file), [1, 1, 2, 7, 8, 8]);
    let moved = JoinStats { row_groups_copied: 2, pages_copied: 0, rows_decoded: 0 };
    assert_eq!((groups_of(&made.file).len(), made.stats), (2, moved));
}

#[test]
fn files_of_different_schemas_or_writers_are_refused() {
    let file = |schema, writer: &str| {
        let properties = WriterProperties::builder().set_created_by(writer.to_owned()).build();
        foreign_file(schema, properties, &[1])
    };
    let first = file(ONE_COLUMN, "tidegate version 0.1.0");
    let newer = file(ONE_COLUMN, "tidegate version 9.0.0");
    assert_eq!(longs_of(&join(&[first.clone(), newer], 1, 1).unwrap().file), [1, 1]);
    let cases = [
        (file("message m { REQUIRED INT64 y; }", "tidegate version 0.1.0"), "schemas"),
        (file(ONE_COLUMN, "parquet-mr version 1.8.0"), "writers"),
    ];
    for (other, word) in cases {
        let error = begin(&[first.clone(), other], 1, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn what_is_no_parquet_file_is_refused_with_what_is_wrong() {
    let file = file_of(&mixed_rows("rides", 0, 10), settings(Codec::Zstd(1), 1000));
    let mut encrypted = file.to_vec();
    encrypted.splice(file.len() - 4.., *b"PARE");
    let cases = [
        (Bytes::new(), "0 bytes"),
        (Bytes::from_static(b"PAR1PAR1"), "8 bytes"),
        (Bytes::from_static(b"not a parquet file"), "not PAR1"),
        (Bytes::from_static(b"PAR1\xff\xff\xff\x7fPAR1"), "footer alone"),
        (file.slice(..file.len() - 3), "not PAR1"),
        (encrypted.into(), "encrypted"),
    ];
    for (bytes, word) in cases {
        let error = footer_of(&bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn bytes_that_were_not_asked_for_are_refused() {
    let (files, _) = raw_files(&[10, 10], 1000);
    let mut join = begin(&files, 1 << 20, 1 << 30).unwrap();
    let JoinStep::Write(_) = join.next(Vec::new()).unwrap() else { panic!("no magic") };
    let JoinStep::Fetch(ranges) = join.next(Vec::new()).unwrap() else { panic!("no fetch") };
    let short = ranges.iter().map(|_| Bytes::from_static(b"x")).collect();
    assert_eq!(join.next(short).unwrap_err().kind(), ErrorKind::Corrupt);
    let mut join = begin(&files, 1 << 20, 1 << 30).unwrap();
    assert!(join.next(vec![Bytes::from_static(b"x")]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A footer that lies may still be read as another footer, but nothing panics, and nothing
    /// outside the file is asked for.
    #[test]
    fn broken_files_are_refused_or_joined_but_never_panic(
        changes in prop::collection::vec((0_usize..4000, any::<u8>()), 1..6),
        cut in prop::option::of(0_usize..4000),
    ) {
        let good = file_of(&mixed_rows("rides", 0, 60), settings(Codec::None, 3000));
        let mut bad = good.to_vec();
        for (back, byte) in changes {
            let at = bad.len().saturating_sub(1 + back);
            bad[at] ^= byte;
        }
        if let Some(cut) = cut {
            bad.truncate(cut);
        }
        let files = [good, bad.into()];
        let _ = join(&files, 2000, 1 << 20);
    }

    #[test]
    fn any_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), magic in any::<bool>()) {
        if magic {
            bytes.extend_from_slice(&[40, 0, 0, 0]);
            bytes.extend_from_slice(MAGIC);
        }
        prop_assert!(footer_of(&bytes.into()).is_err());
    }
}
