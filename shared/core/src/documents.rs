//! Everything that is persisted: what it holds, its format version, its hash.
//!
//! A format is read one release before it is written: a newer version than this code knows is
//! refused, an older one is read. Golden files under `tests/golden` freeze every document.

mod checkpoint;
mod head;
mod layout;
mod manifest;
mod operator;
mod output;
mod plan;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

pub(crate) use checkpoint::UNRESOLVED;
pub use checkpoint::{
    Checkpoint, CheckpointEntry, CheckpointRef, EndFound, PartitionState, Quarantine, StopCause,
};
pub use head::{Head, LayoutRef, Lease, OpenRun};
pub use layout::{CountedSlice, DataFile, FileSlice, Layout, SetAside};
pub use manifest::{Manifest, ManifestEntry, ManifestFile, ManifestKind, ManifestSlice};
pub use operator::{Abort, Move, Reset};
pub use output::{Accounting, Output, SliceOutput, StagedFile, StagedSlice};
pub use plan::{LeftOut, Loss, Plan, PlannedEnd, PlannedSlice, Task, Why};

/// The version of every document's format that this code writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// A document as its stored bytes: JSON.
pub fn encode<T: Serialize>(document: &T) -> Bytes {
    // Only a map with keys that are no strings, or a failing writer, could make this fail.
    Bytes::from(serde_json::to_vec(document).expect("documents have string keys only"))
}

/// Reads a document of at most our format version; `what` names it in the error.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let version: Version = serde_json::from_slice(bytes)
        .map_err(|e| Error::corrupt(format!("{what} is no document of ours: {e}")))?;
    if version.format > FORMAT {
        return Err(Error::corrupt(format!(
            "{what} has format {}, and this version reads up to {FORMAT}: update tidegate",
            version.format
        )));
    }
    serde_json::from_slice(bytes)
        .map_err(|e| Error::corrupt(format!("{what} is not what was written: {e}")))
}

/// A document's hash: SHA-256 over its stored bytes, in hexadecimal; never over a
/// re-serialization.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write as _;
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        hex
    })
}
