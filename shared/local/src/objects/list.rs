//! Listing in the order of the paths' bytes.

use std::io;
use std::path::Path;

use tidegate_core::Result;
use tidegate_core::ports::{ObjectInfo, Page};

use super::{TEMPORARY, path};
use crate::failure::failed;

/// As many as S3 answers at once.
pub(super) const PAGE: usize = 1000;

/// The first objects whose path begins with `prefix`, after the path `after`.
pub(super) fn page(root: &Path, prefix: &str, after: Option<&str>) -> Result<Page> {
    let mut walk = Walk { root, prefix, after: after.unwrap_or(""), found: Vec::new() };
    walk.dir(path::dir_of_prefix(prefix)?)?;
    let mut objects = walk.found;
    let more = objects.len() > PAGE;
    objects.truncate(PAGE);
    let next = objects.last().filter(|_| more).map(|last| last.path.clone());
    Ok(Page { objects, next })
}

struct Walk<'a> {
    root: &'a Path,
    prefix: &'a str,
    after: &'a str,
    found: Vec<ObjectInfo>,
}

impl Walk<'_> {
    /// Goes through the directory `dir`, which is empty or ends with `/`, until there is one
    /// object more than a page takes.
    fn dir(&mut self, dir: &str) -> Result<()> {
        for path in self.entries(dir)? {
            if self.found.len() > PAGE {
                break;
            }
            if path.ends_with('/') {
                self.dir(&path)?;
            } else {
                self.object(path)?;
            }
        }
        Ok(())
    }

    fn object(&mut self, path: String) -> Result<()> {
        let file = self.root.join(&path);
        match std::fs::metadata(&file) {
            Ok(found) => self.found.push(ObjectInfo { path, bytes: found.len() }),
            // Deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("look at", &file, error)),
        }
        Ok(())
    }

    /// What is to be gone through of `dir`: objects, and directories with a `/` behind, which
    /// makes the order of the names that of the paths below them.
    fn entries(&self, dir: &str) -> Result<Vec<String>> {
        let path = self.root.join(dir);
        let broken = |error| failed("list", &path, error);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(broken(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(broken)?;
            // A name that is not UTF-8 is no object's.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let kind = entry.file_type().map_err(broken)?;
            let is_dir = kind.is_dir() || (kind.is_symlink() && entry.path().is_dir());
            let path = format!("{dir}{name}{}", if is_dir { "/" } else { "" });
            if self.wanted(&path) {
                paths.push(path);
            }
        }
        paths.sort_unstable();
        Ok(paths)
    }

    fn wanted(&self, path: &str) -> bool {
        match path.strip_suffix('/') {
            Some(TEMPORARY) => false,
            Some(_) => {
                let meets_prefix = path.starts_with(self.prefix) || self.prefix.starts_with(path);
                meets_prefix && (path > self.after || self.after.starts_with(path))
            }
            None => path.starts_with(self.prefix) && path > self.after,
        }
    }
}
