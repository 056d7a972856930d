//! What was written, read by the parquet crate: no word of ours is taken for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde::Serialize;
use tidegate_core::names;

use crate::exit::Failure;

/// So many rows are read back of each table, and one tombstone.
const ROWS_SHOWN: usize = 3;
/// So many rows of a file are looked at for a tombstone.
const ROWS_LOOKED_AT: usize = 1_000;

/// All data files.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// By directory, in order.
    pub(super) directories: Vec<Directory>,
    /// The first rows of each table.
    pub(super) shown: Vec<ShownRow>,
    /// Data files.
    pub(super) files: u64,
    /// Their rows.
    pub(super) rows: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// The data files of a directory.
#[derive(Debug, Default, Serialize)]
pub(super) struct Directory {
    pub(super) directory: String,
    pub(super) files: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// A row, as text.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ShownRow {
    pub(super) topic: String,
    pub(super) partition: String,
    pub(super) offset: String,
    pub(super) timestamp: String,
    pub(super) key: String,
    /// None: a tombstone.
    pub(super) value: Option<String>,
    pub(super) headers: String,
}

/// Looks at all data files below `lake`.
pub(super) fn look(lake: &Path) -> Result<Written, Failure> {
    let mut written = Written::default();
    let mut directories: BTreeMap<String, Directory> = BTreeMap::new();
    let mut tables: BTreeMap<String, bool> = BTreeMap::new();
    for path in data_files(lake)? {
        let Some(name) = names::DataFile::parse(&path) else { continue };
        let (reader, bytes) = open(&lake.join(&path))?;
        let rows = reader.metadata().file_metadata().num_rows().unsigned_abs();
        let directory = directories.entry(name.folder.clone()).or_default();
        directory.directory.clone_from(&name.folder);
        directory.files += 1;
        directory.rows += rows;
        directory.bytes += bytes;
        written.files += 1;
        written.rows += rows;
        written.bytes += bytes;
        let table = name.folder.split('/').next().unwrap_or_default().to_owned();
        let rows = reader.get_row_iter(None).map_err(|error| unreadable(&path, error))?;
        let rows = rows.take(ROWS_LOOKED_AT).map(|row| row.map(|row| shown(&row)));
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(|error| unreadable(&path, error))?;
        if !tables.contains_key(&table) {
            tables.insert(table.clone(), false);
            written.shown.extend(rows.iter().take(ROWS_SHOWN).cloned());
        }
        let tombstone = rows.into_iter().find(|row| row.value.is_none());
        if let (Some(row), Some(found @ false)) = (tombstone, tables.get_mut(&table)) {
            *found = true;
            written.shown.push(row);
        }
    }
    written.directories = directories.into_values().collect();
    Ok(written)
}

fn open(path: &Path) -> Result<(SerializedFileReader<File>, u64), Failure> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::io(&format!("open {shown}"), error))?;
    let bytes = file.metadata().map_err(|error| Failure::io(&format!("look at {shown}"), error))?;
    let reader = SerializedFileReader::new(file).map_err(|error| unreadable(&shown, error))?;
    Ok((reader, bytes.len()))
}

/// All files below `lake` but those that are no data, in order, by their path below it.
fn data_files(lake: &Path) -> Result<Vec<String>, Failure> {
    let mut files = Vec::new();
    let mut dirs = vec![lake.to_owned()];
    while let Some(dir) = dirs.pop() {
        let failed = |error| Failure::io(&format!("list {}", dir.display()), error);
        for entry in std::fs::read_dir(&dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if let Ok(below) = path.strip_prefix(lake) {
                files.push(below.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    Ok(files)
}

fn shown(row: &Row) -> ShownRow {
    let mut shown = ShownRow::default();
    for (name, field) in row.get_column_iter() {
        match name.as_str() {
            "topic" => shown.topic = text(field),
            "partition" => shown.partition = text(field),
            "offset" => shown.offset = text(field),
            "timestamp" => shown.timestamp = text(field),
            "key" => shown.key = text(field),
            "value" => shown.value = (*field != Field::Null).then(|| text(field)),
            "headers" => shown.headers = headers(field),
            _ => {}
        }
    }
    shown
}

fn headers(field: &Field) -> String {
    let Field::ListInternal(list) = field else { return text(field) };
    let pair = |header: &Field| match header {
        Field::Group(row) => {
            let cells: Vec<_> = row.get_column_iter().map(|(_, field)| text(field)).collect();
            cells.join("=")
        }
        other => text(other),
    };
    list.elements().iter().map(pair).collect::<Vec<_>>().join(" ")
}

fn text(field: &Field) -> String {
    match field {
        Field::Null => "null".to_owned(),
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
        Field::TimestampMillis(millis) => {
            tidegate_core::spec::units::time_text(tidegate_core::time::Millis(*millis))
        }
        other => other.to_string(),
    }
}

fn unreadable(path: &str, error: ParquetError) -> Failure {
    let message = format!("{path} cannot be read: {error}");
    tidegate_core::Error::corrupt(message).with_source(error).into()
}
