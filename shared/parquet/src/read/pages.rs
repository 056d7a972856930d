//! Pages against their headers: checksum, size, number of values, encoding.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};
use tidegate_core::{Error, Result};

use super::pieces::{Pages, start_of};
use super::unreadable;
use crate::encode::write_header;

/// How long a page's header may be: 10 one-byte fields and more, or 5 numbers of 5 bytes.
const HEADER_BYTES: RangeInclusive<usize> = 12..=48;

/// Bytes of a file, at their positions.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Window {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let from = start.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        match from.filter(|from| *from <= self.bytes.len()) {
            Some(from) => Ok(self.bytes.slice(from..).reader()),
            None => Err(outside()),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let rest = self.get_read(start)?.into_inner();
        if rest.len() < length { Err(outside()) } else { Ok(rest.slice(..length)) }
    }
}

fn outside() -> ParquetError {
    ParquetError::External(Box::new(io::Error::from(io::ErrorKind::UnexpectedEof)))
}

/// What was seen of the pages of a column chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PagesOfChunk {
    /// Values, nulls included.
    values: i64,
    /// Bytes of headers, and of data before compression.
    uncompressed_bytes: i64,
}

impl PagesOfChunk {
    /// Adds what was seen of further pages.
    pub(super) fn add(&mut self, pages: Self) {
        self.values += pages.values;
        self.uncompressed_bytes += pages.uncompressed_bytes;
    }

    /// Checks what was seen of all pages against the footer, and begins the next chunk.
    pub(super) fn end(&mut self, column: &ColumnChunkMetaData) -> Result<()> {
        let Self { values, uncompressed_bytes } = std::mem::take(self);
        let figures = [
            ("values", values, column.num_values()),
            ("bytes before compression", uncompressed_bytes, column.uncompressed_size()),
        ];
        match figures.into_iter().find(|(_, found, said)| found != said) {
            None => Ok(()),
            Some((what, found, said)) => Err(Error::corrupt(format!(
                "column {} has {found} {what}, and its footer says {said}",
                column.column_path()
            ))),
        }
    }
}

/// Checks pages of a column chunk, whose bytes these are.
pub(super) fn check_pages(
    column: &ColumnChunkMetaData,
    pages: &Pages,
    bytes: &Bytes,
) -> Result<PagesOfChunk> {
    let start = start_of(pages);
    let mut seen = PagesOfChunk::default();
    for (location, rows) in pages {
        let at = usize::try_from(location.offset.unsigned_abs() - start).map_err(unreadable)?;
        let size = usize::try_from(location.compressed_page_size).map_err(unreadable)?;
        let window =
            Window { start: location.offset.unsigned_abs(), bytes: bytes.slice(at..at + size) };
        let page = check_page(column, window, *rows).map_err(|error| {
            error.while_doing(format!(
                "read the page at {} of column {}",
                location.offset,
                column.column_path()
            ))
        })?;
        seen.add(page);
    }
    Ok(seen)
}

fn check_page(column: &ColumnChunkMetaData, window: Window, rows: i64) -> Result<PagesOfChunk> {
    let bytes = window.bytes.clone();
    let place = column
        .clone()
        .into_builder()
        .set_data_page_offset(i64::try_from(window.start).map_err(unreadable)?)
        .set_total_compressed_size(i64::try_from(bytes.len()).map_err(unreadable)?)
        .build()
        .map_err(unreadable)?;
    let mut reader =
        SerializedPageReader::new(Arc::new(window), &place, 0, None).map_err(unreadable)?;
    let page = reader.get_next_page().map_err(unreadable)?;
    let Some(Page::DataPage { buf, num_values, encoding, .. }) = page else {
        return Err(Error::corrupt("it is no data page that Tidegate wrote"));
    };
    let values = usize::try_from(num_values).map_err(unreadable)?;
    let Some(header_bytes) = our_header(&bytes, buf.len(), values, encoding)? else {
        return Err(Error::corrupt("its checksum or header is not the one that was written"));
    };
    if !column.encodings().any(|known| known == encoding) {
        return Err(Error::corrupt(format!("its encoding {encoding} is not in the footer")));
    }
    let values = i64::from(num_values);
    let is_list = column.column_descr().max_rep_level() > 0;
    if values == rows || (is_list && values > rows) {
        let uncompressed_bytes = i64::try_from(header_bytes + buf.len()).map_err(unreadable)?;
        return Ok(PagesOfChunk { values, uncompressed_bytes });
    }
    Err(Error::corrupt(format!("it has {values} values, and its index says {rows} rows")))
}

/// The length of a page's header, if that is the one, checksum included, that its data and these
/// sizes have. Where the header ends is not told by the crate's reader: it is tried.
fn our_header(
    page: &[u8],
    uncompressed_bytes: usize,
    values: usize,
    encoding: Encoding,
) -> Result<Option<usize>> {
    /// Two structs end there.
    const STOPS: [u8; 2] = [0, 0];
    for end in HEADER_BYTES {
        let Some((header, data)) = page.split_at_checked(end) else { break };
        if !header.ends_with(&STOPS) {
            continue;
        }
        let mut expected = Vec::with_capacity(end);
        write_header(uncompressed_bytes, &[data], values, encoding, &mut expected)?;
        if expected == header {
            return Ok(Some(end));
        }
    }
    Ok(None)
}
