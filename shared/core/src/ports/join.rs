use std::ops::Range;

use bytes::Bytes;

use crate::error::Result;

/// What stands in the footer of a Parquet file, as far as core looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFooter {
    /// Rows of the file.
    pub rows: u64,
    /// The footer's key-value metadata, in order.
    pub metadata: Vec<(String, String)>,
    /// Fingerprint of the schema: see [`crate::ports::Encoder::fingerprint`].
    pub fingerprint: String,
    /// The footer's bytes, with its page indexes if they stand in the tail that was read.
    pub tail: Bytes,
    /// Length of the whole file.
    pub file_bytes: u64,
}

impl FileFooter {
    /// The value of `key` in the key-value metadata.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }
}

/// The answer of [`Joiner::footer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FooterRead {
    /// It was all there.
    Footer(FileFooter),
    /// The last so many bytes of the file are needed.
    NeedsTail(u64),
}

/// A file to be joined.
#[derive(Clone, Debug)]
pub struct JoinInput {
    /// Its footer.
    pub footer: FileFooter,
}

/// What the joiner wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinStep {
    /// Fetch these ranges (input, bytes of it) and give them to the next call of
    /// [`Join::next`], in this order.
    Fetch(Vec<(usize, Range<u64>)>),
    /// The joined file goes on with these bytes.
    Write(Bytes),
    /// The joined file goes on with these bytes of that input, as they are.
    Copy {
        /// Which input.
        input: usize,
        /// Which bytes of it.
        range: Range<u64>,
    },
    /// The joined file is whole.
    Done,
}

/// What a join did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinStats {
    /// Row groups that were copied as they are.
    pub row_groups_copied: u64,
    /// Pages that were spliced into larger row groups without decoding.
    pub pages_copied: u64,
    /// Rows that had to be decoded: none, ever; a file that cannot be joined is refused.
    pub rows_decoded: u64,
}

/// Joins Parquet files of one schema, without decoding (notes: "Joining Parquet"). CPU only.
///
/// The bytes of the joined file follow from the inputs and the metadata alone.
pub trait Joiner: Send + Sync {
    /// A join in the making.
    type Join: Join;

    /// Reads the footer from the last bytes of a file that has `file_bytes` in all. `Corrupt`
    /// where that is no Parquet file.
    fn footer(&self, tail: &Bytes, file_bytes: u64) -> Result<FooterRead>;

    /// Begins to join `inputs` (at least one, all of one fingerprint), in this order. `metadata`
    /// replaces the inputs' own pairs. Regions of `copy_bytes_min` bytes and more are copied,
    /// smaller ones spliced into row groups of up to `row_group_bytes`.
    fn join(
        &self,
        inputs: Vec<JoinInput>,
        metadata: &[(String, String)],
        copy_bytes_min: u64,
        row_group_bytes: u64,
    ) -> Result<Self::Join>;
}

/// A join in the making.
pub trait Join: Send {
    /// The next step. `fetched` is what the step before asked for; empty otherwise.
    fn next(&mut self, fetched: Vec<Bytes>) -> Result<JoinStep>;

    /// What was done so far.
    fn stats(&self) -> JoinStats;
}
