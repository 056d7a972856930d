//! What a joined file is made of: regions as they are, and row groups to be spliced.

use parquet::basic::Encoding;
use parquet::file::metadata::ColumnChunkMetaData;

use super::input::Input;
use crate::footer::StoredRowGroup;

/// A row group of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) input: usize,
    pub(super) row_group: usize,
}

/// A part of the joined file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All row groups of an input, as they are.
    Region(usize),
    /// One row group, whose columns are made of the pages of these. One alone is only moved.
    Spliced(Vec<Source>),
}

/// Cuts the inputs into parts, in order: regions of `copy_bytes_min` bytes and more stay as they
/// are, the row groups of the others are spliced up to `row_group_bytes` (before compression).
pub(super) fn plan(inputs: &[Input], copy_bytes_min: u64, row_group_bytes: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open = Open::default();
    for (index, input) in inputs.iter().enumerate() {
        if input.row_groups.is_empty() {
            continue;
        }
        if input.region.end - input.region.start >= copy_bytes_min {
            open.close(&mut parts);
            parts.push(Part::Region(index));
            continue;
        }
        for (row_group, stored) in input.row_groups.iter().enumerate() {
            if !open.takes(stored, row_group_bytes) {
                open.close(&mut parts);
            }
            open.push(Source { input: index, row_group }, stored);
        }
    }
    open.close(&mut parts);
    parts
}

/// The row group that is being collected.
#[derive(Default)]
struct Open<'a> {
    sources: Vec<Source>,
    last: Option<&'a StoredRowGroup>,
    bytes: u64,
}

impl<'a> Open<'a> {
    fn takes(&self, next: &StoredRowGroup, row_group_bytes: u64) -> bool {
        self.last.is_some_and(|last| {
            self.bytes.saturating_add(bytes_of(next)) <= row_group_bytes
                && is_spliceable(last)
                && is_spliceable(next)
                && same_codecs(last, next)
        })
    }

    fn push(&mut self, source: Source, stored: &'a StoredRowGroup) {
        self.sources.push(source);
        self.bytes = self.bytes.saturating_add(bytes_of(stored));
        self.last = Some(stored);
    }

    fn close(&mut self, parts: &mut Vec<Part>) {
        let closed = std::mem::take(self);
        if !closed.sources.is_empty() {
            parts.push(Part::Spliced(closed.sources));
        }
    }
}

fn bytes_of(stored: &StoredRowGroup) -> u64 {
    u64::try_from(stored.metadata.total_byte_size()).unwrap_or(0)
}

/// Whether the pages of all columns are known and mean the same wherever they stand: none
/// points into a dictionary.
fn is_spliceable(stored: &StoredRowGroup) -> bool {
    let has_dictionary = |column: &ColumnChunkMetaData| {
        column.dictionary_page_offset().is_some()
            || column.encodings().any(|encoding| {
                matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY)
            })
    };
    stored.offset_indexes.iter().all(Option::is_some)
        && !stored.metadata.columns().iter().any(has_dictionary)
}

fn same_codecs(a: &StoredRowGroup, b: &StoredRowGroup) -> bool {
    let columns = a.metadata.columns().iter().zip(b.metadata.columns());
    columns.into_iter().all(|(a, b)| a.compression_codec() == b.compression_codec())
}
