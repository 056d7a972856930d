//! Manifests of resets and of aborted runs.

use super::books::{Books, entry_at, layout};
use crate::documents::{
    Layout, LayoutRef, Loss, Manifest, ManifestKind, Move, Reset, encode, hash,
};
use crate::planning::samples::checkpoint;
use crate::verify::{Positions, check_checkpoint, check_manifest};

/// A run 5 behind the books: a reset that moves `t-0` as `moved` says, and skips `skipped`.
fn with_reset(moved: (Option<i64>, i64), skipped: Option<(i64, i64)>) -> Books {
    let mut books = Books::new();
    let (mut of, _) = layout(5, books.layouts.last(), 0, 0);
    let (from, to) = moved;
    let moves = Move { topic: "t".into(), topic_id: None, partition: 0, from, to };
    of.reset = Some(Reset { reason: "why".to_owned(), moves: vec![moves] });
    (of.slices, of.files, of.entries) = (vec![], vec![], vec![entry_at("t", 0, to)]);
    of.losses = skipped
        .map(|(start, end)| Loss { topic: "t".into(), topic_id: None, partition: 0, start, end })
        .into_iter()
        .collect();
    books.push(of, &[]);
    books
}

impl Books {
    /// One more run at the end of the chain, whose manifest is that of its layout.
    fn push(&mut self, of: Layout, sizes: &[u64]) {
        let hash = hash(&encode(&of));
        self.manifests.push(Manifest::of(&of, &hash, sizes));
        self.head.layout = Some(LayoutRef { run: of.run, hash: hash.clone() });
        self.head.manifest = Some(of.run);
        self.layouts.push((of, hash));
    }

    /// A run that read [start, end) behind all others.
    fn push_run(&mut self, run: u64, start: i64, end: i64) {
        let (of, _) = layout(run, self.layouts.last(), start, end);
        self.push(of, &[100]);
    }

    /// What is wrong with manifests and offsets, if the checkpoint is at `offset`.
    fn findings_at(&self, offset: i64) -> Vec<String> {
        let mut all = Vec::new();
        let mut positions = Positions::default();
        for at in 0..self.layouts.len() {
            let link = self.link(at);
            check_manifest(&self.head, &link, link.expected(|_| 0).as_ref(), &mut all);
            all.extend(positions.follow("a manifest", &self.manifests[at]));
        }
        let checkpoint = checkpoint(vec![entry_at("t", 0, offset)]);
        all.extend(check_checkpoint(&checkpoint, &positions, true));
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
        books.push_run(6, moved.1, moved.1 + 3);
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
    (last.reason, last.moves) = (Some("another".to_owned()), Vec::new());
    let findings = edited.findings_at(4);
    for what in ["\"reason\"", "\"moves\"", "its checkpoint is 4"] {
        assert!(findings.iter().any(|finding| finding.contains(what)), "{what}: {findings:?}");
    }
}

/// The books with a run 5 that read [9, 12) and was given up when its layout stood.
fn with_abort() -> Books {
    let mut books = Books::new();
    books.push_run(5, 9, 12);
    let last = books.manifests.last_mut().expect("just pushed");
    *last = last.clone().given_up("why", &[]);
    books
}

#[test]
fn nothing_comes_of_an_aborted_run() {
    let mut books = with_abort();
    assert_eq!(books.findings_at(9), [""; 0]);
    books.push_run(6, 9, 13);
    assert_eq!(books.findings_at(13), [""; 0]);
}

#[test]
fn an_aborted_run_that_says_otherwise_is_named() {
    type Edit = fn(&mut Manifest);
    let edits: [(&str, Edit); 4] = [
        ("\"files[0].rows\"", |m| m.files[0].rows = 3),
        ("\"files\"", |m| m.files.clear()),
        ("\"slices\"", |m| m.kind = ManifestKind::Commit),
        ("\"layout_hash\"", |m| m.layout_hash.push('0')),
    ];
    for (field, edit) in edits {
        let mut books = with_abort();
        edit(books.manifests.last_mut().expect("the aborted one"));
        let findings = books.findings_at(9);
        assert!(findings.iter().any(|finding| finding.contains(field)), "{field}: {findings:?}");
    }
}
