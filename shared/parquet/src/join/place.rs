//! What a footer says of a row group that is moved, or spliced from several.

use parquet::basic::EncodingMask;
use parquet::file::metadata::{
    ColumnChunkMetaData, LevelHistogram, PageEncodingStats, RowGroupMetaData,
};
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use parquet::schema::types::SchemaDescPtr;
use tidegate_core::{Error, Result};

use super::input::chunk_start;
use super::statistics::{self, Part};
use crate::footer::StoredRowGroup;
use crate::refused;

/// The row group that holds the pages of `sources`, column by column; those of column `n` stand
/// together from `starts[n]` on. Sources that have a dictionary stand alone.
///
/// Column indexes and bloom filters are left out: no file of ours has them.
pub(super) fn place(
    sources: &[&StoredRowGroup],
    starts: &[i64],
    ordinal: usize,
    schema: SchemaDescPtr,
) -> Result<StoredRowGroup> {
    let groups = || sources.iter().map(|source| &source.metadata);
    let sorting = groups().next().and_then(RowGroupMetaData::sorting_columns);
    let same_sorting = groups().all(|group| group.sorting_columns() == sorting);
    let mut placed = RowGroupMetaData::builder(schema)
        .set_num_rows(sum(groups().map(RowGroupMetaData::num_rows))?)
        .set_total_byte_size(sum(groups().map(RowGroupMetaData::total_byte_size))?)
        .set_sorting_columns(sorting.filter(|_| same_sorting).cloned())
        .set_ordinal(i32::try_from(ordinal).map_err(|_| too_much())?)
        .set_file_offset(starts.iter().copied().min().unwrap_or(0));
    let mut offset_indexes = Vec::with_capacity(starts.len());
    for (number, start) in starts.iter().enumerate() {
        let columns: Vec<_> = groups().map(|group| group.column(number)).collect();
        placed = placed.add_column_metadata(column(&columns, *start)?);
        offset_indexes.push(offset_index(sources, number, *start));
    }
    let metadata = placed.build().map_err(refused)?;
    Ok(StoredRowGroup { metadata, offset_indexes })
}

fn column(columns: &[&ColumnChunkMetaData], start: i64) -> Result<ColumnChunkMetaData> {
    let [first, ..] = columns else { return Err(too_much()) };
    let total = |of: fn(&ColumnChunkMetaData) -> i64| sum(columns.iter().map(|column| of(column)));
    let encodings = columns.iter().flat_map(|column| column.encodings()).collect::<Vec<_>>();
    let moved = |position: i64| position - chunk_start(first) + start;
    let mut placed = ColumnChunkMetaData::builder(first.column_descr_ptr())
        .set_compression_codec(first.compression_codec())
        .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
        .set_num_values(total(ColumnChunkMetaData::num_values)?)
        .set_total_compressed_size(total(ColumnChunkMetaData::compressed_size)?)
        .set_total_uncompressed_size(total(ColumnChunkMetaData::uncompressed_size)?)
        .set_data_page_offset(moved(first.data_page_offset()))
        .set_dictionary_page_offset(first.dictionary_page_offset().map(moved))
        .set_unencoded_byte_array_data_bytes(
            all(columns, |column| column.unencoded_byte_array_data_bytes()).map(sum).transpose()?,
        )
        .set_repetition_level_histogram(histogram(columns, |column| {
            column.repetition_level_histogram()
        }))
        .set_definition_level_histogram(histogram(columns, |column| {
            column.definition_level_histogram()
        }));
    if let Some(stats) = page_encoding_stats(columns) {
        placed = placed.set_page_encoding_stats(stats);
    }
    let parts = all(columns, |column| {
        column.statistics().map(|statistics| Part { statistics, values: column.num_values() })
    });
    let order = first.column_descr().sort_order();
    if let Some(statistics) = parts.and_then(|parts| statistics::merge(&parts, order)) {
        placed = placed.set_statistics(statistics);
    }
    placed.build().map_err(refused)
}

/// What each column has, if all have it.
fn all<'a, T>(
    columns: &[&'a ColumnChunkMetaData],
    of: impl Fn(&'a ColumnChunkMetaData) -> Option<T>,
) -> Option<Vec<T>> {
    columns.iter().map(|column| of(column)).collect()
}

fn histogram<'a>(
    columns: &[&'a ColumnChunkMetaData],
    of: impl Fn(&'a ColumnChunkMetaData) -> Option<&'a LevelHistogram>,
) -> Option<LevelHistogram> {
    let histograms = all(columns, of)?;
    let (first, rest) = histograms.split_first()?;
    let mut counts = first.values().to_vec();
    for histogram in rest {
        if histogram.len() != counts.len() {
            return None;
        }
        for (count, more) in counts.iter_mut().zip(histogram.values()) {
            *count = count.checked_add(*more)?;
        }
    }
    Some(counts.into())
}

/// Page counts by type and encoding, in the order in which these are first seen.
fn page_encoding_stats(columns: &[&ColumnChunkMetaData]) -> Option<Vec<PageEncodingStats>> {
    let mut merged: Vec<PageEncodingStats> = Vec::new();
    for stats in all(columns, ColumnChunkMetaData::page_encoding_stats)?.into_iter().flatten() {
        let same = merged
            .iter_mut()
            .find(|known| (known.page_type, known.encoding) == (stats.page_type, stats.encoding));
        match same {
            Some(known) => known.count = known.count.checked_add(stats.count)?,
            None => merged.push(stats.clone()),
        }
    }
    Some(merged)
}

/// The pages of column `number` of all sources, which stand together from `start` on; none if
/// one of them does not know its pages.
fn offset_index(
    sources: &[&StoredRowGroup],
    number: usize,
    start: i64,
) -> Option<OffsetIndexMetaData> {
    let mut page_locations = Vec::new();
    let mut unencoded = Some(Vec::new());
    let (mut at, mut rows) = (start, 0);
    for source in sources {
        let index = source.offset_indexes.get(number)?.as_ref()?;
        let column = source.metadata.column(number);
        let shift = at - chunk_start(column);
        page_locations.extend(index.page_locations.iter().map(|page| PageLocation {
            offset: page.offset + shift,
            compressed_page_size: page.compressed_page_size,
            first_row_index: page.first_row_index + rows,
        }));
        match (&mut unencoded, &index.unencoded_byte_array_data_bytes) {
            (Some(all), Some(bytes)) => all.extend_from_slice(bytes),
            (None, _) | (_, None) => unencoded = None,
        }
        at += column.compressed_size();
        rows += source.metadata.num_rows();
    }
    let unencoded = unencoded.filter(|bytes| bytes.len() == page_locations.len());
    Some(OffsetIndexMetaData { page_locations, unencoded_byte_array_data_bytes: unencoded })
}

fn sum(counts: impl IntoIterator<Item = i64>) -> Result<i64> {
    counts.into_iter().try_fold(0_i64, i64::checked_add).ok_or_else(too_much)
}

fn too_much() -> Error {
    Error::corrupt("the files to be joined claim sizes that no Parquet file can have")
}
