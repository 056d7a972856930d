//! The end of a file, read and checked: everything that a join relies on.

use std::ops::Range;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    RowGroupMetaData,
};
use parquet::file::page_index::index_reader::decode_offset_index;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use tidegate_core::ports::FileFooter;
use tidegate_core::{Error, Result};

use crate::footer::{FileHead, StoredRowGroup, file_end};
use crate::{CREATED_BY, MAGIC, schema};

/// The magic of a file whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8; 4] = b"PARE";
/// Length of the footer and magic.
const TRAILER_BYTES: u64 = 8;
/// What is asked for first: enough for the footer of most files.
const TAIL_GUESS: u64 = 64 << 10;

/// A file that can be joined.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) file: FileMetaData,
    pub(crate) row_groups: Vec<StoredRowGroup>,
    /// Where its column chunks stand; empty at 4 if there are none.
    pub(super) region: Range<u64>,
    /// Where footer and offset indexes begin.
    tail_start: u64,
}

/// The answer of [`read`].
#[derive(Debug)]
pub(crate) enum Read {
    /// It was all there.
    Input(Box<Input>),
    /// The last so many bytes are needed.
    NeedsTail(u64),
}

/// Reads the end of a file that has `file_bytes` in all, from its last bytes `tail`.
pub(crate) fn read(tail: &Bytes, file_bytes: u64) -> Result<Read> {
    let tail_bytes = tail.len() as u64;
    if tail_bytes > file_bytes || file_bytes < MAGIC.len() as u64 + TRAILER_BYTES {
        return Err(corrupt(format!("it has {file_bytes} bytes")));
    }
    let Some(footer) = footer_range(tail, file_bytes)? else {
        return Ok(Read::NeedsTail(TAIL_GUESS.min(file_bytes)));
    };
    let tail_offset = file_bytes - tail_bytes;
    if footer.start < tail_offset {
        return Ok(Read::NeedsTail(file_bytes - footer.start));
    }
    let from_tail = |range: Range<u64>| {
        let within = |at: u64| usize::try_from(at - tail_offset).expect("the tail is in memory");
        tail.slice(within(range.start)..within(range.end))
    };
    let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
    let metadata = ParquetMetaDataReader::decode_metadata_with_options(
        &from_tail(footer.clone()),
        Some(&options),
    )
    .map_err(|error| unreadable("footer", error))?;

    let region = check_row_groups(metadata.file_metadata(), metadata.row_groups(), footer.start)?;
    let ranges = index_ranges(metadata.row_groups(), region.end..footer.start)?;
    let tail_start = ranges.iter().flatten().map(|range| range.start).min();
    let tail_start = tail_start.unwrap_or(footer.start);
    if tail_start < tail_offset {
        return Ok(Read::NeedsTail(file_bytes - tail_start));
    }
    let mut ranges = ranges.into_iter();
    let mut row_groups = Vec::with_capacity(metadata.num_row_groups());
    for group in metadata.row_groups() {
        let offset_indexes = group
            .columns()
            .iter()
            .zip(&mut ranges)
            .map(|(column, range)| match range {
                Some(range) => offset_index(&from_tail(range), column, group.num_rows()).map(Some),
                None => Ok(None),
            })
            .collect::<Result<_>>()?;
        row_groups.push(StoredRowGroup { metadata: group.clone(), offset_indexes });
    }
    let file = metadata.file_metadata().clone();
    Ok(Read::Input(Box::new(Input { file, row_groups, region, tail_start })))
}

impl Input {
    /// What core sees of it.
    pub(super) fn footer(&self, tail: &Bytes, file_bytes: u64) -> FileFooter {
        let pairs = self.file.key_value_metadata().into_iter().flatten();
        let kept = usize::try_from(file_bytes - self.tail_start).unwrap_or(tail.len());
        FileFooter {
            rows: u64::try_from(self.file.num_rows()).unwrap_or(0),
            metadata: pairs
                .map(|pair| (pair.key.clone(), pair.value.clone().unwrap_or_default()))
                .collect(),
            fingerprint: self.fingerprint(),
            tail: tail.slice(tail.len() - kept..),
            file_bytes,
        }
    }

    /// Whether `tail`, which it was read from, is what this version would write to say the same.
    /// Of a file that another version wrote nothing is said.
    pub(crate) fn is_as_written(&self, tail: &Bytes) -> Result<bool> {
        if self.file.created_by() != Some(CREATED_BY) {
            return Ok(self
                .file
                .created_by()
                .is_some_and(|by| by.starts_with("tidegate version ")));
        }
        let head = FileHead {
            schema: self.file.schema_descr_ptr(),
            created_by: CREATED_BY,
            key_values: self.file.key_value_metadata().cloned().unwrap_or_default(),
        };
        let end = file_end(self.tail_start, head, self.row_groups.clone())?;
        Ok(tail.ends_with(&end))
    }

    /// Fingerprint of its schema.
    pub(super) fn fingerprint(&self) -> String {
        schema::fingerprint(self.file.schema_descr().root_schema())
    }
}

/// Where the footer stands; none if the tail is too short to tell.
fn footer_range(tail: &[u8], file_bytes: u64) -> Result<Option<Range<u64>>> {
    let Some((_, trailer)) = tail.split_last_chunk::<8>() else { return Ok(None) };
    let [a, b, c, d, magic @ ..] = *trailer;
    if &magic == MAGIC_ENCRYPTED {
        return Err(corrupt("its footer is encrypted, which Tidegate neither writes nor reads"));
    }
    if &magic != MAGIC {
        return Err(corrupt(format!("its last bytes are {magic:02x?}, not PAR1")));
    }
    let footer_bytes = u64::from(u32::from_le_bytes([a, b, c, d]));
    let end = file_bytes - TRAILER_BYTES;
    match end.checked_sub(footer_bytes) {
        Some(start) if start >= MAGIC.len() as u64 => Ok(Some(start..end)),
        Some(_) | None => Err(corrupt(format!(
            "it has {file_bytes} bytes, its footer alone says to have {footer_bytes}"
        ))),
    }
}

