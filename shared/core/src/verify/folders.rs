//! Where rows belong.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::documents::{FileSlice, ManifestFile};
use crate::names;
use crate::ports::RowGroupBounds;
use crate::spec::{DirectoriesBy, Spec};
use crate::time::Millis;

/// Where the rows of a run belong, by its spec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folders<'a> {
    /// The run's spec.
    pub(crate) spec: &'a Spec,
    /// When the run was planned.
    pub(crate) planned_at: Millis,
}

impl Folders<'_> {
    /// What decides over a row's directory: equal for rows of one directory.
    pub(super) fn bucket(&self, timestamp: Option<i64>) -> Option<i64> {
        let time = match self.spec.directories_by {
            DirectoriesBy::Run => Some(self.planned_at.0),
            DirectoriesBy::Timestamp => timestamp,
        };
        self.spec.directories.bucket(time.unwrap_or(-1))
    }

    /// The folder of a topic's rows in a bucket; none if the topic cannot have one.
    pub(super) fn folder(&self, topic: &str, bucket: Option<i64>) -> Option<String> {
        let table = self.spec.table_of(topic).ok()?;
        Some(names::data_folder(&table, &self.spec.directories.name(bucket)))
    }

    /// Whether rows of a topic in a bucket belong into the folder of `path`; where they belong,
    /// if not.
    pub(super) fn misplaced(&self, path: &str, topic: &str, bucket: Option<i64>) -> Option<String> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match self.folder(topic, bucket) {
            Some(right) if right == folder => None,
            Some(right) => Some(format!("they belong into {right}")),
            None => Some(format!("topic {topic} has no folder")),
        }
    }

    /// Checks the earliest and the latest row of a row group, and those without a time.
    pub(super) fn check_bounds(
        &self,
        file: &ManifestFile,
        slices: &[&FileSlice],
        group: &RowGroupBounds,
    ) -> Vec<String> {
        let mut times: BTreeSet<Option<i64>> = BTreeSet::new();
        if let Some((first, last)) = group.timestamp {
            times.extend([Some(first), Some(last)]);
        }
        if group.timestamps_null > 0 {
            times.insert(None);
        }
        let buckets: BTreeSet<Option<i64>> = times.into_iter().map(|t| self.bucket(t)).collect();
        let topics: BTreeSet<&Arc<str>> = slices.iter().map(|slice| &slice.topic).collect();
        let faults = topics.iter().flat_map(|topic| {
            buckets.iter().filter_map(|bucket| self.misplaced(&file.path, topic, *bucket))
        });
        faults.map(|fault| format!("it holds rows of another folder: {fault}")).collect()
    }
}

/// The folders of tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    folders: BTreeSet<String>,
}

impl Tables {
    /// The folders that a spec gives to these topics.
    pub(crate) fn of<'a>(spec: &Spec, topics: impl IntoIterator<Item = &'a Arc<str>>) -> Self {
        let folders = topics.into_iter().filter_map(|topic| spec.table_of(topic).ok());
        Self { folders: folders.map(|folder| folder + "/").collect() }
    }

    /// Whether a path is in one of them, under a name that query engines do not pass over.
    pub(crate) fn hold(&self, path: &str) -> bool {
        let Some((_, name)) = path.rsplit_once('/') else { return false };
        let mut slashes = path.match_indices('/').map(|(at, _)| at);
        !name.starts_with(['_', '.']) && slashes.any(|at| self.folders.contains(&path[..=at]))
    }

    /// Adds the folder of a data file that is in none of them: its table had another name once.
    /// Answers the folder, if it was added.
    pub(crate) fn add_folder_of(&mut self, path: &str) -> Option<String> {
        if self.hold(path) {
            return None;
        }
        let (folder, _) = path.rsplit_once('/')?;
        let folder = format!("{folder}/");
        self.folders.insert(folder.clone()).then_some(folder)
    }
}
