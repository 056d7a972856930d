//! What was written, read by the parquet crate.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};

use super::files;

/// The rows of a partition: offset and value, sorted; twice where it was written twice.
pub(crate) type Rows = BTreeMap<(String, i32), Vec<(i64, Option<Vec<u8>>)>>;

/// The data files, by their path below the destination.
pub(crate) fn data_files(lake: &Path) -> Vec<String> {
    files(lake, |path| !path.starts_with('_') && path.ends_with(".parquet"))
}

/// All rows of all data files. Within a file the rows of a partition must be in offset order.
pub(crate) fn rows(lake: &Path) -> Rows {
    let mut rows = Rows::new();
    for path in data_files(lake) {
        let file = File::open(lake.join(&path)).expect("it was listed");
        let reader = SerializedFileReader::new(file).expect("a Parquet file");
        let mut last: BTreeMap<(String, i32), i64> = BTreeMap::new();
        for row in reader.get_row_iter(None).expect("a schema") {
            let row = row.expect("a readable row");
            let (place, offset, value) = cells(&row);
            let before = last.insert(place.clone(), offset);
            assert!(before.is_none_or(|before| before < offset), "{path}: {place:?} {offset}");
            rows.entry(place).or_default().push((offset, value));
        }
    }
    rows.values_mut().for_each(|rows| rows.sort());
    rows
}

fn cells(row: &Row) -> ((String, i32), i64, Option<Vec<u8>>) {
    let (mut topic, mut partition, mut offset, mut value) = (String::new(), -1, -1, None);
    for (name, field) in row.get_column_iter() {
        match (name.as_str(), field) {
            ("topic", Field::Str(text)) => topic.clone_from(text),
            ("partition", Field::Int(number)) => partition = *number,
            ("offset", Field::Long(number)) => offset = *number,
            ("value", Field::Bytes(bytes)) => value = Some(bytes.data().to_vec()),
            _ => {}
        }
    }
    ((topic, partition), offset, value)
}

/// The offsets 0 to `records` of a partition are there, each once, with their values.
pub(crate) fn assert_exactly_once(rows: &Rows, topic: &str, partition: i32, records: i64) {
    let found = rows.get(&(topic.to_owned(), partition)).map_or(&[][..], Vec::as_slice);
    let expected = (0..records).map(|at| (at, Some(super::value_of(at).into_bytes())));
    assert!(
        found.iter().cloned().eq(expected),
        "{topic}-{partition}: {} rows where {records} were produced: {:?}",
        found.len(),
        found.iter().map(|(offset, _)| offset).collect::<Vec<_>>(),
    );
}