/// Checks counts and positions, and answers where the column chunks stand.
fn check_row_groups(
    file: &FileMetaData,
    row_groups: &[RowGroupMetaData],
    end: u64,
) -> Result<Range<u64>> {
    let mut region: Option<Range<u64>> = None;
    let mut rows = 0_i64;
    for group in row_groups {
        let sizes_make_sense = group.num_rows() >= 0 && group.total_byte_size() >= 0;
        rows = match rows.checked_add(group.num_rows()) {
            Some(rows) if sizes_make_sense => rows,
            Some(_) | None => return Err(corrupt("a row group has an impossible size")),
        };
        for column in group.columns() {
            let chunk = chunk_range(column, end)?;
            region = Some(match region {
                Some(all) => all.start.min(chunk.start)..all.end.max(chunk.end),
                None => chunk,
            });
        }
    }
    if rows != file.num_rows() {
        let said = file.num_rows();
        return Err(corrupt(format!("its row groups have {rows} rows, its footer says {said}")));
    }
    let begin = MAGIC.len() as u64;
    Ok(region.unwrap_or(begin..begin))
}

/// Where a column chunk stands, checked to lie before `end`.
fn chunk_range(column: &ColumnChunkMetaData, end: u64) -> Result<Range<u64>> {
    let path = column.column_path();
    if column.file_path().is_some() {
        return Err(corrupt(format!("column {path} stands in another file")));
    }
    let start = chunk_start(column);
    let range = u64::try_from(start)
        .ok()
        .zip(u64::try_from(column.compressed_size()).ok())
        .and_then(|(start, bytes)| Some(start..start.checked_add(bytes)?));
    match range {
        Some(range)
            if range.start >= MAGIC.len() as u64
                && range.end <= end
                && column.data_page_offset() >= start
                && column.uncompressed_size() >= 0
                && column.num_values() >= 0 =>
        {
            Ok(range)
        }
        Some(_) | None => Err(corrupt(format!(
            "column {path} is said to have {} bytes from {start} on, the pages end before {end}",
            column.compressed_size()
        ))),
    }
}

/// Position of a chunk's first page.
pub(super) fn chunk_start(column: &ColumnChunkMetaData) -> i64 {
    column.dictionary_page_offset().unwrap_or(column.data_page_offset())
}

/// Where the offset index of each chunk stands, checked to lie within `allowed`.
fn index_ranges(
    row_groups: &[RowGroupMetaData],
    allowed: Range<u64>,
) -> Result<Vec<Option<Range<u64>>>> {
    let columns = row_groups.iter().flat_map(RowGroupMetaData::columns);
    let checked = columns.map(|column| match column.offset_index_range() {
        Some(range) if range.start < allowed.start || range.end > allowed.end => {
            let path = column.column_path();
            Err(corrupt(format!("the offset index of column {path} does not stand behind it")))
        }
        range => Ok(range),
    });
    checked.collect()
}

/// Reads an offset index and checks that its pages are those of the chunk, one after another.
fn offset_index(
    bytes: &[u8],
    column: &ColumnChunkMetaData,
    rows: i64,
) -> Result<OffsetIndexMetaData> {
    check_page_count(bytes)?;
    let index = decode_offset_index(bytes).map_err(|error| unreadable("offset index", error))?;
    let mut at = column.data_page_offset();
    let mut first_row = 0;
    for (number, page) in index.page_locations.iter().enumerate() {
        let rows_rise = if number == 0 {
            page.first_row_index == 0
        } else {
            page.first_row_index > first_row && page.first_row_index < rows
        };
        if page.offset != at || page.compressed_page_size <= 0 || !rows_rise {
            return Err(misplaced(column));
        }
        first_row = page.first_row_index;
        at = at.checked_add(page.compressed_page_size.into()).ok_or_else(|| misplaced(column))?;
    }
    let end = chunk_start(column).checked_add(column.compressed_size());
    if Some(at) != end {
        return Err(misplaced(column));
    }
    Ok(index)
}

fn misplaced(column: &ColumnChunkMetaData) -> Error {
    let path = column.column_path();
    corrupt(format!("the offset index of column {path} does not list the column's pages"))
}

/// The crate's decoder allocates for as many pages as the index *says* to have: a broken one
/// must not say more than fit into its bytes.
fn check_page_count(bytes: &[u8]) -> Result<()> {
    /// Thrift, compact protocol: field 1, a list.
    const LIST: u8 = 0x19;
    /// The list's count follows as a varint.
    const LONG_LIST: u8 = 0xF;
    let [LIST, list, rest @ ..] = bytes else {
        return Err(corrupt("an offset index does not begin with its pages"));
    };
    let count = match list >> 4 {
        LONG_LIST => {
            let length = rest.iter().take(9).take_while(|byte| **byte >= 0x80).count() + 1;
            rest.iter()
                .take(length)
                .enumerate()
                .fold(0, |count, (place, byte)| count | u64::from(byte & 0x7F) << (7 * place))
        }
        short => u64::from(short),
    };
    if count > bytes.len() as u64 {
        return Err(corrupt(format!("an offset index of {} bytes has {count} pages", bytes.len())));
    }
    Ok(())
}

fn unreadable(part: &str, error: ParquetError) -> Error {
    corrupt(format!("its {part} cannot be read")).with_source(error)
}

fn corrupt(what: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("no Parquet file that Tidegate wrote: {what}"))
}
