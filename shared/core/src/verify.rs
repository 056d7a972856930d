//! The proof of a destination: pure checks of what stands against what the manifests say.
//!
//! Each check answers findings that name the object and what is wrong with it. A destination
//! without findings holds every committed offset exactly once.

mod chain;
mod files;
mod offsets;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use chain::{StandingManifest, StandingRunLayout, check_chain};
pub use files::{RowId, check_file, check_rows, unknown_files};
pub use offsets::{check_checkpoint, check_offsets};

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The object, or the part of the state.
    pub at: String,
    /// What is wrong with it.
    pub message: String,
}

impl Finding {
    /// A finding.
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into() }
    }
}
