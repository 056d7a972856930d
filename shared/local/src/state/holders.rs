//! Holders of leases: a file each, locked as long as its process lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate_core::words::RandomId;
use tidegate_core::{Error, Result};

use super::Pipeline;
use crate::failure::failed;

/// A sweep looks at a file for microseconds.
const PAUSE: Duration = Duration::from_millis(2);
const TRIES: usize = 100;

/// A holder that lives. It lets go when dropped, and when its process ends, however it ends.
#[derive(Debug)]
pub struct Hold {
    path: PathBuf,
    /// Locked. Closed after the file's name is gone, so that a name never stands unlocked.
    _file: File,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // The lock ends in any case; a name that cannot be removed now is swept later.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes `holder` known as alive.
pub(super) fn hold(pipeline: &Pipeline, holder: RandomId) -> Result<Hold> {
    let path = path_of(pipeline, holder);
    let dir = pipeline.dir.join("holders");
    sweep(&dir);
    for _ in 0..TRIES {
        pipeline.tree.make_dir(&dir)?;
        let mut options = OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|error| failed("create", &path, error))?;
        match file.try_lock() {
            Ok(()) if path.exists() => return Ok(Hold { path, _file: file }),
            // Between the calls a sweep of another process took it for a dead one's. Once more.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path, error)),
        }
    }
    Err(Error::conflict(format!("{} is locked: the holder lives already", path.display())))
}

/// Whether `holder` lives.
pub(super) fn lives(pipeline: &Pipeline, holder: RandomId) -> Result<bool> {
    let path = path_of(pipeline, holder);
    locked(&path).map_err(|error| failed("look at the lock of", &path, error))
}

/// Whether somebody holds the lock. A shared one is asked for, so that two who look at once do
/// not take each other for the holder. A lock belongs to an open file, not to a process: the
/// holder's own process gets the same answer.
fn locked(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes the files of the dead.
fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if locked(&entry.path()).is_ok_and(|locked| !locked) {
            // What cannot be removed now, the next holder removes.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn path_of(pipeline: &Pipeline, holder: RandomId) -> PathBuf {
    pipeline.dir.join(format!("holders/{holder}.lock"))
}
