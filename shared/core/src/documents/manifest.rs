use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Accounting, CheckpointEntry, CountedSlice, FileSlice, Layout, Loss, Move, SetAside};
use crate::time::Millis;
use crate::words::{PipelineName, RandomId, RunNumber, TopicId};

/// A run's public record (design: "Objects"). Written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's version.
    pub format: u32,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The head's birth id.
    pub birth_id: RandomId,
    /// The run.
    pub run: RunNumber,
    /// The run of the manifest before this one.
    pub previous: Option<RunNumber>,
    /// What the run was.
    pub kind: ManifestKind,
    /// SHA-256 of the layout.
    pub layout_hash: String,
    /// When the run was planned.
    #[serde(with = "crate::time::rfc3339")]
    pub planned_at: Millis,
    /// When its layout was written.
    #[serde(with = "crate::time::rfc3339")]
    pub laid_out_at: Millis,
    /// SHA-256 of the run's spec.
    pub spec_hash: String,
    /// The accounting of every slice.
    pub slices: Vec<ManifestSlice>,
    /// Offsets that were passed over, because they were gone.
    pub losses: Vec<Loss>,
    /// The entries of the checkpoint that the run made or changed.
    pub checkpoint: Vec<ManifestEntry>,
    /// The data files.
    pub files: Vec<ManifestFile>,
    /// Tasks whose output did not count.
    pub set_aside: Vec<SetAside>,
    /// Why, in the words of the operator who reset or aborted; none of a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The partitions that a reset moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
}

/// What a run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestKind {
    /// Records were copied.
    Commit,
    /// An operator decided where partitions go on.
    Reset,
    /// An operator gave the run up: nothing came of it.
    Aborted,
}

impl ManifestKind {
    /// The kind as it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Reset => "reset",
            Self::Aborted => "aborted",
        }
    }
}

/// The accounting of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestSlice {
    /// The topic.
    pub topic: Arc<str>,
    /// Its id.
    pub topic_id: Option<TopicId>,
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// The offset to be read next.
    pub reached: i64,
    /// What the offsets between hold.
    #[serde(flatten)]
    pub accounting: Accounting,
}

/// An entry of the checkpoint that the run made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// The topic.
    pub topic: Arc<str>,
    /// Its id.
    pub topic_id: Option<TopicId>,
    /// The partition.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the batch that holds or follows offset - 1; −1 if unknown.
    pub leader_epoch: i32,
    /// `fine`, `quarantined`, `stopped`, or `unresolved`: it could not be observed at the first
    /// run, and its offset means nothing yet.
    pub state: String,
    /// Why, if it is not fine, for programs: `lost`, `recreated` or `truncated` if it is stopped,
    /// the kind of the error if it is quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A data file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its name, below the destination.
    pub path: String,
    /// Its size, read from what stands.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// What it holds of each partition.
    pub slices: Vec<FileSlice>,
}

impl Manifest {
    /// The manifest of a layout whose hash is `layout_hash` and whose files have these sizes.
    pub fn of(layout: &Layout, layout_hash: &str, file_bytes: &[u64]) -> Self {
        let files = layout.files.iter().zip(file_bytes).map(|(file, bytes)| ManifestFile {
            path: file.path.clone(),
            bytes: *bytes,
            rows: file.rows,
            slices: file.slices.clone(),
        });
        let (kind, reason) = match (&layout.aborted, &layout.reset) {
            (Some(reason), _) => (ManifestKind::Aborted, Some(reason.clone())),
            (None, Some(reset)) => (ManifestKind::Reset, Some(reset.reason.clone())),
            (None, None) => (ManifestKind::Commit, None),
        };
        Self {
            format: super::FORMAT,
            pipeline: layout.pipeline.clone(),
            birth_id: layout.birth_id,
            run: layout.run,
            previous: layout.previous_manifest,
            kind,
            layout_hash: layout_hash.to_owned(),
            planned_at: layout.planned_at,
            laid_out_at: layout.laid_out_at,
            spec_hash: layout.spec_hash.clone(),
            slices: layout.slices.iter().map(ManifestSlice::of).collect(),
            losses: layout.losses.clone(),
            checkpoint: layout.entries.iter().map(ManifestEntry::of).collect(),
            files: files.collect(),
            set_aside: layout.set_aside.clone(),
            reason,
            moves: layout.reset.as_ref().map(|reset| reset.moves.clone()).unwrap_or_default(),
        }
    }

    /// The same once the run was given up: zero-row files stand under the layout's names, and of
    /// the checkpoint only the starts are kept that the run's plan resolved.
    #[must_use]
    pub fn given_up(self, reason: &str, starts: &[CheckpointEntry]) -> Self {
        let empty = |file: ManifestFile| ManifestFile { rows: 0, slices: Vec::new(), ..file };
        Self {
            kind: ManifestKind::Aborted,
            slices: Vec::new(),
            losses: Vec::new(),
            checkpoint: starts.iter().map(ManifestEntry::of).collect(),
            files: self.files.into_iter().map(empty).collect(),
            reason: Some(reason.to_owned()),
            moves: Vec::new(),
            ..self
        }
    }
}

impl ManifestSlice {
    fn of(slice: &CountedSlice) -> Self {
        Self {
            topic: Arc::clone(&slice.partition.topic),
            topic_id: slice.topic_id,
            partition: slice.partition.partition,
            start: slice.start,
            reached: slice.reached,
            accounting: slice.accounting,
        }
    }
}

impl ManifestEntry {
    /// An entry as a manifest shows it.
    pub fn of(entry: &CheckpointEntry) -> Self {
        Self {
            topic: Arc::clone(&entry.partition.topic),
            topic_id: entry.topic_id,
            partition: entry.partition.partition,
            offset: entry.offset,
            leader_epoch: entry.leader_epoch,
            state: entry.state.name().to_owned(),
            reason: entry.state.reason().map(str::to_owned),
            cause: entry.state.message().map(str::to_owned),
        }
    }
}
