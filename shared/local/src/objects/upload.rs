use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_core::ports::{Copied, Created, Upload};
use tidegate_core::time::Deadline;
use tidegate_core::{Error, Result};

use super::{created, path, spoiled};
use crate::blocking::within;
use crate::durable::Tree;
use crate::failure::failed;
use crate::scratch::TempFile;

/// So many bytes are gathered before the disk is bothered.
const GATHERED: usize = 1024 * 1024;
/// Small pieces among them are written together.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// An object in the making: a file without a name, or under `_staging/.tmp`.
#[derive(Debug)]
pub struct DirectoryUpload {
    tree: Arc<Tree>,
    target: PathBuf,
    /// None after an error, and while the disk is at it: a call that is dropped then leaves the
    /// file in a state that nobody knows.
    file: Option<TempFile>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

impl DirectoryUpload {
    pub(super) fn begin(tree: Arc<Tree>, target: PathBuf) -> Result<Self> {
        let file = Some(tree.make()?);
        Ok(Self { tree, target, file, gathered: Vec::new(), gathered_bytes: 0 })
    }

    /// Writes what was gathered, and then does `work` with the file.
    async fn flush_and<T: Send + 'static>(
        &mut self,
        by: Deadline,
        work: impl FnOnce(&TempFile) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let file = self.file.take().ok_or_else(|| spoiled(&self.target))?;
        let pieces = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let target = self.target.clone();
        let doing = format!("write {}", target.display());
        let (file, answer) = within(by, &doing, move || {
            write_all(file.file(), &pieces).map_err(|error| failed("write", &target, error))?;
            let answer = work(&file)?;
            Ok((file, answer))
        })
        .await?;
        self.file = Some(file);
        Ok(answer)
    }
}

impl Upload for DirectoryUpload {
    async fn write(&mut self, bytes: Bytes, by: Deadline) -> Result<()> {
        if self.file.is_none() {
            return Err(spoiled(&self.target));
        }
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_bytes >= GATHERED {
            self.flush_and(by, |_| Ok(())).await?;
        }
        Ok(())
    }

    async fn copy(&mut self, source: &str, range: Range<u64>, by: Deadline) -> Result<Copied> {
        path::check(source)?;
        let source = self.tree.root().join(source);
        self.flush_and(by, move |file| match File::open(&source) {
            Ok(from) => {
                let copied = copy_range(&from, &range, file.file());
                match copied.map_err(|error| failed("copy", &source, error))? {
                    copied if copied == range.end.saturating_sub(range.start) => Ok(Copied::Done),
                    copied => Err(Error::corrupt(format!(
                        "copy {}: it ends {copied} bytes behind {}, before {}: it was cut off",
                        source.display(),
                        range.start,
                        range.end
                    ))),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Copied::Gone),
            Err(error) => Err(failed("copy", &source, error)),
        })
        .await
    }

    fn held_bytes(&self) -> usize {
        self.gathered_bytes
    }

    async fn finish(mut self, by: Deadline) -> Result<Created> {
        let (tree, target) = (Arc::clone(&self.tree), self.target.clone());
        self.flush_and(by, move |file| tree.place(file, &target).map(created)).await
    }

    async fn abandon(self, _by: Deadline) -> Result<()> {
        // The file goes with the upload.
        Ok(())
    }
}

fn write_all(file: &File, pieces: &[Bytes]) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(WRITTEN_AT_ONCE, file);
    for piece in pieces {
        writer.write_all(piece)?;
    }
    writer.flush()
}

/// Appends bytes of one file to another, inside the kernel where it can (copy_file_range: on
/// Btrfs and XFS without copying anything). Answers how many there were.
fn copy_range(mut from: &File, range: &Range<u64>, mut to: &File) -> io::Result<u64> {
    from.seek(SeekFrom::Start(range.start))?;
    io::copy(&mut from.take(range.end.saturating_sub(range.start)), &mut to)
}
