use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::columns::Columns;
use crate::error::{Error, Result};

/// The compression of a Parquet file's pages (`files.compression`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Codec {
    /// `none`
    None,
    /// `snappy`
    Snappy,
    /// `lz4`: Parquet's LZ4_RAW
    Lz4,
    /// `zstd(level)`: 1 to 22
    Zstd(i32),
    /// `gzip`, level 6
    Gzip,
}

/// What an encoder must know beside the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeSettings {
    /// Compression of the pages.
    pub codec: Codec,
    /// A row group is closed when it holds this many bytes of payload.
    pub row_group_bytes: usize,
}

/// Makes Parquet files of the raw table (design: "Columns of a raw table"). Synchronous, CPU
/// only: core moves the bytes.
pub trait Encoder: Send + Sync {
    /// A file in the making.
    type File: FileEncoder;

    /// Begins a file.
    fn open(&self, settings: EncodeSettings) -> Result<Self::File>;

    /// The fingerprint of the schema that [`Self::open`] writes: equal for two versions of the
    /// code exactly if their files can be joined. 16 hexadecimal digits.
    fn fingerprint(&self) -> String;
}

/// A Parquet file in the making.
pub trait FileEncoder: Send {
    /// Appends the rows `ranges` of `rows`, which belong to one partition.
    ///
    /// A timestamp for which [`crate::columns::timestamp_or_null`] has no answer is written as
    /// null.
    fn append(
        &mut self,
        topic: &str,
        partition: i32,
        rows: &Columns,
        ranges: &[Range<usize>],
    ) -> Result<()>;

    /// Closes the open row group, if it holds a row: its bytes become ready.
    fn close_row_group(&mut self) -> Result<()>;

    /// Takes the bytes that are ready to leave, in file order: none before a row group was closed,
    /// so that a small file leaves as a whole.
    fn take_ready(&mut self) -> Vec<Bytes>;

    /// Heap bytes held now, ready bytes included.
    fn held_bytes(&self) -> usize;

    /// Size of the file so far: bytes taken, ready and (estimated, compressed) held.
    fn file_bytes(&self) -> u64;

    /// Rows appended.
    fn rows(&self) -> u64;

    /// Ends the file, with these pairs in the footer's key-value metadata; what it answers is
    /// the rest of its bytes.
    fn finish(self, metadata: &[(String, String)]) -> Result<Vec<Bytes>>;
}

impl TryFrom<String> for Codec {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let zstd = |text: &str| text.strip_prefix("zstd(")?.strip_suffix(')')?.parse().ok();
        match text.as_str() {
            "none" => Ok(Self::None),
            "snappy" => Ok(Self::Snappy),
            "lz4" => Ok(Self::Lz4),
            "gzip" => Ok(Self::Gzip),
            other => match zstd(other) {
                Some(level @ 1..=22) => Ok(Self::Zstd(level)),
                Some(_) | None => Err(Error::config(format!(
                    "{text:?} is no compression: none, snappy, lz4, gzip, or zstd(1) to zstd(22)"
                ))),
            },
        }
    }
}

impl From<Codec> for String {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::None => "none".to_owned(),
            Codec::Snappy => "snappy".to_owned(),
            Codec::Lz4 => "lz4".to_owned(),
            Codec::Zstd(level) => format!("zstd({level})"),
            Codec::Gzip => "gzip".to_owned(),
        }
    }
}
