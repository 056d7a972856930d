//! One column chunk in the making: finished pages, and the page that is open.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Encoding, EncodingMask, PageType};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::schema::types::ColumnDescPtr;
use tidegate_core::Result;
use tidegate_core::ports::Codec;

use super::compress::{Compressors, parquet_codec};
use super::minmax::MinMax;
use super::page::{Layout, Page, PageBuffer};
use crate::offset_index::Pages;
use crate::refused;

/// A chunk that is done: its bytes, and what the footer and the page index say of it.
#[derive(Debug)]
pub(super) struct ClosedChunk {
    pub(super) bytes: Vec<Bytes>,
    pub(super) metadata: ColumnChunkMetaData,
    pub(super) offset_index: OffsetIndexMetaData,
}

/// A column chunk in the making.
#[derive(Debug)]
pub(super) struct Chunk {
    column: ColumnDescPtr,
    layout: Layout,
    codec: Codec,
    page: PageBuffer,
    bounds: MinMax,
    done: Done,
}

/// What is finished of a chunk.
#[derive(Debug, Default)]
struct Done {
    bytes: Vec<Bytes>,
    pages: Pages,
    compressed_bytes: usize,
    uncompressed_bytes: usize,
    value_bytes: u64,
    rows: usize,
    levels: usize,
    nulls: u64,
}

impl Done {
    fn take(&mut self, page: Page) {
        let bytes: usize = page.pieces.iter().map(Bytes::len).sum();
        // Neither bound can be reached: a page is smaller than 2 GiB, and so is a row group.
        self.pages.push(self.compressed_bytes as i64, bytes as i32, self.rows as i64);
        self.compressed_bytes += bytes;
        self.uncompressed_bytes += page.uncompressed_bytes;
        self.rows += page.rows;
        self.levels += page.levels;
        self.bytes.extend(page.pieces);
    }
}

impl Chunk {
    pub(super) fn new(column: ColumnDescPtr, layout: Layout, bounds: MinMax, codec: Codec) -> Self {
        let level = |level: i16| u8::try_from(level).expect("a schema is not that deep");
        let page =
            PageBuffer::new(layout, level(column.max_def_level()), level(column.max_rep_level()));
        Self { column, layout, codec, page, bounds, done: Done::default() }
    }

    /// To be called before each row, with the bytes that it will append: cuts the page if it is
    /// full.
    pub(super) fn begin_row(&mut self, bytes: usize, compressors: &Compressors) -> Result<()> {
        if self.page.is_full(bytes) {
            self.cut(compressors)?;
        }
        Ok(())
    }

    /// Appends a byte string, or null, at these levels.
    pub(super) fn push_bytes(&mut self, rep: u8, def: u8, value: Option<&[u8]>) -> Result<()> {
        if let Some(value) = value {
            self.bounds.bytes(value);
            self.done.value_bytes += value.len() as u64;
            if self.page.is_passed_by(value.len(), self.codec) {
                let page = self.page.page_of(def, value, self.codec)?;
                self.done.take(page);
                return Ok(());
            }
        }
        self.page.push_levels(rep, def);
        match value {
            Some(value) => self.page.push_bytes(value),
            None => {
                self.done.nulls += 1;
                Ok(())
            }
        }
    }

    /// Appends a row's integer, or null.
    pub(super) fn push_integer(&mut self, value: Option<i64>) {
        self.page.push_levels(0, u8::from(value.is_some()));
        match value {
            Some(value) => {
                self.bounds.integer(value);
                self.page.push_integer(value);
            }
            None => self.done.nulls += 1,
        }
    }

    fn cut(&mut self, compressors: &Compressors) -> Result<()> {
        let page = self.page.cut(self.codec, compressors)?;
        self.done.take(page);
        Ok(())
    }

    /// Ends the chunk, which will stand at `start` in its file, and begins the next one.
    pub(super) fn close(&mut self, start: i64, compressors: &Compressors) -> Result<ClosedChunk> {
        if !self.page.is_empty() {
            self.cut(compressors)?;
        }
        self.page.shrink();
        let done = std::mem::take(&mut self.done);
        let encoding = self.layout.encoding();
        let page_stats = PageEncodingStats {
            page_type: PageType::DATA_PAGE,
            encoding,
            count: done.pages.len() as i32,
        };
        let value_bytes = (self.layout == Layout::Bytes).then_some(done.value_bytes as i64);
        let metadata = ColumnChunkMetaData::builder(Arc::clone(&self.column))
            .set_compression(parquet_codec(self.codec)?)
            .set_encodings_mask(EncodingMask::new_from_encodings([encoding, Encoding::RLE].iter()))
            .set_page_encoding_stats(vec![page_stats])
            .set_num_values(done.levels as i64)
            .set_total_compressed_size(done.compressed_bytes as i64)
            .set_total_uncompressed_size(done.uncompressed_bytes as i64)
            .set_data_page_offset(start)
            .set_statistics(self.bounds.statistics(done.nulls))
            .set_unencoded_byte_array_data_bytes(value_bytes)
            .build()
            .map_err(refused)?;
        self.bounds.clear();
        Ok(ClosedChunk { bytes: done.bytes, metadata, offset_index: done.pages.into_index(start) })
    }

    /// Bytes of finished pages, compressed and before compression.
    pub(super) fn finished_bytes(&self) -> (usize, usize) {
        (self.done.compressed_bytes, self.done.uncompressed_bytes)
    }

    /// Bytes of the open page, before compression.
    pub(super) fn open_bytes(&self) -> usize {
        self.page.page_bytes()
    }

    /// Heap bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        self.page.held_bytes() + self.done.compressed_bytes
    }
}
