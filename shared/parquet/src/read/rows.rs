//! Where the rows of a row group come from.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::SerializedPageReader;
use tidegate_core::ports::{RowGroupBounds, RowRun};
use tidegate_core::{Error, Result};

use super::pages::Window;
use super::{OFFSET, PARTITION, TIMESTAMP, TOPIC, unreadable};

/// So many rows are decoded at once.
const BATCH_ROWS: usize = 8_192;

/// Gives the rows of a row group on, in order, and checks them against what the footer says.
/// `bytes`: the columns that tell it, which stand at `start`.
pub(super) fn read(
    group: &RowGroupMetaData,
    bounds: &RowGroupBounds,
    start: u64,
    bytes: &Bytes,
    take: &mut dyn FnMut(RowRun<'_>),
) -> Result<()> {
    let window = Arc::new(Window { start, bytes: bytes.clone() });
    let mut columns = Columns::open(group, &window)?;
    let mut seen: Option<RowGroupBounds> = None;
    let mut left = usize::try_from(group.num_rows()).map_err(unreadable)?;
    while left > 0 {
        let rows = left.min(BATCH_ROWS);
        left -= rows;
        columns.batch(rows)?;
        let batch = &columns.batch;
        let mut at = 0;
        while at < rows {
            let end = (at + 1..rows).find(|next| !batch.same_source(at, *next)).unwrap_or(rows);
            let run = batch.run(at..end)?;
            note(&mut seen, &run);
            take(run);
            at = end;
        }
    }
    if seen.as_ref() == Some(bounds) || (seen.is_none() && bounds.rows == 0) {
        return Ok(());
    }
    Err(Error::corrupt("its footer does not say between what values its rows are"))
}

/// The columns of a row group.
struct Columns {
    topic: ColumnReader,
    partition: ColumnReader,
    offset: ColumnReader,
    timestamp: ColumnReader,
    batch: Batch,
}

/// Some rows.
#[derive(Default)]
struct Batch {
    topics: Vec<ByteArray>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    timestamps: Vec<Option<i64>>,
}

impl Columns {
    fn open(group: &RowGroupMetaData, window: &Arc<Window>) -> Result<Self> {
        let rows = usize::try_from(group.num_rows()).map_err(unreadable)?;
        let column = |at: usize| {
            let column = group.column(at);
            let pages = SerializedPageReader::new(Arc::clone(window), column, rows, None);
            let pages = Box::new(pages.map_err(unreadable)?);
            Ok::<_, Error>(get_column_reader(column.column_descr_ptr(), pages))
        };
        Ok(Self {
            topic: column(TOPIC)?,
            partition: column(PARTITION)?,
            offset: column(OFFSET)?,
            timestamp: column(TIMESTAMP)?,
            batch: Batch::default(),
        })
    }

    /// Reads the next rows.
    fn batch(&mut self, rows: usize) -> Result<()> {
        let batch = &mut self.batch;
        let (mut levels, mut timestamps) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        batch.topics.clear();
        batch.partitions.clear();
        batch.offsets.clear();
        batch.timestamps.clear();
        let (
            ColumnReader::ByteArrayColumnReader(topic),
            ColumnReader::Int32ColumnReader(partition),
            ColumnReader::Int64ColumnReader(offset),
            ColumnReader::Int64ColumnReader(timestamp),
        ) = (&mut self.topic, &mut self.partition, &mut self.offset, &mut self.timestamp)
        else {
            return Err(Error::corrupt("its columns are not of the raw table's types"));
        };
        topic.read_records(rows, None, None, &mut batch.topics).map_err(unreadable)?;
        partition.read_records(rows, None, None, &mut batch.partitions).map_err(unreadable)?;
        offset.read_records(rows, None, None, &mut batch.offsets).map_err(unreadable)?;
        timestamp
            .read_records(rows, Some(&mut levels), None, &mut timestamps)
            .map_err(unreadable)?;
        let mut values = timestamps.into_iter();
        let placed = levels.iter().map(|level| if *level > 0 { values.next() } else { None });
        batch.timestamps.extend(placed);
        let lengths = [
            batch.topics.len(),
            batch.partitions.len(),
            batch.offsets.len(),
            batch.timestamps.len(),
        ];
        if lengths == [rows; 4] {
            return Ok(());
        }
        Err(Error::corrupt(format!("its columns have {lengths:?} values where {rows} rows are")))
    }
}

impl Batch {
    fn same_source(&self, a: usize, b: usize) -> bool {
        self.partitions[a] == self.partitions[b] && self.topics[a] == self.topics[b]
    }

    fn run(&self, rows: Range<usize>) -> Result<RowRun<'_>> {
        Ok(RowRun {
            topic: self.topics[rows.start].as_utf8().map_err(unreadable)?,
            partition: self.partitions[rows.start],
            offsets: &self.offsets[rows.clone()],
            timestamps: &self.timestamps[rows],
        })
    }
}

/// Widens the bounds by the rows of a run.
fn note(seen: &mut Option<RowGroupBounds>, run: &RowRun<'_>) {
    let topic: Arc<str> = match seen {
        Some(seen) if *seen.topic.0 == *run.topic => Arc::clone(&seen.topic.0),
        Some(_) | None => Arc::from(run.topic),
    };
    let (Some(first), Some(last)) = (run.offsets.iter().min(), run.offsets.iter().max()) else {
        return;
    };
    let seen = seen.get_or_insert_with(|| RowGroupBounds {
        rows: 0,
        topic: (Arc::clone(&topic), Arc::clone(&topic)),
        partition: (run.partition, run.partition),
        offset: (*first, *last),
        timestamp: None,
        timestamps_null: 0,
    });
    seen.rows += run.offsets.len() as u64;
    if topic < seen.topic.0 {
        seen.topic.0 = Arc::clone(&topic);
    }
    if topic > seen.topic.1 {
        seen.topic.1 = topic;
    }
    seen.partition = (seen.partition.0.min(run.partition), seen.partition.1.max(run.partition));
    seen.offset = (seen.offset.0.min(*first), seen.offset.1.max(*last));
    for timestamp in run.timestamps {
        match (timestamp, &mut seen.timestamp) {
            (None, _) => seen.timestamps_null += 1,
            (Some(at), Some((min, max))) => (*min, *max) = ((*min).min(*at), (*max).max(*at)),
            (Some(at), none) => *none = Some((*at, *at)),
        }
    }
}
