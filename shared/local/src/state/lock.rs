//! The pipeline's lock: shared by those who list, swap and write, exclusive to those who remove.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::time::Duration;

use tidegate_core::ports::Clock;
use tidegate_core::time::Deadline;
use tidegate_core::{Error, Result};

use super::Pipeline;
use crate::clock::SystemClock;
use crate::failure::failed;

/// A sweep takes milliseconds.
const PAUSE: Duration = Duration::from_millis(2);

/// As long as it lives, nothing of the pipeline is removed.
#[derive(Debug)]
pub(super) struct Shared(#[expect(dead_code, reason = "dropping it unlocks")] Option<File>);

/// As long as it lives, nobody lists, swaps or writes.
#[derive(Debug)]
pub(super) struct Exclusive(#[expect(dead_code, reason = "dropping it unlocks")] File);

impl Pipeline {
    /// The shared lock, for one who writes.
    pub(super) fn lock_shared(&self, by: Deadline) -> Result<Shared> {
        let file = self.lock_file()?;
        self.wait(by, || file.try_lock_shared())?;
        Ok(Shared(Some(file)))
    }

    /// The shared lock, for one who only reads and may have no right to write. Where there is no
    /// lock to be had, nothing was ever swapped, so nothing is removed.
    pub(super) fn lock_to_read(&self, by: Deadline) -> Result<Shared> {
        let path = self.dir.join("lock");
        match File::open(&path) {
            Ok(file) => {
                self.wait(by, || file.try_lock_shared())?;
                Ok(Shared(Some(file)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Shared(None)),
            Err(error) => Err(failed("lock", &path, error)),
        }
    }

    /// The exclusive lock.
    pub(super) fn lock_exclusive(&self, by: Deadline) -> Result<Exclusive> {
        let file = self.lock_file()?;
        self.wait(by, || file.try_lock())?;
        Ok(Exclusive(file))
    }

    /// The exclusive lock, if it is free at this moment.
    pub(super) fn try_lock_exclusive(&self) -> Option<Exclusive> {
        let file = self.lock_file().ok()?;
        file.try_lock().ok()?;
        Some(Exclusive(file))
    }

    /// Opened for reading and writing: NFS wants both for the two kinds of lock.
    fn lock_file(&self) -> Result<File> {
        let path = self.dir.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let opened = options.open(&path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.dir)?;
                options.open(&path)
            }
            _ => Err(error),
        });
        opened.map_err(|error| failed("lock", &path, error))
    }

    fn wait(&self, by: Deadline, lock: impl Fn() -> Result<(), TryLockError>) -> Result<()> {
        loop {
            match lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(failed("lock", &self.dir, error)),
                Err(TryLockError::WouldBlock) if by.remaining(SystemClock.now()).is_zero() => {
                    return Err(Error::out_of_time(format!(
                        "lock {}: another process holds it since the deadline began: end it if it \
                         is stopped",
                        self.dir.join("lock").display()
                    )));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
    }
}
