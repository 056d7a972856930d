//! Documents: one file each, a line with the expiry in front of the bytes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidegate_core::ports::{Clock, Document, Written};
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::{Error, Result};

use super::Pipeline;
use crate::clock::SystemClock;
use crate::durable::Placed;
use crate::failure::failed;

/// The line in front: with it a document and its expiry appear in one piece.
#[derive(Debug, Serialize, Deserialize)]
struct Front {
    format: u32,
    expires: Option<Millis>,
}

const FORMAT: u32 = 1;
/// Longer than any line that was ever written in front.
const FRONT_BYTES_MAX: usize = 256;

/// Writes a document, if it is absent or expired.
pub(super) fn write(
    pipeline: &Pipeline,
    document: Document,
    bytes: &Bytes,
    expires: Option<Millis>,
    by: Deadline,
) -> Result<Written> {
    let path = path_of(pipeline, document);
    let front = serde_json::to_string(&Front { format: FORMAT, expires })
        .expect("two numbers are always JSON");
    let file = pipeline.tree.make()?;
    file.file()
        .write_all(format!("{front}\n").as_bytes())
        .and_then(|()| file.file().write_all(bytes))
        .map_err(|error| failed("write", &path, error))?;
    loop {
        let shared = pipeline.lock_shared(by)?;
        if pipeline.tree.place(&file, &path)? == Placed::Ours {
            return Ok(Written::Ours);
        }
        match standing(&path)? {
            // The same bytes: a former try of this call, whose answer was lost.
            Some(stands) if stands == *bytes => return Ok(Written::Ours),
            Some(stands) => return Ok(Written::Stands(stands)),
            None => drop(shared),
        }
        remove_expired(pipeline, &path, by)?;
    }
}

/// Reads a document; none if it is absent or expired.
pub(super) fn load(pipeline: &Pipeline, document: Document) -> Result<Option<Bytes>> {
    let path = path_of(pipeline, document);
    let bytes = standing(&path)?;
    if bytes.is_some() {
        pipeline.tree.settle_once(&path)?;
    }
    Ok(bytes)
}

/// Gives a document an expiry, in a file of its own: the document is never touched.
pub(super) fn expire(pipeline: &Pipeline, document: Document, at: Millis) -> Result<()> {
    let path = path_of(pipeline, document);
    if standing(&path)?.is_none() {
        return Ok(());
    }
    let path = expiry_path(&path);
    let file = pipeline.tree.make()?;
    write!(file.file(), "{}", at.0).map_err(|error| failed("write", &path, error))?;
    // One that stands already is an expiry that it had.
    pipeline.tree.place(&file, &path).map(drop)
}

/// Whether the document at `path` has an expiry that has passed.
pub(super) fn expired(path: &Path) -> Result<bool> {
    Ok(path.exists() && standing(path)?.is_none())
}

/// The bytes of the document at `path`; none if it is absent or expired.
fn standing(path: &Path) -> Result<Option<Bytes>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => Bytes::from(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, error)),
    };
    let (front, body) = split(path, &bytes)?;
    let expires = match front.expires {
        Some(at) => Some(at),
        None => later_expiry(path)?,
    };
    let lives = expires.is_none_or(|at| SystemClock.now() < at);
    Ok(lives.then_some(body))
}

fn split(path: &Path, bytes: &Bytes) -> Result<(Front, Bytes)> {
    let line = bytes.iter().take(FRONT_BYTES_MAX).position(|byte| *byte == b'\n');
    let front = line.and_then(|end| {
        Some((serde_json::from_slice::<Front>(bytes.get(..end)?).ok()?, bytes.slice(end + 1..)))
    });
    match front {
        Some((front, body)) if front.format <= FORMAT => Ok((front, body)),
        Some((front, _)) => Err(Error::config(format!(
            "{} was written by a newer Tidegate (format {}): use that one",
            path.display(),
            front.format
        ))),
        None => Err(Error::corrupt(format!(
            "{} does not begin with a document's line: it was changed or damaged; restore the \
             state from a copy",
            path.display()
        ))),
    }
}

fn later_expiry(path: &Path) -> Result<Option<Millis>> {
    let path = expiry_path(path);
    match std::fs::read_to_string(&path) {
        Ok(text) => text.parse().map(|at| Some(Millis(at))).map_err(|error| {
            Error::corrupt(format!("{} holds no time: {text:?}", path.display())).with_source(error)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", &path, error)),
    }
}

/// Makes room under the name of an expired document. Nobody writes it meanwhile.
fn remove_expired(pipeline: &Pipeline, path: &Path, by: Deadline) -> Result<()> {
    let _exclusive = pipeline.lock_exclusive(by)?;
    if expired(path)? {
        // In this order: without the first, the second would live again.
        pipeline.tree.remove(path)?;
        pipeline.tree.remove(&expiry_path(path))?;
    }
    Ok(())
}

fn path_of(pipeline: &Pipeline, document: Document) -> PathBuf {
    pipeline.dir.join(format!("{document}.json"))
}

fn expiry_path(path: &Path) -> PathBuf {
    path.with_extension("expires")
}

#[cfg(test)]
mod tests {
    use tidegate_core::ErrorKind;

    use super::*;

    #[test]
    fn a_line_in_front_is_read_back_and_anything_else_is_refused() {
        let path = Path::new("/state/plan.json");
        let whole = Bytes::from_static(b"{\"format\":1,\"expires\":7}\nbody\nbody");
        let (front, body) = split(path, &whole).expect("its own line");
        assert_eq!((front.expires, &body[..]), (Some(Millis(7)), &b"body\nbody"[..]));
        let newer = Bytes::from_static(b"{\"format\":2,\"expires\":7}\nbody");
        assert_eq!(split(path, &newer).expect_err("newer").kind(), ErrorKind::Config);
        for bad in ["", "{}\nbody", "no line", "{\"format\":1,\"expires\":7}", "\n"] {
            let error = split(path, &Bytes::from(bad)).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad}");
            assert!(error.message().contains("/state/plan.json"), "{error}");
        }
    }
}
