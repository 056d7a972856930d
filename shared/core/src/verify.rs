//! The proof of a destination: pure checks of what stands against what the manifests say.
//!
//! Each check answers findings that name the object and what is wrong with it. A destination
//! without findings holds every committed offset exactly once.

mod chain;
mod difference;
mod files;
mod folders;
mod links;
mod manifest;
mod offset_set;
mod positions;
mod rows;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub(crate) use chain::{check_beyond, check_layout, check_manifest, check_strays};
pub(crate) use files::{BoundsOfRun, Stranger, check_data_file, judge_stranger};
pub(crate) use folders::{Folders, Tables};
pub(crate) use links::{Chain, Link, StandingLayout, StandingManifest, layout_path, manifest_path};
pub(crate) use manifest::check_sums;
pub(crate) use positions::{Positions, check_checkpoint};
pub(crate) use rows::{FileRows, RowsOfRun};

/// Something that is wrong, or worth a word.
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
