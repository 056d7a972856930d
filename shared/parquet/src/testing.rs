//! Rows for tests: made, written, and read back with the parquet crate's own reader.

use bytes::Bytes;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use parquet::record::{Field, Row};
use proptest::prelude::*;
use tidegate_core::Columns;
use tidegate_core::columns;
use tidegate_core::ports::{Codec, EncodeSettings, Encoder, FileEncoder};

use crate::RawEncoder;

type Blob = Option<Vec<u8>>;

/// A row of the raw table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TestRow {
    pub(crate) key: Blob,
    pub(crate) value: Blob,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) append_time: bool,
    pub(crate) headers: Option<Vec<(String, Blob)>>,
}

/// Settings with row groups of so many payload bytes.
pub(crate) fn settings(codec: Codec, row_group_bytes: usize) -> EncodeSettings {
    EncodeSettings { codec, row_group_bytes }
}

/// The rows of one partition as columns.
pub(crate) fn columns_of(rows: &[TestRow]) -> Columns {
    let mut columns = Columns::default();
    for row in rows {
        for (key, value) in row.headers.iter().flatten() {
            columns.next_headers().push_header(key.as_bytes(), value.as_deref());
        }
        columns.push(columns::Row {
            offset: row.offset,
            timestamp: row.timestamp.unwrap_or(-1),
            append_time: row.append_time,
            key: row.key.as_deref(),
            value: row.value.as_deref(),
        });
    }
    columns
}

/// A whole file of `rows`, appended one run of equal topic and partition after another.
pub(crate) fn file_of(rows: &[TestRow], settings: EncodeSettings) -> Bytes {
    let mut file = RawEncoder::default().open(settings).unwrap();
    for run in rows.chunk_by(|a, b| (&a.topic, a.partition) == (&b.topic, b.partition)) {
        let columns = columns_of(run);
        let all = [0..columns.len() / 3, columns.len() / 3..columns.len()];
        file.append(&run[0].topic, run[0].partition, &columns, &all).unwrap();
    }
    assert_eq!(file.rows(), rows.len() as u64);
    let pairs = [("run".to_owned(), "7".to_owned())];
    file.finish(&pairs).unwrap().concat().into()
}

/// Footer and page indexes of a file.
pub(crate) fn metadata_of(file: &Bytes) -> ParquetMetaData {
    reader(file, true).metadata().clone()
}

/// The rows of a file, read sequentially and by its page index: both must say the same.
pub(crate) fn rows_of(file: &Bytes) -> Vec<TestRow> {
    let [plain, by_index] = [false, true].map(|page_index| {
        let reader = reader(file, page_index);
        let rows = reader.get_row_iter(None).unwrap();
        rows.map(|row| test_row(&row.unwrap())).collect::<Vec<_>>()
    });
    assert!(plain == by_index, "the page index leads elsewhere");
    plain
}

fn reader(file: &Bytes, page_index: bool) -> SerializedFileReader<Bytes> {
    let options = ReadOptionsBuilder::new();
    let options = if page_index { options.with_page_index() } else { options }.build();
    SerializedFileReader::new_with_options(file.clone(), options).unwrap()
}

fn blob(field: &Field) -> Blob {
    match field {
        Field::Null => None,
        Field::Bytes(bytes) => Some(bytes.data().to_vec()),
        other => panic!("not binary: {other:?}"),
    }
}

fn header(element: &Field) -> (String, Blob) {
    let Field::Group(group) = element else { panic!("no struct: {element:?}") };
    let fields: Vec<_> = group.get_column_iter().collect();
    let [(_, Field::Str(key)), (_, value)] = fields[..] else { panic!("no header: {group:?}") };
    (key.clone(), blob(value))
}

fn test_row(row: &Row) -> TestRow {
    let fields: Vec<_> = row.get_column_iter().map(|(_, field)| field).collect();
    let [
        key,
        value,
        Field::Str(topic),
        Field::Int(partition),
        Field::Long(offset),
        timestamp,
        Field::Int(timestamp_type),
        headers,
    ] = fields[..]
    else {
        panic!("not a row of the raw table: {row:?}")
    };
    TestRow {
        key: blob(key),
        value: blob(value),
        topic: topic.clone(),
        partition: *partition,
        offset: *offset,
        timestamp: match timestamp {
            Field::Null => None,
            Field::TimestampMillis(millis) => Some(*millis),
            other => panic!("no timestamp: {other:?}"),
        },
        append_time: *timestamp_type == 1,
        headers: match headers {
            Field::Null => None,
            Field::ListInternal(list) => Some(list.elements().iter().map(header).collect()),
            other => panic!("no headers: {other:?}"),
        },
    }
}

/// Bytes of JSON-like text: compresses, and differs from row to row.
pub(crate) fn text(seed: u64, bytes: usize) -> Vec<u8> {
    let mut text = format!("{{\"id\":{seed},\"ride\":\"{:016x}\"", mix(seed)).into_bytes();
    while text.len() < bytes {
        text.extend_from_slice(
            format!(",\"f{}\":{}", text.len() % 13, mix(seed + 1) % 977).as_bytes(),
        );
    }
    text.truncate(bytes);
    text
}

/// A number that looks random.
pub(crate) fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// Rows of one topic, mixed: nulls, tombstones, empty values, headers of every kind.
pub(crate) fn mixed_rows(topic: &str, partition: i32, count: usize) -> Vec<TestRow> {
    let row = |index: usize| {
        let seed = mix(index as u64);
        let headers = (0..seed % 4)
            .map(|n| (format!("h{}", n % 2), (n != 1).then(|| text(n, (seed % 9) as usize))))
            .collect::<Vec<_>>();
        TestRow {
            key: (!seed.is_multiple_of(5)).then(|| format!("rider-{}", seed % 1000).into_bytes()),
            value: (!seed.is_multiple_of(11)).then(|| text(seed, (seed % 300) as usize)),
            topic: topic.to_owned(),
            partition,
            offset: 1000 + index as i64 * 2,
            timestamp: (!seed.is_multiple_of(7)).then_some(1_700_000_000_000 + index as i64 * 37),
            append_time: index % 10_000 >= 5_000,
            headers: (!headers.is_empty()).then_some(headers),
        }
    };
    (0..count).map(row).collect()
}

/// Any rows, in runs of one topic and partition with rising offsets.
pub(crate) fn any_rows(rows_max: usize) -> impl Strategy<Value = Vec<TestRow>> {
    let blob = || prop::option::weighted(0.8, prop::collection::vec(any::<u8>(), 0..40));
    let header = ("[a-zé]{0,5}", blob());
    let row = (
        blob(),
        blob(),
        0..3_i32,
        prop::option::weighted(0.8, 0_i64..4_000_000_000_000),
        any::<bool>(),
        prop::option::of(prop::collection::vec(header, 1..4)),
    );
    prop::collection::vec(row, 0..rows_max).prop_map(|rows| {
        let mut rows: Vec<_> = rows
            .into_iter()
            .enumerate()
            .map(|(index, (key, value, partition, timestamp, append_time, headers))| TestRow {
                key,
                value,
                topic: format!("topic-{}", partition % 2),
                partition,
                offset: index as i64,
                timestamp,
                append_time,
                headers,
            })
            .collect();
        rows.sort_by_key(|row| (row.partition, row.offset));
        rows
    })
}
