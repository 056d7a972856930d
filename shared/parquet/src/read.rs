//! Reading a raw file back, to prove it: every page against its checksum, and where its rows come
//! from.

mod bounds;
mod pages;
mod pieces;
mod rows;

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use parquet::file::metadata::RowGroupMetaData;
use tidegate_core::ports::{FileFooter, FileReadBack, ReadBack, RowGroupBounds, RowRun};
use tidegate_core::{Error, Result};

use self::pages::{PagesOfChunk, check_pages};
use self::pieces::{Part, Piece, pieces};
use crate::join::{Read, read_input};
use crate::{MAGIC, schema};

/// The columns that tell where a row comes from and where it belongs: their places among the
/// schema's leaves. They stand side by side.
const TOPIC: usize = 2;
const PARTITION: usize = 3;
const OFFSET: usize = 4;
const TIMESTAMP: usize = 5;

/// Reads files of the raw table back.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParquetReadBack;

impl ReadBack for ParquetReadBack {
    type File = ParquetFile;

    fn open(&self, footer: &FileFooter) -> Result<ParquetFile> {
        let Read::Input(input) = read_input(&footer.tail, footer.file_bytes)? else {
            return Err(Error::corrupt("its footer was not read whole"));
        };
        if input.file.schema_descr().root_schema() != schema::raw_table().root_schema() {
            return Err(Error::corrupt("its schema is not that of the raw table"));
        }
        if !input.is_as_written(&footer.tail)? {
            return Err(Error::corrupt("its footer is not as it was written"));
        }
        let pieces = pieces(&input.row_groups)?;
        let groups: Vec<_> = input.row_groups.into_iter().map(|stored| stored.metadata).collect();
        let bounds = groups.iter().map(bounds::of_group).collect::<Result<_>>()?;
        Ok(ParquetFile { groups, bounds, pieces, chunk: PagesOfChunk::default() })
    }
}

/// A raw file that is read piece by piece.
#[derive(Debug)]
pub struct ParquetFile {
    groups: Vec<RowGroupMetaData>,
    bounds: Vec<RowGroupBounds>,
    /// What is still to be read, in the file's order.
    pieces: VecDeque<Piece>,
    /// What was seen of the column chunk whose pages are read.
    chunk: PagesOfChunk,
}

impl FileReadBack for ParquetFile {
    fn bounds(&self) -> &[RowGroupBounds] {
        &self.bounds
    }

    fn wanted(&self) -> Option<Range<u64>> {
        self.pieces.front().map(|piece| piece.range.clone())
    }

    fn accept(&mut self, bytes: &Bytes, rows: &mut dyn FnMut(RowRun<'_>)) -> Result<()> {
        let Some(piece) = self.pieces.pop_front() else { return Ok(()) };
        for part in &piece.parts {
            let range = part.range();
            let within = |at: u64| usize::try_from(at - piece.range.start).unwrap_or(usize::MAX);
            if bytes.len() < within(range.end) {
                return Err(Error::corrupt("it is shorter than its footer says"));
            }
            let bytes = bytes.slice(within(range.start)..within(range.end));
            self.part(part, &bytes, rows)?;
        }
        Ok(())
    }
}

impl ParquetFile {
    fn part(&mut self, part: &Part, bytes: &Bytes, rows: &mut dyn FnMut(RowRun<'_>)) -> Result<()> {
        match part {
            Part::Magic if bytes == MAGIC.as_slice() => Ok(()),
            Part::Magic => Err(Error::corrupt(format!("its first bytes are {bytes:02x?}"))),
            Part::Pages { group, column, pages, last } => {
                let column = self.groups[*group].column(*column);
                self.chunk.add(check_pages(column, pages, bytes)?);
                if *last { self.chunk.end(column) } else { Ok(()) }
            }
            Part::Ids { group, chunks } => {
                let metadata = &self.groups[*group];
                for (column, pages) in (TOPIC..).zip(chunks) {
                    let column = metadata.column(column);
                    let start = pieces::start_of(pages) - part.range().start;
                    let end = pieces::end_of(pages) - part.range().start;
                    let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
                    let bytes = bytes.slice(within(start)..within(end));
                    self.chunk.add(check_pages(column, pages, &bytes)?);
                    self.chunk.end(column)?;
                }
                let start = part.range().start;
                rows::read(metadata, &self.bounds[*group], start, bytes, rows)
            }
        }
    }
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::corrupt(format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests;
