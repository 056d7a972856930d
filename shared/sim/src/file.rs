//! A trivial file format in Parquet's place, of the same shape (a magic, regions of rows, a
//! footer, its length and the magic), which the invariants can read back.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidegate_core::error::{Error, Result};

mod encode;
mod join;

pub use encode::{SimEncoder, SimFileEncoder};
pub use join::{SimJoin, SimJoiner};

const MAGIC: &[u8] = b"TIDE";
/// The footer's length and the magic.
const TRAILER_LEN: usize = 8;
const FINGERPRINT: &str = "00000000000051a1";

/// One row as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The key; `None` is null.
    pub key: Option<Vec<u8>>,
}

/// A whole file, read back.
#[derive(Clone, Debug, Default)]
pub struct FileContent {
    /// Its rows, in the order in which they stand.
    pub rows: Vec<FileRow>,
    /// The footer's key-value metadata.
    pub metadata: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Footer {
    rows: u64,
    /// Start and end of each region.
    regions: Vec<(u64, u64)>,
    metadata: Vec<(String, String)>,
}

impl Footer {
    /// The last bytes of the file.
    fn to_bytes(&self) -> Result<Bytes> {
        let mut bytes = serde_json::to_vec(self)
            .map_err(|error| Error::corrupt("the footer cannot be written").with_source(error))?;
        let len = u32::try_from(bytes.len())
            .map_err(|error| Error::corrupt("the footer is too long").with_source(error))?;
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(MAGIC);
        Ok(bytes.into())
    }

    /// How long the footer is with its trailer, by the file's last 8 bytes.
    fn len_of(tail: &[u8]) -> Result<usize> {
        let trailer = tail.len().checked_sub(TRAILER_LEN).map(|start| &tail[start..]);
        let (len, magic) =
            trailer.map(|trailer| trailer.split_at(4)).ok_or_else(|| no_file("it is too short"))?;
        if magic != MAGIC {
            return Err(no_file("it does not end with the magic"));
        }
        let len = len.try_into().map(u32::from_le_bytes).unwrap_or_default();
        Ok(usize::try_from(len).unwrap_or(usize::MAX).saturating_add(TRAILER_LEN))
    }

    /// Reads the footer, whose length with its trailer is `len`, off the end of `tail`.
    fn read(tail: &[u8], len: usize) -> Result<Self> {
        let start = tail.len().checked_sub(len).ok_or_else(|| no_file("its footer is cut off"))?;
        serde_json::from_slice(&tail[start..tail.len() - TRAILER_LEN])
            .map_err(|error| no_file("its footer cannot be read").with_source(error))
    }
}

fn no_file(why: &str) -> Error {
    Error::corrupt(format!("this is no file of the simulation: {why}"))
}

impl FileContent {
    /// Reads a whole file.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let footer = Footer::read(bytes, Footer::len_of(bytes)?)?;
        if !bytes.starts_with(MAGIC) {
            return Err(no_file("it does not begin with the magic"));
        }
        let mut rows = Vec::new();
        for (start, end) in &footer.regions {
            let range = usize::try_from(*start).unwrap_or(usize::MAX)
                ..usize::try_from(*end).unwrap_or(usize::MAX);
            let region = bytes.get(range).ok_or_else(|| no_file("a region lies outside"))?;
            encode::read_rows(region, &mut rows)?;
        }
        if u64::try_from(rows.len()).ok() != Some(footer.rows) {
            return Err(no_file("the footer counts other rows than there are"));
        }
        Ok(Self { rows, metadata: footer.metadata })
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::columns::{Columns, Row};
    use tidegate_core::ports::{
        Codec, EncodeSettings, Encoder, FileEncoder, FooterRead, Join, JoinInput, JoinStep, Joiner,
    };

    use super::*;

    fn file(partition: i32, offsets: &[i64]) -> Bytes {
        let settings = EncodeSettings { codec: Codec::None, row_group_bytes: 40 };
        let mut file = SimEncoder.open(settings).expect("opens");
        let mut rows = Columns::default();
        for offset in offsets {
            let key = offset.to_be_bytes();
            let row = Row {
                offset: *offset,
                timestamp: 5,
                append_time: false,
                key: Some(&key),
                value: None,
            };
            rows.push(row);
        }
        let mut ready = Vec::new();
        let half = offsets.len() / 2;
        file.append("rides", partition, &rows, &[0..half, half..offsets.len()]).expect("appends");
        ready.extend(file.take_ready());
        assert_eq!(file.rows(), u64::try_from(offsets.len()).expect("small"));
        ready.extend(file.finish(&[("k".into(), "v".into())]).expect("finishes"));
        ready.concat().into()
    }

    fn offsets(bytes: &[u8]) -> Vec<i64> {
        FileContent::read(bytes).expect("a file").rows.iter().map(|row| row.offset).collect()
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let bytes = file(3, &[4, 5, 9]);
        let content = FileContent::read(&bytes).expect("a file");
        assert_eq!(offsets(&bytes), [4, 5, 9]);
        assert_eq!(content.metadata, [("k".to_owned(), "v".to_owned())]);
        assert_eq!(content.rows[0].partition, 3);
        assert!(FileContent::read(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn joined_files_hold_the_rows_one_after_another() {
        for copy_bytes_min in [0, u64::MAX] {
            let inputs = [file(0, &[1, 2, 3, 4, 5]), file(0, &[6])];
            let joiner = SimJoiner::default();
            let footers = inputs.each_ref().map(|bytes| {
                let len = u64::try_from(bytes.len()).expect("small");
                let short = bytes.slice(bytes.len() - 9..);
                let Ok(FooterRead::NeedsTail(more)) = joiner.footer(&short, len) else {
                    panic!("nine bytes are no footer")
                };
                let start = bytes.len() - usize::try_from(more).expect("small");
                match joiner.footer(&bytes.slice(start..), len) {
                    Ok(FooterRead::Footer(footer)) => JoinInput { footer },
                    other => panic!("{other:?}"),
                }
            });
            let pairs = [("layout".to_owned(), "x".to_owned())];
            let mut join = joiner.join(footers.to_vec(), &pairs, copy_bytes_min, 1).expect("joins");
            let (mut joined, mut fetched) = (Vec::new(), Vec::new());
            loop {
                let span = |input: usize, range: std::ops::Range<u64>| {
                    let at = |offset: u64| usize::try_from(offset).expect("small");
                    inputs[input].slice(at(range.start)..at(range.end))
                };
                match join.next(std::mem::take(&mut fetched)).expect("goes on") {
                    JoinStep::Fetch(wanted) => {
                        fetched = wanted.into_iter().map(|(i, range)| span(i, range)).collect();
                    }
                    JoinStep::Write(bytes) => joined.extend_from_slice(&bytes),
                    JoinStep::Copy { input, range } => {
                        joined.extend_from_slice(&span(input, range))
                    }
                    JoinStep::Done => break,
                }
            }
            assert_eq!(offsets(&joined), [1, 2, 3, 4, 5, 6]);
            assert_eq!(FileContent::read(&joined).expect("a file").metadata, pairs);
        }
    }
}
