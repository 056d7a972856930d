//! Writing the end of a file: offset indexes and footer.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use parquet::file::metadata::page_index::PageIndexProvider;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaDataBuilder, ParquetMetaDataWriter,
    RowGroupMetaData,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use parquet::file::writer::TrackedWrite;
use parquet::schema::types::SchemaDescPtr;
use tidegate_core::Result;

use crate::refused;

/// A row group that stands in the file, with positions in that file.
#[derive(Clone, Debug)]
pub(crate) struct StoredRowGroup {
    /// What the footer says of it.
    pub(crate) metadata: RowGroupMetaData,
    /// One per column; none where the pages are not known.
    pub(crate) offset_indexes: Vec<Option<OffsetIndexMetaData>>,
}

impl StoredRowGroup {
    /// Heap bytes of these words about it, roughly.
    pub(crate) fn held_bytes(&self) -> usize {
        let pages: usize =
            self.offset_indexes.iter().flatten().map(|index| index.page_locations.len()).sum();
        pages * size_of::<PageLocation>()
            + self.offset_indexes.len() * size_of::<ColumnChunkMetaData>()
    }
}

/// What a footer says of the whole file.
#[derive(Debug)]
pub(crate) struct FileHead<'a> {
    pub(crate) schema: SchemaDescPtr,
    pub(crate) created_by: &'a str,
    pub(crate) key_values: Vec<KeyValue>,
}

/// The last bytes of a file whose row groups end at `position`: offset indexes, footer, magic.
pub(crate) fn file_end(
    position: u64,
    head: FileHead<'_>,
    row_groups: Vec<StoredRowGroup>,
) -> Result<Bytes> {
    let rows = row_groups.iter().map(|group| group.metadata.num_rows()).sum();
    let (row_groups, indexes) =
        row_groups.into_iter().map(|group| (group.metadata, group.offset_indexes)).unzip();
    // Version 2: DELTA_BINARY_PACKED is an encoding of Parquet 2.
    let created_by = Some(head.created_by.to_owned());
    let key_values = (!head.key_values.is_empty()).then_some(head.key_values);
    let file = FileMetaData::new(2, rows, created_by, key_values, head.schema, None);
    let metadata = ParquetMetaDataBuilder::new(file)
        .set_row_groups(row_groups)
        .set_page_index(Some(Arc::new(OffsetIndexes(indexes))))
        .build();

    let mut bytes = Vec::new();
    let mut sink = TrackedWrite::new(From { skip: position, bytes: &mut bytes });
    advance(&mut sink, position).expect("writing to memory does not fail");
    ParquetMetaDataWriter::new_with_tracked(sink, &metadata)
        .with_preserve_page_index_locations(false)
        .finish()
        .map_err(refused)?;
    Ok(bytes.into())
}

/// The page indexes of a file: offset indexes only, since the pages carry no statistics.
#[derive(Debug)]
struct OffsetIndexes(Vec<Vec<Option<OffsetIndexMetaData>>>);

impl PageIndexProvider for OffsetIndexes {
    fn has_offset_indexes(&self) -> bool {
        self.0.iter().flatten().any(Option::is_some)
    }

    fn has_column_indexes(&self) -> bool {
        false
    }

    fn column_index(&self, _row_group: usize, _column: usize) -> Option<&ColumnIndexMetaData> {
        None
    }

    fn offset_index(&self, row_group: usize, column: usize) -> Option<&OffsetIndexMetaData> {
        self.0.get(row_group)?.get(column)?.as_ref()
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Keeps what is written from a position on.
///
/// The crate's writer counts positions from the first byte that it wrote, and cannot be told
/// where it begins: [`advance`] moves it there with bytes that go nowhere.
struct From<'a> {
    skip: u64,
    bytes: &'a mut Vec<u8>,
}

impl Write for From<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let skipped =
            usize::try_from(self.skip).map_or(buffer.len(), |skip| skip.min(buffer.len()));
        self.skip -= skipped as u64;
        self.bytes.extend_from_slice(&buffer[skipped..]);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes `distance` bytes that say nothing.
fn advance(sink: &mut impl Write, distance: u64) -> io::Result<()> {
    /// More than the writer's own buffer holds, so that they are not even copied.
    static NOTHING: [u8; 1 << 16] = [0; 1 << 16];
    let mut left = distance;
    while left > 0 {
        let step = usize::try_from(left).map_or(NOTHING.len(), |left| left.min(NOTHING.len()));
        sink.write_all(&NOTHING[..step])?;
        left -= step as u64;
    }
    Ok(())
}
