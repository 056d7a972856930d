//! Reading a raw file back: where its rows come from.

use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use tidegate_core::verify::RowId;
use tidegate_core::{Error, Result};

/// The columns that tell where a row comes from, by their place in the schema.
const TOPIC: &str = "topic";
const PARTITION: &str = "partition";
const OFFSET: &str = "offset";

/// The topic, partition and offset of every row of a file, in the file's order. `Corrupt` where
/// the bytes are no file of the raw table.
pub fn read_row_ids(file: Bytes) -> Result<Vec<RowId>> {
    let reader = SerializedFileReader::new(file).map_err(unreadable)?;
    let mut ids = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(unreadable)?;
        let rows = usize::try_from(group.metadata().num_rows()).map_err(unreadable)?;
        let topics = byte_arrays(&*group, TOPIC, rows)?;
        let partitions = ints(&*group, PARTITION, rows)?;
        let offsets = longs(&*group, OFFSET, rows)?;
        let mut last: Option<(ByteArray, Arc<str>)> = None;
        for ((topic, partition), offset) in topics.into_iter().zip(partitions).zip(offsets) {
            let name = match &last {
                Some((bytes, name)) if *bytes == topic => Arc::clone(name),
                Some(_) | None => Arc::from(topic.as_utf8().map_err(unreadable)?),
            };
            last = Some((topic, Arc::clone(&name)));
            ids.push(RowId { topic: name, partition, offset });
        }
    }
    Ok(ids)
}

fn column(group: &dyn RowGroupReader, name: &str) -> Result<ColumnReader> {
    let columns = group.metadata().columns();
    let at = columns.iter().position(|column| column.column_path().string() == name);
    let at = at.ok_or_else(|| Error::corrupt(format!("it has no column {name}")))?;
    group.get_column_reader(at).map_err(unreadable)
}

fn byte_arrays(group: &dyn RowGroupReader, name: &str, rows: usize) -> Result<Vec<ByteArray>> {
    let mut read = Vec::with_capacity(rows);
    let ColumnReader::ByteArrayColumnReader(mut reader) = column(group, name)? else {
        return Err(of_another_type(name));
    };
    reader.read_records(rows, None, None, &mut read).map_err(unreadable)?;
    whole(name, rows, read)
}

fn ints(group: &dyn RowGroupReader, name: &str, rows: usize) -> Result<Vec<i32>> {
    let mut read = Vec::with_capacity(rows);
    let ColumnReader::Int32ColumnReader(mut reader) = column(group, name)? else {
        return Err(of_another_type(name));
    };
    reader.read_records(rows, None, None, &mut read).map_err(unreadable)?;
    whole(name, rows, read)
}

fn longs(group: &dyn RowGroupReader, name: &str, rows: usize) -> Result<Vec<i64>> {
    let mut read = Vec::with_capacity(rows);
    let ColumnReader::Int64ColumnReader(mut reader) = column(group, name)? else {
        return Err(of_another_type(name));
    };
    reader.read_records(rows, None, None, &mut read).map_err(unreadable)?;
    whole(name, rows, read)
}

fn whole<T>(name: &str, rows: usize, read: Vec<T>) -> Result<Vec<T>> {
    if read.len() == rows {
        return Ok(read);
    }
    Err(Error::corrupt(format!("column {name} has {} of {rows} values", read.len())))
}

fn of_another_type(name: &str) -> Error {
    Error::corrupt(format!("column {name} is not of the raw table's type"))
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use tidegate_core::ports::{Codec, EncodeSettings, Encoder, FileEncoder};
    use tidegate_core::{Columns, columns::Row};

    use super::*;
    use crate::RawEncoder;

    #[test]
    fn rows_tell_where_they_come_from() {
        let settings = EncodeSettings { codec: Codec::Zstd(1), row_group_bytes: 10 };
        let mut file = RawEncoder::default().open(settings).expect("a file");
        let mut rows = Columns::default();
        for offset in 0..100 {
            let value = Some(&b"value"[..]);
            rows.push(Row { offset, timestamp: offset, append_time: false, key: None, value });
        }
        let mut bytes = Vec::new();
        for (topic, partition) in [("a", 0), ("a", 1), ("b", 0)] {
            let all = std::iter::once(0..rows.len()).collect::<Vec<_>>();
            file.append(topic, partition, &rows, &all).expect("appended");
            bytes.extend(file.take_ready());
        }
        bytes.extend(file.finish(&[]).expect("finished"));
        let ids = read_row_ids(bytes.concat().into()).expect("our own file");
        assert_eq!(ids.len(), 300);
        let id = |id: &RowId| (id.topic.to_string(), id.partition, id.offset);
        assert_eq!(id(&ids[0]), ("a".to_owned(), 0, 0));
        assert_eq!(id(&ids[299]), ("b".to_owned(), 0, 99));
    }

    #[test]
    fn what_is_no_raw_file_is_refused() {
        assert!(read_row_ids(Bytes::from_static(b"PAR1")).is_err());
    }
}
