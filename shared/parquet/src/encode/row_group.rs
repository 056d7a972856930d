//! The row group that is open: one column chunk per leaf of the raw table.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::metadata::RowGroupMetaData;
use tidegate_core::Result;
use tidegate_core::columns::{Columns, timestamp_or_null};
use tidegate_core::ports::Codec;

use super::chunk::Chunk;
use super::compress::Compressors;
use super::header_key::header_key_text;
use super::minmax::MinMax;
use super::page::Layout;
use crate::footer::StoredRowGroup;
use crate::{refused, schema};

/// Bytes of a value's length in a page.
const LENGTH_BYTES: usize = 4;

/// The columns in the order of the schema's leaves.
#[derive(Debug)]
struct Chunks {
    key: Chunk,
    value: Chunk,
    topic: Chunk,
    partition: Chunk,
    offset: Chunk,
    timestamp: Chunk,
    timestamp_type: Chunk,
    header_key: Chunk,
    header_value: Chunk,
}

impl Chunks {
    fn new(codec: Codec) -> Self {
        let columns = schema::raw_table().columns();
        let chunk = |index: usize, layout, bounds| {
            Chunk::new(Arc::clone(&columns[index]), layout, bounds, codec)
        };
        let int32 = |index| chunk(index, Layout::Int32, MinMax::Int32(None));
        let int64 = |index| chunk(index, Layout::Int64, MinMax::Int64(None));
        let bounded = |index| chunk(index, Layout::Bytes, MinMax::Bytes(None));
        let bytes = |index| chunk(index, Layout::Bytes, MinMax::Untracked);
        Self {
            key: bounded(0),
            value: bytes(1),
            topic: bounded(2),
            partition: int32(3),
            offset: int64(4),
            timestamp: int64(5),
            timestamp_type: int32(6),
            header_key: bytes(7),
            header_value: bytes(8),
        }
    }

    fn all(&self) -> [&Chunk; 9] {
        [
            &self.key,
            &self.value,
            &self.topic,
            &self.partition,
            &self.offset,
            &self.timestamp,
            &self.timestamp_type,
            &self.header_key,
            &self.header_value,
        ]
    }

    fn all_mut(&mut self) -> [&mut Chunk; 9] {
        [
            &mut self.key,
            &mut self.value,
            &mut self.topic,
            &mut self.partition,
            &mut self.offset,
            &mut self.timestamp,
            &mut self.timestamp_type,
            &mut self.header_key,
            &mut self.header_value,
        ]
    }
}

/// The row group that is open.
#[derive(Debug)]
pub(super) struct OpenRowGroup {
    chunks: Chunks,
    rows: usize,
}

impl OpenRowGroup {
    pub(super) fn new(codec: Codec) -> Self {
        Self { chunks: Chunks::new(codec), rows: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Appends rows of one partition.
    pub(super) fn append(
        &mut self,
        topic: &str,
        partition: i32,
        columns: &Columns,
        rows: Range<usize>,
        compressors: &Compressors,
    ) -> Result<()> {
        self.rows += rows.len();
        let chunks = &mut self.chunks;
        for (chunk, column) in
            [(&mut chunks.key, columns.keys()), (&mut chunks.value, columns.values())]
        {
            for row in rows.clone() {
                let bytes = column.get(row);
                chunk.begin_row(bytes.map_or(0, |b| b.len() + LENGTH_BYTES), compressors)?;
                chunk.push_bytes(0, u8::from(bytes.is_some()), bytes)?;
            }
        }
        for _ in rows.clone() {
            chunks.topic.begin_row(topic.len() + LENGTH_BYTES, compressors)?;
            chunks.topic.push_bytes(0, 0, Some(topic.as_bytes()))?;
        }
        for row in rows.clone() {
            let integers = [
                (&mut chunks.partition, Some(i64::from(partition))),
                (&mut chunks.offset, Some(columns.offsets()[row])),
                (&mut chunks.timestamp, timestamp_or_null(columns.timestamps()[row])),
                (&mut chunks.timestamp_type, Some(i64::from(columns.append_time()[row]))),
            ];
            for (chunk, integer) in integers {
                chunk.begin_row(0, compressors)?;
                chunk.push_integer(integer);
            }
        }
        for row in rows {
            self.append_headers(columns, row, compressors)?;
        }
        Ok(())
    }

    /// Appends the headers of one row. Definition levels: 0 no headers; a header's key 2; its
    /// value 3, or 2 if it is null.
    fn append_headers(
        &mut self,
        columns: &Columns,
        row: usize,
        compressors: &Compressors,
    ) -> Result<()> {
        let Chunks { header_key, header_value, .. } = &mut self.chunks;
        let (keys, values) = (columns.headers().keys(), columns.headers().values());
        let headers = columns.headers().range(row);
        let lengths = headers.len() * LENGTH_BYTES;
        header_key.begin_row(keys.bytes_in(headers.clone()) + lengths, compressors)?;
        header_value.begin_row(values.bytes_in(headers.clone()) + lengths, compressors)?;
        if headers.is_empty() {
            header_key.push_bytes(0, 0, None)?;
            return header_value.push_bytes(0, 0, None);
        }
        let first = headers.start;
        for header in headers {
            let rep = u8::from(header != first);
            let key = header_key_text(keys.get(header).unwrap_or_default());
            header_key.push_bytes(rep, 2, Some(key.as_bytes()))?;
            let value = values.get(header);
            header_value.push_bytes(rep, 2 + u8::from(value.is_some()), value)?;
        }
        Ok(())
    }

    /// Ends the row group, which stands at `start` in its file, and begins the next one.
    pub(super) fn close(
        &mut self,
        start: u64,
        ordinal: usize,
        compressors: &Compressors,
    ) -> Result<(Vec<Bytes>, StoredRowGroup)> {
        let rows = std::mem::take(&mut self.rows);
        let mut at = start as i64;
        let mut group = RowGroupMetaData::builder(Arc::clone(schema::raw_table()))
            .set_num_rows(rows as i64)
            .set_ordinal(i32::try_from(ordinal).unwrap_or(i32::MAX))
            .set_file_offset(at);
        let (mut bytes, mut offset_indexes, mut total_bytes) = (Vec::new(), Vec::new(), 0);
        for chunk in self.chunks.all_mut() {
            let closed = chunk.close(at, compressors)?;
            at += closed.metadata.compressed_size();
            total_bytes += closed.metadata.uncompressed_size();
            group = group.add_column_metadata(closed.metadata);
            offset_indexes.push(Some(closed.offset_index));
            bytes.extend(closed.bytes);
        }
        let metadata = group.set_total_byte_size(total_bytes).build().map_err(refused)?;
        Ok((bytes, StoredRowGroup { metadata, offset_indexes }))
    }

    /// Bytes of finished pages, the same before compression, and bytes of open pages.
    pub(super) fn page_bytes(&self) -> (u64, u64, u64) {
        self.chunks.all().into_iter().fold((0, 0, 0), |(finished, before, open), chunk| {
            let (after, uncompressed) = chunk.finished_bytes();
            let chunk_open = chunk.open_bytes() as u64;
            (finished + after as u64, before + uncompressed as u64, open + chunk_open)
        })
    }

    /// Heap bytes held.
    pub(super) fn held_bytes(&self) -> usize {
        self.chunks.all().into_iter().map(Chunk::held_bytes).sum()
    }
}
