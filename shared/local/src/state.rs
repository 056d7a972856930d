//! The state on a directory: one folder per pipeline.
//!
//! ```text
//! <state>/<pipeline>/lock                              shared by all, exclusive to remove
//!                    head/<version, 20 digits>.json    the chain of heads: the newest counts
//!                    run/<n>/<plan id>/plan.json       documents, each with its expiry in front
//!                                      plan/<task>.json, output/<task>.json, checkpoint.json
//!                                      checkpoint.expires   an expiry that was given later
//!                                      progress/done.<task>, failed.<task>.<attempt>.<kind>
//!                    holders/<id>.lock                 locked as long as the holder lives
//! ```

mod documents;
mod head;
mod holders;
mod lock;
mod progress;
mod sweep;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{Document, Mark, Marks, StateStore, StoredHead, Swapped, Written};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::words::{PipelineName, RandomId, RunNumber};

use crate::blocking::within;
use crate::durable::Tree;
use crate::failure::failed;
use crate::scratch::Scratch;

pub use holders::Hold;

/// The state on a directory, shared by all processes that open it.
///
/// # The head
///
/// Version *v* + 1 is linked under its own name, which fails if somebody did so before: that is
/// the swap. The newest version is the largest number in a listing. Versions are removed in the
/// end, and two things must not happen then: a reader that misses the newest, and a swap, stalled
/// since *v* was the newest, that finds the name *v* + 1 free again. So who lists or swaps holds
/// the pipeline's `lock` shared, and who removes holds it exclusively (a process that cannot have
/// it at once leaves the sweep to the next). Then, while a shared lock is held,
///
/// - nothing is removed: what stood when a listing began is in it (POSIX promises as much for
///   entries that are not touched meanwhile), and can be opened;
/// - between the check that *v* is the newest and the link, others may add *v* + 1 (then the link
///   fails) but nobody can take it away again.
///
/// A dead process holds no lock. A stopped one that holds it exclusively, for the milliseconds of
/// a sweep, makes the others wait until their deadlines.
#[derive(Clone, Debug)]
pub struct DirectoryState {
    tree: Arc<Tree>,
}

/// The folder of one pipeline.
#[derive(Clone, Debug)]
struct Pipeline {
    tree: Arc<Tree>,
    dir: PathBuf,
}

impl DirectoryState {
    /// The state below the directory `root`. Nothing is touched yet: the directory is made with
    /// the first thing that is written.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let root = std::path::absolute(root).map_err(|error| failed("open", root, error))?;
        let scratch =
            Scratch { anonymous_in: root.clone(), named_in: root.join(".tmp"), anonymous: true };
        scratch.sweep();
        Ok(Self { tree: Arc::new(Tree::new(root, None, scratch)) })
    }

    fn pipeline(&self, name: &PipelineName) -> Pipeline {
        Pipeline { tree: Arc::clone(&self.tree), dir: self.tree.root().join(name.as_str()) }
    }
}

impl Pipeline {
    fn plan_dir(&self, run: RunNumber, plan: RandomId) -> PathBuf {
        self.dir.join(format!("run/{run}/{plan}"))
    }
}

impl StateStore for DirectoryState {
    type Hold = Hold;

    async fn load_head(&self, name: &PipelineName, by: Deadline) -> Result<Option<StoredHead>> {
        let pipeline = self.pipeline(name);
        within(by, "load the head", move || head::load(&pipeline, by)).await
    }

    async fn swap_head(
        &self,
        name: &PipelineName,
        expected: Option<u64>,
        bytes: Bytes,
        by: Deadline,
    ) -> Result<Swapped> {
        let pipeline = self.pipeline(name);
        within(by, "swap the head", move || head::swap(&pipeline, expected, &bytes, by)).await
    }

    async fn write(
        &self,
        name: &PipelineName,
        document: Document,
        bytes: Bytes,
        expires: Option<Millis>,
        by: Deadline,
    ) -> Result<Written> {
        let pipeline = self.pipeline(name);
        let doing = format!("write {document}");
        within(by, &doing, move || {
            let written = documents::write(&pipeline, document, &bytes, expires, by)?;
            if let Document::Plan(run, _) = document {
                sweep::with_plan_of(&pipeline, run);
            }
            Ok(written)
        })
        .await
    }

    async fn load(
        &self,
        name: &PipelineName,
        document: Document,
        by: Deadline,
    ) -> Result<Option<Bytes>> {
        let pipeline = self.pipeline(name);
        within(by, &format!("load {document}"), move || documents::load(&pipeline, document)).await
    }

    async fn expire(
        &self,
        name: &PipelineName,
        document: Document,
        at: Millis,
        by: Deadline,
    ) -> Result<()> {
        let pipeline = self.pipeline(name);
        let doing = format!("expire {document}");
        within(by, &doing, move || documents::expire(&pipeline, document, at)).await
    }

    async fn mark(
        &self,
        name: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        mark: Mark,
        _tasks: u32,
        by: Deadline,
    ) -> Result<()> {
        let pipeline = self.pipeline(name);
        within(by, "mark progress", move || progress::mark(&pipeline, run, plan, mark)).await
    }

    async fn marks(
        &self,
        name: &PipelineName,
        run: RunNumber,
        plan: RandomId,
        by: Deadline,
    ) -> Result<Marks> {
        let pipeline = self.pipeline(name);
        within(by, "load progress", move || progress::load(&pipeline, run, plan)).await
    }

    async fn hold(&self, name: &PipelineName, holder: RandomId, by: Deadline) -> Result<Hold> {
        let pipeline = self.pipeline(name);
        within(by, "hold the lease", move || holders::hold(&pipeline, holder)).await
    }

    async fn holder_lives(
        &self,
        name: &PipelineName,
        holder: RandomId,
        by: Deadline,
    ) -> Result<Option<bool>> {
        let pipeline = self.pipeline(name);
        let lives = move || holders::lives(&pipeline, holder).map(Some);
        within(by, "look for the lease's holder", lives).await
    }
}

#[cfg(test)]
mod tests;
