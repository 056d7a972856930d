//! What must hold after every port call (design: "What is promised"). Each check compares what
//! was written with the model's truth, or with what was written before; none asks core.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tidegate_core::documents::{Head, Layout, Manifest};
use tidegate_core::names;
use tidegate_core::ports::Document;
use tidegate_core::words::{Isolation, PipelineName, RandomId, RunNumber, TopicId, TopicPartition};

mod commit;
mod data;
mod head;
mod operator;
mod rest;
mod restore;

pub(crate) use restore::Backup;

use crate::world::State;

/// Where the committed checkpoint has each partition.
type Committed = BTreeMap<TopicPartition, (Option<TopicId>, i64)>;
/// First content of each document.
type Documents = BTreeMap<(PipelineName, Document), Bytes>;
/// Topic id, offset and state of each partition.
type Told = BTreeMap<TopicPartition, (Option<TopicId>, i64, String)>;

/// What was seen so far, and what was wrong about it.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) isolation: Isolation,
    /// Whether the pipeline starts at the log start, so that nothing that stands is passed over.
    pub(crate) from_earliest: bool,
    pub(crate) violations: Vec<String>,
    /// Otherwise: where each log ended when the first run was opened. What came behind is to be
    /// published.
    pub(crate) begun: BTreeMap<(TopicId, i32), i64>,
    /// Every row in a data file: its record's number and the file.
    pub(crate) published: BTreeMap<(TopicId, i32, i64), (u64, RunNumber)>,
    /// First content of every object that may not change.
    first: BTreeMap<String, Bytes>,
    documents: Documents,
    /// Layouts by their run, with their hashes, in the order of their chain.
    pub(crate) layouts: BTreeMap<RunNumber, (Layout, String)>,
    pub(crate) manifests: BTreeMap<RunNumber, Manifest>,
    /// Runs that the head ever had.
    opened: BTreeSet<(RunNumber, RandomId)>,
    /// Runs that were closed.
    pub(crate) closed: BTreeSet<RunNumber>,
    /// Runs that an operator gave up.
    pub(crate) aborted: BTreeSet<RunNumber>,
    /// Reasons of the resets that may publish offsets twice.
    pub(crate) permitted: BTreeSet<String>,
    /// Offsets that an operator chose never to read.
    skipped: BTreeSet<(TopicId, i32, i64)>,
    /// Where the committed checkpoint has each partition.
    pub(crate) committed: Committed,
    /// What the manifests say of each partition, one after another.
    told: Told,
    /// Partitions that the committed checkpoint stops.
    pub(crate) stopped: BTreeSet<TopicPartition>,
    pub(crate) head: Option<Head>,
    /// Whether the state table was ever put back to an earlier point.
    pub(crate) restored: bool,
    /// Whether a function refused to go on because of that.
    pub(crate) refused: bool,
}

impl Watch {
    pub(crate) fn new(isolation: Isolation, from_earliest: bool) -> Self {
        Self {
            isolation,
            from_earliest,
            begun: BTreeMap::new(),
            violations: Vec::new(),
            published: BTreeMap::new(),
            first: BTreeMap::new(),
            documents: BTreeMap::new(),
            layouts: BTreeMap::new(),
            manifests: BTreeMap::new(),
            opened: BTreeSet::new(),
            closed: BTreeSet::new(),
            aborted: BTreeSet::new(),
            permitted: BTreeSet::new(),
            skipped: BTreeSet::new(),
            committed: BTreeMap::new(),
            told: BTreeMap::new(),
            stopped: BTreeSet::new(),
            head: None,
            restored: false,
            refused: false,
        }
    }

    pub(crate) fn violated(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Whether `path` is a data file or the manifest of a run that an operator gave up.
    fn gave_up(&self, path: &str) -> bool {
        let run = names::DataFile::parse(path).map(|name| name.run);
        let run = run.or_else(|| names::ManifestFile::parse(path).map(|name| name.run));
        run.is_some_and(|run| self.aborted.contains(&run))
    }

    /// The first violation, if there is one.
    pub(crate) fn verdict(&self) -> Option<&String> {
        self.violations.first()
    }
}

impl State {
    /// After an attempt to create `path` from `attempted`: whatever stands there now is judged.
    pub(crate) fn check_object(&mut self, path: &str, attempted: &Bytes) {
        if !self.settings.watched {
            return;
        }
        let Some(stands) = self.objects.get(path).cloned() else { return };
        if let Some(first) = self.watch.first.get(path) {
            if *first != stands {
                return self.watch.violated(format!("{path} was changed"));
            }
            // Layouts and staged files have an author; all else follows from the layout alone,
            // unless the run was given up.
            let follows = names::LayoutFile::parse(path).is_none() && !self.watch.gave_up(path);
            if follows && *attempted != stands {
                self.watch.violated(format!("{path} was made twice, and not alike"));
            }
            return;
        }
        self.watch.first.insert(path.to_owned(), stands.clone());
        if let Some(file) = names::DataFile::parse(path) {
            self.check_data_file(path, &file, &stands);
        } else if let Some(file) = names::LayoutFile::parse(path) {
            self.check_layout(&file, &stands);
        } else if let Some(file) = names::ManifestFile::parse(path) {
            self.check_manifest(&file, &stands);
        } else if let Some(file) = names::StagedFile::parse(path) {
            if !self.watch.opened.iter().any(|(run, _)| *run == file.run) {
                self.watch.violated(format!("{path} was staged before its run was open"));
            }
        } else {
            self.watch.violated(format!("{path} has no name that the design knows"));
        }
    }

    /// After `path` was deleted: only staged files ever are, and only when nobody needs them.
    pub(crate) fn check_deleted(&mut self, path: &str) {
        if !self.settings.watched {
            return;
        }
        let Some(file) = names::StagedFile::parse(path) else {
            return self.watch.violated(format!("{path} was deleted"));
        };
        let needed = self.watch.layouts.get(&file.run).is_some_and(|(layout, _)| {
            layout.files.iter().any(|file| file.staged.iter().any(|staged| staged == path))
        });
        if needed && !self.watch.closed.contains(&file.run) {
            self.watch.violated(format!("{path} was deleted before its run was committed"));
        }
    }

    /// After a document was written.
    pub(crate) fn check_document(
        &mut self,
        pipeline: &PipelineName,
        document: Document,
        bytes: &Bytes,
    ) {
        if !self.settings.watched {
            return;
        }
        let watch = &mut self.watch;
        let first =
            watch.documents.entry((pipeline.clone(), document)).or_insert_with(|| bytes.clone());
        if *first != *bytes {
            return watch.violated(format!("{document} was written over"));
        }
        if let Document::Output(run, plan, _) | Document::Checkpoint(run, plan) = document
            && !watch.opened.contains(&(run, plan))
        {
            watch.violated(format!("{document} was written before its run was open"));
        }
    }
}
