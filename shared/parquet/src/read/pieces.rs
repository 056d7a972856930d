//! In which pieces a file is read: all of it, in its order, none much larger than it must be.

use std::collections::VecDeque;
use std::ops::Range;

use parquet::file::page_index::offset_index::PageLocation;
use tidegate_core::{Error, Result};

use super::{TIMESTAMP, TOPIC};
use crate::MAGIC;
use crate::footer::StoredRowGroup;

/// A piece ends before it has more bytes, unless one page does, or the columns that tell where
/// the rows of a row group come from.
const PIECE_BYTES: u64 = 8 << 20;

/// Pages that stand one behind the other: each page, and how many rows begin in it.
pub(super) type Pages = Vec<(PageLocation, i64)>;

/// What is read at once.
#[derive(Debug)]
pub(super) struct Piece {
    /// Where it stands.
    pub(super) range: Range<u64>,
    /// What it is made of.
    pub(super) parts: Vec<Part>,
}

/// What is checked at once.
#[derive(Debug)]
pub(super) enum Part {
    /// The first bytes of the file.
    Magic,
    /// Some pages of a column chunk, of which nothing but their checksums is looked at.
    Pages {
        /// Which row group.
        group: usize,
        /// Which column.
        column: usize,
        /// The pages; at least one.
        pages: Pages,
        /// Whether they are the chunk's last.
        last: bool,
    },
    /// The chunks that tell where the rows of a row group come from.
    Ids {
        /// Which row group.
        group: usize,
        /// Their pages.
        chunks: Vec<Pages>,
    },
}

impl Part {
    /// Where it stands.
    pub(super) fn range(&self) -> Range<u64> {
        match self {
            Self::Magic => 0..MAGIC.len() as u64,
            Self::Pages { pages, .. } => start_of(pages)..end_of(pages),
            Self::Ids { chunks, .. } => {
                let first = chunks.first().map_or(0, start_of);
                first..chunks.last().map_or(first, end_of)
            }
        }
    }
}

/// Position of the first page. Positions were checked when the footer was read.
pub(super) fn start_of(pages: &Pages) -> u64 {
    pages.first().map_or(0, |(page, _)| page.offset.unsigned_abs())
}

/// Position behind the last page.
pub(super) fn end_of(pages: &Pages) -> u64 {
    pages.last().map_or(0, |(page, _)| {
        page.offset.unsigned_abs() + u64::from(page.compressed_page_size.unsigned_abs())
    })
}

/// The pieces of a file.
pub(super) fn pieces(groups: &[StoredRowGroup]) -> Result<VecDeque<Piece>> {
    let mut pieces: VecDeque<Piece> = VecDeque::new();
    let mut add = |part: Part| -> Result<()> {
        let range = part.range();
        match pieces.back_mut() {
            Some(piece) if piece.range.end > range.start => {
                return Err(Error::corrupt("its columns overlap"));
            }
            Some(piece)
                if piece.range.end == range.start
                    && range.end - piece.range.start <= PIECE_BYTES =>
            {
                piece.range.end = range.end;
                piece.parts.push(part);
            }
            Some(_) | None => pieces.push_back(Piece { range, parts: vec![part] }),
        }
        Ok(())
    };
    add(Part::Magic)?;
    for (group, stored) in groups.iter().enumerate() {
        let columns = stored.metadata.num_columns();
        let mut chunks: Vec<Pages> =
            (0..columns).map(|column| pages_of(stored, column)).collect::<Result<_>>()?;
        for column in (0..TOPIC).chain(TIMESTAMP + 1..columns) {
            if column == TIMESTAMP + 1 {
                add(ids(group, &mut chunks)?)?;
            }
            let pages = std::mem::take(&mut chunks[column]);
            for (part, last) in split(pages) {
                add(Part::Pages { group, column, pages: part, last })?;
            }
        }
    }
    Ok(pieces)
}

fn ids(group: usize, chunks: &mut [Pages]) -> Result<Part> {
    let chunks: Vec<Pages> = chunks[TOPIC..=TIMESTAMP].iter_mut().map(std::mem::take).collect();
    let side_by_side = chunks.windows(2).all(|two| end_of(&two[0]) == start_of(&two[1]));
    if side_by_side {
        return Ok(Part::Ids { group, chunks });
    }
    Err(Error::corrupt("its columns are not in the order of its schema"))
}

/// The pages of a chunk, by its offset index.
fn pages_of(stored: &StoredRowGroup, column: usize) -> Result<Pages> {
    let index = stored.offset_indexes.get(column).and_then(Option::as_ref);
    let pages = index.map(|index| index.page_locations.as_slice()).unwrap_or_default();
    if pages.is_empty() || stored.metadata.column(column).dictionary_page_offset().is_some() {
        return Err(Error::corrupt(format!(
            "column {} has no index of its pages, or a dictionary: Tidegate did not write it so",
            stored.metadata.column(column).column_path()
        )));
    }
    let ends = pages.iter().skip(1).map(|page| page.first_row_index);
    let ends = ends.chain(std::iter::once(stored.metadata.num_rows()));
    Ok(pages
        .iter()
        .zip(ends)
        .map(|(page, end)| (page.clone(), end - page.first_row_index))
        .collect())
}

/// Cuts pages into parts; the last one is told.
fn split(pages: Pages) -> Vec<(Pages, bool)> {
    let mut parts: Vec<(Pages, bool)> = Vec::new();
    for page in pages {
        let bytes = u64::from(page.0.compressed_page_size.unsigned_abs());
        match parts.last_mut() {
            Some((part, _)) if end_of(part) - start_of(part) + bytes <= PIECE_BYTES => {
                part.push(page);
            }
            Some(_) | None => parts.push((vec![page], false)),
        }
    }
    if let Some((_, last)) = parts.last_mut() {
        *last = true;
    }
    parts
}
