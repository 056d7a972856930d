//! The destination on a directory: an object is a file below the root.

mod list;
mod path;
mod upload;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::ports::{
    Created, Metadata, ObjectBytes, ObjectPath, ObjectStore, Page, ReadRange,
};
use tidegate_core::time::Deadline;
use tidegate_core::{Error, Result};

use crate::blocking::within;
use crate::durable::{Placed, Tree};
use crate::failure::failed;
use crate::scratch::Scratch;

pub use upload::DirectoryUpload;

/// Objects that pass: their directories are removed with the last of them.
const STAGING: &str = "_staging";
/// Objects by which others decide: layouts and manifests.
const RECORDS: &str = "_runs/";
/// Where files are made, if the file system knows none without a name. Not listed.
const TEMPORARY: &str = "_staging/.tmp";

/// The destination on a directory, shared by all processes that open it.
///
/// Objects keep no metadata of their own (the footer of a data file holds the same pairs).
/// Directories appear with the first object in them; only those below `_staging` are removed
/// with the last.
#[derive(Clone, Debug)]
pub struct DirectoryObjects {
    tree: Arc<Tree>,
}

impl DirectoryObjects {
    /// The destination below the directory `root`, which is made with the first object if it is
    /// not there. `Config` where something else than a directory stands there.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(root.as_ref(), true)
    }

    fn open_with(root: &Path, anonymous: bool) -> Result<Self> {
        let root = std::path::absolute(root).map_err(|error| failed("open", root, error))?;
        match std::fs::metadata(&root) {
            Ok(found) if !found.is_dir() => {
                return Err(failed("open", &root, io::ErrorKind::NotADirectory.into()));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("open", &root, error));
            }
            Ok(_) | Err(_) => {}
        }
        let scratch =
            Scratch { anonymous_in: root.clone(), named_in: root.join(TEMPORARY), anonymous };
        scratch.sweep();
        let staging = root.join(STAGING);
        Ok(Self { tree: Arc::new(Tree::new(root, Some(staging), scratch)) })
    }

    fn file_of(&self, path: &str) -> Result<PathBuf> {
        path::check(path)?;
        Ok(self.tree.root().join(path))
    }
}

impl ObjectStore for DirectoryObjects {
    type Upload = DirectoryUpload;

    async fn create(
        &self,
        path: &str,
        bytes: Bytes,
        _metadata: &Metadata,
        by: Deadline,
    ) -> Result<Created> {
        let target = self.file_of(path)?;
        let tree = Arc::clone(&self.tree);
        within(by, &format!("create {path}"), move || {
            if target.is_file() {
                // It saves the writing; the link below decides.
                tree.settle_once(&target)?;
                return Ok(Created::Stands);
            }
            let file = tree.make()?;
            file.file().write_all(&bytes).map_err(|error| failed("write", &target, error))?;
            tree.place(&file, &target).map(created)
        })
        .await
    }

    async fn replace(
        &self,
        path: &str,
        bytes: Bytes,
        _metadata: &Metadata,
        by: Deadline,
    ) -> Result<()> {
        let target = self.file_of(path)?;
        let tree = Arc::clone(&self.tree);
        within(by, &format!("replace {path}"), move || tree.replace(&bytes, &target)).await
    }

    async fn upload(
        &self,
        path: &str,
        _metadata: &Metadata,
        by: Deadline,
    ) -> Result<DirectoryUpload> {
        let target = self.file_of(path)?;
        let tree = Arc::clone(&self.tree);
        let begin = move || DirectoryUpload::begin(tree, target);
        within(by, &format!("begin {path}"), begin).await
    }

    async fn read(
        &self,
        path: &str,
        range: ReadRange,
        by: Deadline,
    ) -> Result<Option<ObjectBytes>> {
        let source = self.file_of(path)?;
        let tree = Arc::clone(&self.tree);
        let decides = path.starts_with(RECORDS);
        within(by, &format!("read {path}"), move || {
            let read = read(&source, &range).map_err(|error| failed("read", &source, error))?;
            if read.is_some() && decides {
                tree.settle_once(&source)?;
            }
            Ok(read)
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, by: Deadline) -> Result<Page> {
        let root = self.tree.root().to_owned();
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        let doing = format!("list {prefix}");
        within(by, &doing, move || list::page(&root, &prefix, after.as_deref())).await
    }

    async fn delete(&self, paths: &[ObjectPath], by: Deadline) -> Result<()> {
        let files = paths.iter().map(|path| self.file_of(path)).collect::<Result<Vec<_>>>()?;
        let tree = Arc::clone(&self.tree);
        within(by, "delete objects", move || delete(&tree, &files)).await
    }
}

fn created(placed: Placed) -> Created {
    match placed {
        Placed::Ours => Created::Ours,
        Placed::Stands => Created::Stands,
    }
}

fn read(source: &Path, range: &ReadRange) -> io::Result<Option<ObjectBytes>> {
    let mut file = match File::open(source) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = file.metadata()?;
    if found.is_dir() {
        return Ok(None);
    }
    let object_bytes = found.len();
    let (start, end) = match range {
        ReadRange::All => (0, object_bytes),
        ReadRange::Bytes(range) => (range.start, range.end.min(object_bytes)),
        ReadRange::Last(count) => (object_bytes.saturating_sub(*count), object_bytes),
    };
    let wanted = end.saturating_sub(start);
    let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
    if wanted > 0 {
        file.seek(SeekFrom::Start(start))?;
        file.take(wanted).read_to_end(&mut bytes)?;
    }
    Ok(Some(ObjectBytes { bytes: bytes.into(), object_bytes }))
}

fn delete(tree: &Tree, files: &[PathBuf]) -> Result<()> {
    let staging = tree.root().join(STAGING);
    let mut dirs = BTreeSet::new();
    for file in files {
        tree.remove(file)?;
        dirs.extend(file.parent());
    }
    for dir in dirs {
        let emptied = dir.ancestors().take_while(|dir| **dir != staging);
        if dir.starts_with(&staging) {
            // Up to the first that is not empty. Who links into one that is gone makes it anew.
            let _ = emptied.map(std::fs::remove_dir).take_while(io::Result::is_ok).count();
        }
        tree.settle_removed(dir)?;
    }
    Ok(())
}

/// What an upload answers after an error: its bytes are no longer known to be right.
fn spoiled(target: &Path) -> Error {
    Error::unavailable(format!(
        "write {}: an earlier write to it failed; begin it anew",
        target.display()
    ))
}

#[cfg(test)]
mod tests;
