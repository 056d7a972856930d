//! The state table of one pipeline.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tidegate_core::ports::{Document, Mark, StoredHead, Swapped, Written};
use tidegate_core::words::{RandomId, RunNumber};

/// One pipeline's part of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) head: Option<StoredHead>,
    /// All heads there ever were.
    pub(crate) heads: Vec<Bytes>,
    /// Documents with their expiry.
    documents: BTreeMap<Document, (Bytes, Option<i64>)>,
    pub(crate) marks: BTreeMap<(RunNumber, RandomId), BTreeSet<Mark>>,
    /// Holders that live.
    pub(crate) holders: BTreeSet<RandomId>,
}

impl Table {
    /// Swaps the head if its version is the expected one.
    pub(crate) fn swap(&mut self, expected: Option<u64>, bytes: &Bytes) -> Swapped {
        if self.head.as_ref().map(|head| head.version) != expected {
            return Swapped::Conflict;
        }
        let version = expected.unwrap_or(0) + 1;
        self.head = Some(StoredHead { version, bytes: bytes.clone() });
        self.heads.push(bytes.clone());
        Swapped::Ours { version }
    }

    /// Writes a document if it is absent. A former try with the same bytes counts as ours.
    pub(crate) fn write(
        &mut self,
        document: Document,
        bytes: &Bytes,
        expires: Option<i64>,
        now: i64,
    ) -> Written {
        match self.load(document, now) {
            Some(stands) if stands == *bytes => Written::Ours,
            Some(stands) => Written::Stands(stands),
            None => {
                self.documents.insert(document, (bytes.clone(), expires));
                Written::Ours
            }
        }
    }

    /// Replaces a document: only sabotage does this.
    pub(crate) fn overwrite(&mut self, document: Document, bytes: &Bytes) {
        self.documents.insert(document, (bytes.clone(), None));
    }

    /// A document that has not expired.
    pub(crate) fn load(&self, document: Document, now: i64) -> Option<Bytes> {
        let (bytes, expires) = self.documents.get(&document)?;
        expires.is_none_or(|at| now < at).then(|| bytes.clone())
    }

    /// Gives a document an expiry that it did not have.
    pub(crate) fn expire(&mut self, document: Document, at: i64) {
        if let Some((_, expires)) = self.documents.get_mut(&document) {
            expires.get_or_insert(at);
        }
    }

    /// Adds a mark; whether that made all `tasks` tasks done.
    pub(crate) fn mark(&mut self, run: (RunNumber, RandomId), mark: Mark, tasks: u32) -> bool {
        let marks = self.marks.entry(run).or_default();
        let new = marks.insert(mark);
        let done = marks.iter().filter(|mark| matches!(mark, Mark::Done { .. })).count();
        new && matches!(mark, Mark::Done { .. }) && u32::try_from(done) == Ok(tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: Document = Document::Plan(RunNumber(1), RandomId(1));

    #[test]
    fn the_head_is_swapped_by_version() {
        let mut table = Table::default();
        let bytes = Bytes::from_static(b"1");
        assert_eq!(table.swap(Some(1), &bytes), Swapped::Conflict);
        assert_eq!(table.swap(None, &bytes), Swapped::Ours { version: 1 });
        assert_eq!(table.swap(None, &bytes), Swapped::Conflict);
        assert_eq!(table.swap(Some(1), &bytes), Swapped::Ours { version: 2 });
    }

    #[test]
    fn documents_are_written_once_and_expire() {
        let mut table = Table::default();
        let (one, two) = (Bytes::from_static(b"1"), Bytes::from_static(b"2"));
        assert_eq!(table.write(DOCUMENT, &one, None, 0), Written::Ours);
        assert_eq!(table.write(DOCUMENT, &one, None, 0), Written::Ours);
        assert_eq!(table.write(DOCUMENT, &two, None, 0), Written::Stands(one.clone()));
        table.expire(DOCUMENT, 10);
        table.expire(DOCUMENT, 99);
        assert_eq!(table.load(DOCUMENT, 9), Some(one));
        assert_eq!(table.load(DOCUMENT, 10), None);
    }

    #[test]
    fn only_the_last_task_completes_the_marks_and_only_once() {
        let mut table = Table::default();
        let run = (RunNumber(1), RandomId(1));
        assert!(!table.mark(run, Mark::Done { task: 0 }, 2));
        assert!(!table.mark(run, Mark::Done { task: 0 }, 2));
        assert!(table.mark(run, Mark::Done { task: 1 }, 2));
        assert!(!table.mark(run, Mark::Done { task: 1 }, 2));
    }
}
