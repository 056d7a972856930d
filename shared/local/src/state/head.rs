//! The chain of heads. Why it is right: see [`DirectoryState`](super::DirectoryState).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tidegate_core::Result;
use tidegate_core::ports::{StoredHead, Swapped};
use tidegate_core::time::Deadline;

use super::Pipeline;
use crate::durable::Placed;
use crate::failure::failed;

/// So many former heads are kept, for the curious.
const KEPT: usize = 16;
/// So many are removed at once, to lock out the others but seldom.
const REMOVED_AT_ONCE: usize = 16;

/// The newest head.
pub(super) fn load(pipeline: &Pipeline, by: Deadline) -> Result<Option<StoredHead>> {
    let _shared = pipeline.lock_to_read(by)?;
    let Some(version) = versions(pipeline)?.last().copied() else { return Ok(None) };
    let path = path_of(pipeline, version);
    let bytes = std::fs::read(&path).map_err(|error| failed("read", &path, error))?;
    pipeline.tree.settle_once(&path)?;
    Ok(Some(StoredHead { version, bytes: bytes.into() }))
}

/// Adds the version after `expected`, if that is the newest.
pub(super) fn swap(
    pipeline: &Pipeline,
    expected: Option<u64>,
    bytes: &Bytes,
    by: Deadline,
) -> Result<Swapped> {
    let shared = pipeline.lock_shared(by)?;
    let versions = versions(pipeline)?;
    let version = expected.unwrap_or(0).saturating_add(1);
    let path = path_of(pipeline, version);
    if versions.last().copied() != expected {
        return former_try(pipeline, version, &path, bytes);
    }
    let file = pipeline.tree.make()?;
    file.file().write_all(bytes).map_err(|error| failed("write", &path, error))?;
    if pipeline.tree.place(&file, &path)? == Placed::Stands {
        return former_try(pipeline, version, &path, bytes);
    }
    drop(shared);
    if versions.len() >= KEPT + REMOVED_AT_ONCE {
        remove_old(pipeline);
    }
    Ok(Swapped::Ours { version })
}

/// Whether this swap was made before and its answer lost: then its bytes stand there, which are
/// no other's.
fn former_try(pipeline: &Pipeline, version: u64, path: &Path, bytes: &Bytes) -> Result<Swapped> {
    match std::fs::read(path) {
        Ok(standing) if standing == *bytes => {
            pipeline.tree.settle_once(path)?;
            Ok(Swapped::Ours { version })
        }
        Ok(_) => Ok(Swapped::Conflict),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Swapped::Conflict),
        Err(error) => Err(failed("read", path, error)),
    }
}

/// Removes old versions, if nobody is in the way. Who removes lists for itself: the newest of
/// its listing is the newest there is.
fn remove_old(pipeline: &Pipeline) {
    let Some(_exclusive) = pipeline.try_lock_exclusive() else { return };
    let versions = versions(pipeline).unwrap_or_default();
    let old = versions.len().saturating_sub(KEPT);
    for version in versions.iter().take(old) {
        // The swap is made; what cannot be removed now, a later one removes.
        let _ = pipeline.tree.remove(&path_of(pipeline, *version));
    }
}

fn path_of(pipeline: &Pipeline, version: u64) -> PathBuf {
    pipeline.dir.join(format!("head/{version:020}.json"))
}

/// The versions that stand, the newest last.
fn versions(pipeline: &Pipeline) -> Result<Vec<u64>> {
    let dir = pipeline.dir.join("head");
    let broken = |error| failed("list", &dir, error);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(broken(error)),
    };
    let mut versions = Vec::new();
    for entry in entries {
        versions.extend(version_of(&entry.map_err(broken)?.file_name().to_string_lossy()));
    }
    versions.sort_unstable();
    Ok(versions)
}

fn version_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let numbered = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    numbered.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_are_taken_for_versions() {
        assert_eq!(version_of("00000000000000000042.json"), Some(42));
        assert_eq!(version_of("18446744073709551615.json"), Some(u64::MAX));
        for other in
            ["42.json", "00000000000000000042", "+0000000000000000042.json", "lock", ".json"]
        {
            assert_eq!(version_of(other), None, "{other}");
        }
    }
}
