//! Files in the making.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tidegate_core::ports::Clock;

use crate::clock::SystemClock;

/// Where files are made, out of everybody's sight, before they are linked to their names.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// A directory of the same file system: a file without a name is made in it.
    pub(crate) anonymous_in: PathBuf,
    /// Where files are made that must have a name.
    pub(crate) named_in: PathBuf,
    /// Whether files without a name are tried at all.
    pub(crate) anonymous: bool,
}

/// A file in the making. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct TempFile {
    file: File,
    /// Its name for now, where it must have one.
    name: Option<PathBuf>,
}

impl Scratch {
    /// Makes a file. The directory `anonymous_in` must be there.
    pub(crate) fn make(&self) -> io::Result<TempFile> {
        if self.anonymous
            && let Some(file) = without_name(&self.anonymous_in)?
        {
            return Ok(TempFile { file, name: None });
        }
        self.make_named()
    }

    /// Makes a file that has a name for now, so that it can take the place of another.
    pub(crate) fn make_named(&self) -> io::Result<TempFile> {
        std::fs::create_dir_all(&self.named_in)?;
        loop {
            let name = self.named_in.join(format!("{}.tmp", SystemClock.random_id()));
            let file = OpenOptions::new().read(true).write(true).create_new(true).open(&name)?;
            match file.try_lock() {
                Ok(()) if name.exists() => return Ok(TempFile { file, name: Some(name) }),
                // Between the calls a sweep took it for a dead process's file.
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Removes what dead processes left: no living one lets go of the lock of its file.
    pub(crate) fn sweep(&self) {
        for entry in std::fs::read_dir(&self.named_in).into_iter().flatten().flatten() {
            let path = entry.path();
            // A shared lock, so that two sweeps do not take each other for a living process.
            if File::open(&path).is_ok_and(|file| file.try_lock_shared().is_ok()) {
                // What cannot be removed now will be by the next sweep.
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

impl TempFile {
    /// The file, open for reading and writing.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file the name `target` as well, or fails with `AlreadyExists`.
    pub(crate) fn link(&self, target: &Path) -> io::Result<()> {
        match &self.name {
            Some(name) => std::fs::hard_link(name, target),
            None => link_without_name(&self.file, target),
        }
    }
}

impl TempFile {
    /// Moves a file of [`Scratch::make_named`] to `target`, in the place of whatever stands there.
    pub(crate) fn rename(mut self, target: &Path) -> io::Result<()> {
        let name = self.name.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        std::fs::rename(name, target)?;
        // What has its name now must not be removed with this.
        self.name = None;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // The lock ends with the file: what cannot be removed now, a sweep will.
            let _ = std::fs::remove_file(name);
        }
    }
}

/// A file without a name in `dir`; none where the file system (or the system) cannot.
#[cfg(target_os = "linux")]
fn without_name(dir: &Path) -> io::Result<Option<File>> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    // Its name is given through /proc.
    if !Path::new("/proc/self/fd").exists() {
        return Ok(None);
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::from_raw_mode(0o666)) {
        Ok(file) => Ok(Some(File::from(file))),
        // A kernel or a file system that does not know the flag.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(target_os = "linux")]
fn link_without_name(file: &File, target: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD};

    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, source, CWD, target, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn without_name(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
fn link_without_name(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn scratch(dir: &Path, anonymous: bool) -> Scratch {
        Scratch { anonymous_in: dir.to_owned(), named_in: dir.join(".tmp"), anonymous }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_appears_whole_under_the_first_link_only() {
        for anonymous in [true, false] {
            let dir = tempfile::tempdir().expect("a directory");
            let scratch = scratch(dir.path(), anonymous);
            let target = dir.path().join("x");
            let first = scratch.make().expect("a file");
            first.file().write_all(b"whole").expect("a few bytes");
            assert!(!names(dir.path()).contains(&"x".to_owned()));
            first.link(&target).expect("a free name");
            let second = scratch.make().expect("a file").link(&target);
            assert_eq!(second.expect_err("taken").kind(), io::ErrorKind::AlreadyExists);
            drop(first);
            assert_eq!(std::fs::read(&target).expect("it stands"), b"whole");
            assert!(names(&dir.path().join(".tmp")).is_empty());
        }
    }

    #[test]
    fn a_renamed_file_takes_the_place_of_what_stands_and_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let target = dir.path().join("x");
        std::fs::write(&target, b"before").expect("a few bytes");
        let file = scratch(dir.path(), true).make_named().expect("a file");
        file.file().write_all(b"after").expect("a few bytes");
        file.rename(&target).expect("the same directory");
        assert_eq!(std::fs::read(&target).expect("it stands"), b"after");
        assert!(names(&dir.path().join(".tmp")).is_empty());
    }

    #[test]
    fn a_sweep_takes_dead_files_and_leaves_living_ones() {
        let dir = tempfile::tempdir().expect("a directory");
        let scratch = scratch(dir.path(), false);
        let living = scratch.make().expect("a file");
        std::fs::write(dir.path().join(".tmp/dead.tmp"), b"half").expect("a few bytes");
        assert_eq!(names(&scratch.named_in).len(), 2);
        scratch.sweep();
        assert_eq!(names(&scratch.named_in).len(), 1);
        living.link(&dir.path().join("x")).expect("it lives");
    }
}
