//! The destination.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use tidegate_core::ports::{Created, ObjectBytes, ObjectInfo, Page, ReadRange};

/// The objects, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    by_path: BTreeMap<String, Bytes>,
}

impl Objects {
    /// Creates an object if absent.
    pub(crate) fn create(&mut self, path: &str, bytes: &Bytes) -> Created {
        if self.by_path.contains_key(path) {
            return Created::Stands;
        }
        self.by_path.insert(path.to_owned(), bytes.clone());
        Created::Ours
    }

    /// Replaces an object, or puts one where none is.
    pub(crate) fn overwrite(&mut self, path: &str, bytes: &Bytes) {
        self.by_path.insert(path.to_owned(), bytes.clone());
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Bytes> {
        self.by_path.get(path)
    }

    pub(crate) fn delete(&mut self, path: &str) {
        self.by_path.remove(path);
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &String> {
        self.by_path.keys()
    }

    /// Reads a range of an object, cut at its end.
    pub(crate) fn read(&self, path: &str, range: &ReadRange) -> Option<ObjectBytes> {
        let bytes = self.by_path.get(path)?;
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let part = match range {
            ReadRange::All => bytes.clone(),
            ReadRange::Bytes(range) => {
                bytes.slice(at(range.start).min(at(range.end))..at(range.end))
            }
            ReadRange::Last(count) => bytes.slice(bytes.len() - at(*count)..),
        };
        let object_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Some(ObjectBytes { bytes: part, object_bytes })
    }

    /// A page of the objects under `prefix`, after the path `after`.
    pub(crate) fn list(&self, prefix: &str, after: Option<&str>, page_objects: usize) -> Page {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let mut found = self
            .by_path
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(path, _)| path.starts_with(prefix));
        let objects: Vec<_> = found
            .by_ref()
            .take(page_objects)
            .map(|(path, bytes)| ObjectInfo {
                path: path.clone(),
                bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            })
            .collect();
        let more = found.next().is_some();
        let next = objects.last().filter(|_| more).map(|last| last.path.clone());
        Page { objects, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_created_once_and_listed_in_pages() {
        let mut objects = Objects::default();
        for path in ["a/1", "a/2", "a/3", "b/1"] {
            assert_eq!(objects.create(path, &Bytes::from_static(b"xyz")), Created::Ours);
        }
        assert_eq!(objects.create("a/1", &Bytes::new()), Created::Stands);
        let paths = |page: &Page| page.objects.iter().map(|o| o.path.clone()).collect::<Vec<_>>();
        let first = objects.list("a/", None, 2);
        assert_eq!(paths(&first), ["a/1", "a/2"]);
        let second = objects.list("a/", first.next.as_deref(), 2);
        assert_eq!((paths(&second), second.next), (vec!["a/3".to_owned()], None));
        assert_eq!(objects.list("a", Some("A"), 9).objects.len(), 3);
    }

    #[test]
    fn ranges_are_cut_at_the_end() {
        let mut objects = Objects::default();
        objects.create("a", &Bytes::from_static(b"abcde"));
        let read = |range| objects.read("a", &range).expect("stands").bytes;
        assert_eq!(read(ReadRange::Bytes(3..9)), "de");
        assert_eq!(read(ReadRange::Bytes(7..9)), "");
        assert_eq!(read(ReadRange::Last(2)), "de");
        assert_eq!(read(ReadRange::Last(99)), "abcde");
        assert_eq!(objects.read("b", &ReadRange::All), None);
    }
}
