//! Names that a power cut does not take back.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_core::{Error, Result};

use crate::failure::failed;
use crate::scratch::{Scratch, TempFile};

/// A tree of directories below a root: files are linked into it once, durably.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    /// Directories below this one are removed once they are empty, and made anew.
    passing: Option<PathBuf>,
    scratch: Scratch,
    known: Mutex<Known>,
}

/// What this process knows to be on the disk; what it forgets costs an fsync more.
#[derive(Debug, Default)]
struct Known {
    /// Directories whose names are durable, and those of all above them.
    dirs: HashSet<PathBuf>,
    /// Files whose names are.
    files: HashSet<PathBuf>,
}

/// About a megabyte of paths.
const KNOWN_MAX: usize = 4096;

/// How often a directory may be removed between its making and the link into it.
const LINK_TRIES: usize = 1000;

/// The outcome of [`Tree::place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It stands now.
    Ours,
    /// The name was taken.
    Stands,
}

impl Tree {
    /// The tree below `root`, which need not be there yet.
    pub(crate) fn new(root: PathBuf, passing: Option<PathBuf>, scratch: Scratch) -> Self {
        Self { root, passing, scratch, known: Mutex::default() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file in the making.
    pub(crate) fn make(&self) -> Result<TempFile> {
        let made = self.scratch.make().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.root)?;
                self.scratch.make()
            }
            _ => Err(error),
        });
        made.map_err(|error| failed("make a file in", &self.root, error))
    }

    /// Links a file that is written whole to `target`, if nothing stands there, with whatever
    /// directories it takes. Either way the name is durable when this answers.
    pub(crate) fn place(&self, file: &TempFile, target: &Path) -> Result<Placed> {
        file.file().sync_all().map_err(|error| failed("write", target, error))?;
        for _ in 0..LINK_TRIES {
            match file.link(target) {
                Ok(()) => {
                    self.settle(target)?;
                    return Ok(Placed::Ours);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if target.is_dir() {
                        return Err(failed("create", target, io::ErrorKind::IsADirectory.into()));
                    }
                    self.settle_once(target)?;
                    return Ok(Placed::Stands);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make_dir(parent(target))?;
                }
                Err(error) => return Err(failed("create", target, error)),
            }
        }
        Err(removed_again_and_again("create", target))
    }

    /// Puts a file of these bytes in the place of whatever stands at `target`, durably.
    pub(crate) fn replace(&self, bytes: &[u8], target: &Path) -> Result<()> {
        let wrong = |error| failed("replace", target, error);
        for _ in 0..LINK_TRIES {
            self.make_dir(parent(target))?;
            let file = self.scratch.make_named().map_err(wrong)?;
            file.file().write_all(bytes).map_err(wrong)?;
            file.file().sync_all().map_err(wrong)?;
            match file.rename(target) {
                Ok(()) => return self.settle(target),
                // The directory was removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(wrong(error)),
            }
        }
        Err(removed_again_and_again("replace", target))
    }

    /// Makes a directory and those above it.
    pub(crate) fn make_dir(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(|error| failed("make the directory", dir, error))
    }

    /// Makes the name of a file durable that another process may have linked just now. To be
    /// called before anything is decided by the file.
    pub(crate) fn settle_once(&self, path: &Path) -> Result<()> {
        if self.known().files.contains(path) {
            return Ok(());
        }
        self.settle(path)
    }

    fn settle(&self, path: &Path) -> Result<()> {
        let mut dir = parent(path);
        sync_dir(dir)?;
        let mut durable = Vec::new();
        while dir != self.root && !self.known().dirs.contains(dir) {
            durable.push(dir.to_owned());
            dir = parent(dir);
            sync_dir(dir)?;
        }
        if dir == self.root && !self.known().dirs.contains(dir) {
            durable.push(dir.to_owned());
            for above in self.root.ancestors().skip(1) {
                // Not ours, mostly older than this process, and perhaps not ours to read.
                let _ = sync_dir(above);
            }
        }
        self.remember(path, durable);
        Ok(())
    }

    fn remember(&self, path: &Path, dirs: Vec<PathBuf>) {
        let passes = |path: &Path| self.passing.as_ref().is_some_and(|dir| path.starts_with(dir));
        let mut known = self.known();
        if known.files.len() + known.dirs.len() > KNOWN_MAX {
            *known = Known::default();
        }
        known.dirs.extend(dirs.into_iter().filter(|dir| !passes(dir)));
        if !passes(path) {
            known.files.insert(path.to_owned());
        }
    }

    /// Removes a file, if it is there. To be followed by [`Self::settle_removed`].
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        self.known().files.remove(path);
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("delete", path, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes durable that something is gone from `dir`, which may be gone itself.
    pub(crate) fn settle_removed(&self, dir: &Path) -> Result<()> {
        match dir.ancestors().find(|dir| dir.exists()) {
            Some(dir) => sync_dir(dir),
            None => Ok(()),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn removed_again_and_again(doing: &str, target: &Path) -> Error {
    Error::unavailable(format!(
        "{doing} {}: its directory is removed again and again: leave it alone",
        target.display()
    ))
}

/// The directory that `path` stands in.
fn parent(path: &Path) -> &Path {
    path.parent().expect("every path is an absolute one below the root")
}

/// Makes the names in a directory durable.
fn sync_dir(dir: &Path) -> Result<()> {
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        // A file system that keeps no order of its own, or one on which nothing is pending.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput
                    | io::ErrorKind::Unsupported
                    | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Ok(())
        }
        // Emptied and removed meanwhile: then nothing in it is waiting.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(|error| failed("make durable the names in", dir, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(root: &Path) -> Tree {
        let scratch = Scratch {
            anonymous_in: root.to_owned(),
            named_in: root.join("_staging/.tmp"),
            anonymous: true,
        };
        Tree::new(root.to_owned(), Some(root.join("_staging")), scratch)
    }

    #[test]
    fn a_name_is_given_once_with_its_directories() {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = tree(&dir.path().join("new/root"));
        let target = tree.root().join("a/b/c");
        for (content, outcome) in [("first", Placed::Ours), ("second", Placed::Stands)] {
            let file = tree.make().expect("a file");
            file.file().write_all(content.as_bytes()).expect("a few bytes");
            assert_eq!(tree.place(&file, &target).expect("a free disk"), outcome);
        }
        assert_eq!(std::fs::read(&target).expect("it stands"), b"first");
    }

    #[test]
    fn what_passes_is_not_remembered_and_what_is_removed_is_forgotten() {
        let dir = tempfile::tempdir().expect("a directory");
        let tree = tree(dir.path());
        let (staged, data) = (dir.path().join("_staging/p/1/x"), dir.path().join("t/x"));
        for target in [&staged, &data] {
            let file = tree.make().expect("a file");
            tree.place(&file, target).expect("a free disk");
        }
        assert!(tree.known().files.contains(&data) && !tree.known().files.contains(&staged));
        assert!(tree.known().dirs.contains(&dir.path().join("t")));
        assert!(!tree.known().dirs.contains(&dir.path().join("_staging/p")));
        tree.remove(&data).expect("it is there");
        tree.remove(&data).expect("it is none the worse");
        assert!(!tree.known().files.contains(&data));
    }

    #[test]
    fn a_file_in_the_place_of_a_directory_is_said_so() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("root"), b"a file").expect("a few bytes");
        let error = tree(&dir.path().join("root")).make().expect_err("no directory");
        assert_eq!(error.kind(), tidegate_core::ErrorKind::Config, "{error}");
    }
}
