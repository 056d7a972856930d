//! Manifests of resets and of aborted runs.

use super::*;
use crate::documents::{Loss, ManifestKind, Move, Reset};

/// A run 5 behind the books: a reset that moves `t-0` as `moved` says, and skips `skipped`.
fn with_reset(moved: (Option<i64>, i64), skipped: Option<(i64, i64)>) -> Books {
    let mut books = books();
    let mut of = layout(5, books.layouts.last(), 0, 0);
    let (from, to) = moved;
    let moves = Move { topic: "t".into(), topic_id: None, partition: 0, from, to };
    of.layout.reset = Some(Reset { reason: "why".to_owned(), moves: vec![moves] });
    (of.layout.slices, of.layout.files, of.layout.entries) = (vec![], vec![], vec![at(to)]);
    of.layout.losses = skipped
        .map(|(start, end)| Loss { topic: "t".into(), topic_id: None, partition: 0, start, end })
        .into_iter()
        .collect();
    books.push(of, &[]);
    books
}

impl Books {
    /// One more run at the end of the chain, whose manifest is that of its layout.
    fn push(&mut self, mut of: StandingRunLayout, sizes: &[u64]) {
        of.hash = hash(&encode(&of.layout));
        let manifest = Manifest::of(&of.layout, &of.hash, sizes);
        self.manifests.push(StandingManifest { path: "last manifest".to_owned(), manifest });
        self.head.layout = Some(LayoutRef { run: of.layout.run, hash: of.hash.clone() });
        self.head.manifest = Some(of.layout.run);
        self.layouts.push(of);
    }

    fn findings_at(&self, offset: i64) -> Vec<String> {
        let mut all = check_chain(&self.head, &self.layouts, &self.manifests);
        all.extend(check_offsets(&self.manifests));
        all.extend(check_checkpoint(&checkpoint(vec![at(offset)]), &self.manifests));
        all.into_iter().map(|finding| format!("{}: {}", finding.at, finding.message)).collect()
    }
}

#[test]
fn a_reset_moves_a_partition_as_it_says() {
    for (moved, skipped) in [
        ((Some(9), 4), None),
        ((Some(9), 20), Some((9, 20))),
        ((None, 0), None),
        ((None, 7), Some((2, 7))),
    ] {
        let mut books = with_reset(moved, skipped);
        assert_eq!(books.findings_at(moved.1), [""; 0], "{moved:?}");
        let next = layout(6, books.layouts.last(), moved.1, moved.1 + 3);
        books.push(next, &[100]);
        assert_eq!(books.findings_at(moved.1 + 3), [""; 0], "{moved:?}");
    }
}

#[test]
fn a_reset_that_says_otherwise_is_named() {
    for (moved, skipped, what) in [
        ((Some(8), 4), None, "it is moved from 8, and stood at 9"),
        ((Some(9), 20), None, "its checkpoint is 20"),
        ((Some(9), 20), Some((12, 20)), "a hole"),
        ((Some(9), 20), Some((9, 15)), "its checkpoint is 20"),
    ] {
        let findings = with_reset(moved, skipped).findings_at(moved.1);
        assert!(findings.iter().any(|finding| finding.contains(what)), "{what}: {findings:?}");
    }
    let mut edited = with_reset((Some(9), 4), None);
    let last = edited.manifests.last_mut().expect("the reset");
    (last.manifest.reason, last.manifest.moves) = (Some("another".to_owned()), Vec::new());
    let findings = edited.findings_at(4);
    for what in ["\"reason\"", "\"moves\"", "its checkpoint is 4"] {
        assert!(findings.iter().any(|finding| finding.contains(what)), "{what}: {findings:?}");
    }
}

/// The books with a run 5 that read [9, 12) and was given up when its layout stood.
fn with_abort() -> Books {
    let mut books = books();
    let of = layout(5, books.layouts.last(), 9, 12);
    books.push(of, &[70]);
    let last = &mut books.manifests.last_mut().expect("just pushed").manifest;
    *last = last.clone().given_up("why", &[]);
    books
}

#[test]
fn nothing_comes_of_an_aborted_run() {
    let mut books = with_abort();
    assert_eq!(books.findings_at(9), [""; 0]);
    let next = layout(6, books.layouts.last(), 9, 13);
    books.push(next, &[100]);
    assert_eq!(books.findings_at(13), [""; 0]);
}

#[test]
fn an_aborted_run_that_says_otherwise_is_named() {
    type Edit = fn(&mut Manifest);
    let edits: [(&str, Edit); 4] = [
        ("\"files\"", |m| m.files[0].rows = 3),
        ("\"files\"", |m| m.files.clear()),
        ("\"slices\"", |m| m.kind = ManifestKind::Commit),
        ("\"layout_hash\"", |m| m.layout_hash.push('0')),
    ];
    for (field, edit) in edits {
        let mut books = with_abort();
        edit(&mut books.manifests.last_mut().expect("the aborted one").manifest);
        let findings = books.findings_at(9);
        assert!(findings.iter().any(|finding| finding.contains(field)), "{field}: {findings:?}");
    }
}
