//! What a footer says of the rows of a row group.

use std::sync::Arc;

use parquet::data_type::ByteArray;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::{Statistics, ValueStatistics};
use tidegate_core::ports::RowGroupBounds;
use tidegate_core::{Error, Result};

use super::{OFFSET, PARTITION, TIMESTAMP, TOPIC, unreadable};

/// The bounds of a row group; `Corrupt` where the footer has none.
pub(super) fn of_group(group: &RowGroupMetaData) -> Result<RowGroupBounds> {
    let rows = u64::try_from(group.num_rows()).map_err(unreadable)?;
    let statistics = |column: usize| {
        let name = || group.column(column).column_path().string();
        group.column(column).statistics().ok_or_else(|| none(&name()))
    };
    let Statistics::ByteArray(topic) = statistics(TOPIC)? else { return Err(none("topic")) };
    let Statistics::Int32(partition) = statistics(PARTITION)? else {
        return Err(none("partition"));
    };
    let Statistics::Int64(offset) = statistics(OFFSET)? else { return Err(none("offset")) };
    let Statistics::Int64(timestamp) = statistics(TIMESTAMP)? else {
        return Err(none("timestamp"));
    };
    let (first, last) = exact("topic", topic)?;
    let name = |topic: &ByteArray| topic.as_utf8().map(Arc::from).map_err(unreadable);
    let timestamps_null = timestamp.null_count_opt().ok_or_else(|| none("timestamp"))?;
    let timestamp =
        if timestamps_null == rows { None } else { Some(exact("timestamp", timestamp)?) };
    Ok(RowGroupBounds {
        rows,
        topic: (name(&first)?, name(&last)?),
        partition: exact("partition", partition)?,
        offset: exact("offset", offset)?,
        timestamp,
        timestamps_null,
    })
}

/// The smallest and the largest value.
fn exact<T: Clone>(column: &str, statistics: &ValueStatistics<T>) -> Result<(T, T)> {
    match (statistics.min_opt(), statistics.max_opt()) {
        (Some(min), Some(max)) if statistics.min_is_exact() && statistics.max_is_exact() => {
            Ok((min.clone(), max.clone()))
        }
        _ => Err(none(column)),
    }
}

fn none(column: &str) -> Error {
    Error::corrupt(format!("its footer does not say between what values column {column} is"))
}
