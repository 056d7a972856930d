//! Offset indexes: where each page of a column chunk stands.

use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};

/// An offset index as it is built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    locations: Vec<PageLocation>,
}

impl Pages {
    /// Appends a page that stands `offset` bytes behind the chunk's start.
    pub(crate) fn push(&mut self, offset: i64, bytes: i32, first_row: i64) {
        self.locations.push(PageLocation {
            offset,
            compressed_page_size: bytes,
            first_row_index: first_row,
        });
    }

    /// How many pages.
    pub(crate) fn len(&self) -> usize {
        self.locations.len()
    }

    /// The index of a chunk that begins at `start` in its file.
    pub(crate) fn into_index(mut self, start: i64) -> OffsetIndexMetaData {
        for location in &mut self.locations {
            location.offset += start;
        }
        OffsetIndexMetaData {
            page_locations: self.locations,
            unencoded_byte_array_data_bytes: None,
        }
    }
}
