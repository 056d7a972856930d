use std::future::Future;
use std::ops::Range;

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::time::Deadline;

/// Where an object stands, relative to the destination: components joined by `/`, none empty,
/// `.` or `..`.
pub type ObjectPath = String;

/// Refuses what is no [`ObjectPath`]: every adapter does, before a path meets a store.
///
/// # Errors
/// `Config`, with what is wrong.
pub fn check_path(path: &str) -> Result<()> {
    let wrong = if path.is_empty() {
        "it is empty"
    } else if path.contains('\0') {
        "it contains a NUL"
    } else if path.split('/').any(str::is_empty) {
        "it has an empty component"
    } else if path.split('/').any(|component| matches!(component, "." | "..")) {
        "it has a component . or .."
    } else {
        return Ok(());
    };
    Err(no_path(path, wrong))
}

/// The error for what is no path of an object.
pub fn no_path(path: &str, wrong: &str) -> Error {
    Error::config(format!("{path:?} is no path of an object: {wrong}"))
}

/// An object's own metadata, where the store keeps such (S3 does, a directory does not).
pub type Metadata = [(String, String)];

/// S3: every part of an upload but the last has at least this many bytes.
pub const UPLOAD_PART_MIN: u64 = 5 * 1024 * 1024;

/// The outcome of creating an object if absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It stands now, and this call made it.
    Ours,
    /// One stood there already. Whose it is, its content tells.
    Stands,
}

/// The outcome of copying a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Done.
    Done,
    /// The source is not there.
    Gone,
}

/// Which bytes of an object to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadRange {
    /// All.
    All,
    /// These; cut at the object's end.
    Bytes(Range<u64>),
    /// The last so many; all, if there are fewer.
    Last(u64),
}

/// Bytes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectBytes {
    /// The bytes asked for.
    pub bytes: Bytes,
    /// Size of the whole object.
    pub object_bytes: u64,
}

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Where it stands.
    pub path: ObjectPath,
    /// Its size.
    pub bytes: u64,
}

/// A page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects in the order of their paths' bytes.
    pub objects: Vec<ObjectInfo>,
    /// Give this as `after` to go on; none at the end.
    pub next: Option<ObjectPath>,
}

/// The destination. An object appears whole or not at all, and only if none stands under its
/// name; it never changes afterwards, but by [`ObjectStore::replace`].
pub trait ObjectStore: Send + Sync {
    /// An object in the making.
    type Upload: Upload;

    /// Creates an object from bytes at hand, if absent.
    fn create(
        &self,
        path: &str,
        bytes: Bytes,
        metadata: &Metadata,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Created>> + Send;

    /// Puts an object in the place of whatever stands under its name, or of nothing: at each
    /// moment either stands whole. The one way in which an object changes, for the names of a run
    /// that is given up.
    fn replace(
        &self,
        path: &str,
        bytes: Bytes,
        metadata: &Metadata,
        deadline: Deadline,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Begins an object whose bytes come piece by piece.
    fn upload(
        &self,
        path: &str,
        metadata: &Metadata,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Self::Upload>> + Send;

    /// Reads an object; none if it is not there. A range that begins at or past the end answers
    /// no bytes.
    fn read(
        &self,
        path: &str,
        range: ReadRange,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Option<ObjectBytes>>> + Send;

    /// Lists the objects whose path begins with `prefix`, after the path `after`.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Page>> + Send;

    /// Deletes objects; one that is not there is none the worse.
    fn delete(
        &self,
        paths: &[ObjectPath],
        deadline: Deadline,
    ) -> impl Future<Output = Result<()>> + Send;
}

/// An object in the making: invisible until [`Upload::finish`].
///
/// Pieces may have any size, but before a [`Upload::copy`] either nothing was written since the
/// last copy, or at least [`UPLOAD_PART_MIN`] bytes; a copied range has at least that many.
pub trait Upload: Send {
    /// Appends bytes.
    fn write(
        &mut self,
        bytes: Bytes,
        deadline: Deadline,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Appends bytes of another object of this store, which do not pass through this process
    /// where the store can help it.
    fn copy(
        &mut self,
        source: &str,
        range: Range<u64>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Copied>> + Send;

    /// Heap bytes that wait to be sent.
    fn held_bytes(&self) -> usize;

    /// Makes the object appear, if none stands under its name.
    fn finish(self, deadline: Deadline) -> impl Future<Output = Result<Created>> + Send;

    /// Leaves nothing behind. An upload that is dropped may leave what a sweep or the store's
    /// lifecycle removes later.
    fn abandon(self, deadline: Deadline) -> impl Future<Output = Result<()>> + Send;
}
