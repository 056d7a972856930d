//! Books of two runs, right and wrong. That every field of every document is looked at is tested
//! where destinations are made: in `cli/tests`.

mod books;
mod chain;
mod data;
mod operator;

use self::books::{Books, entry_at, file_slice, slice};
use super::*;
use crate::documents::{Accounting, Loss};
use crate::planning::samples::checkpoint;
use crate::words::{RunNumber, TopicId};

#[test]
fn books_that_are_right_have_no_findings() {
    assert_eq!(Books::new().findings(), [""; 0]);
}

#[test]
fn holes_and_overlaps_are_told_apart() {
    for (start, what) in [(6, "a hole"), (4, "an overlap")] {
        let mut books = Books::new();
        books.manifests[1].slices[0].start = start;
        let found = books.findings();
        assert!(found.iter().any(|f| f.contains(what) && f.contains("t-0")), "{what}: {found:?}");
    }
}

#[test]
fn a_loss_tiles_with_the_slices() {
    let mut books = Books::new();
    books.manifests[1].slices[0].start = 7;
    books.manifests[1].slices[0].accounting.rows = 2;
    books.manifests[1].files[0].rows = 2;
    books.manifests[1].files[0].slices[0].start = 7;
    let loss = Loss { topic: "t".into(), topic_id: None, partition: 0, start: 5, end: 7 };
    books.manifests[1].losses = vec![loss.clone()];
    assert_eq!(books.findings(), [""; 0]);
    for (start, end, what) in [(5, 6, "a hole"), (4, 7, "an overlap"), (5, 8, "an overlap")] {
        books.manifests[1].losses = vec![Loss { start, end, ..loss.clone() }];
        assert!(books.findings().iter().any(|f| f.contains(what)), "[{start}, {end}): {what}");
    }
}

#[test]
fn what_a_manifest_says_of_a_partition_must_agree() {
    let id = |byte| Some(TopicId([byte; 16]));
    type Edit = fn(&mut Books);
    let edits: [(&str, Edit); 8] = [
        ("no entry of the checkpoint", |b| b.manifests[1].checkpoint.clear()),
        ("two entries", |b| {
            let entry = b.manifests[1].checkpoint[0].clone();
            b.manifests[1].checkpoint.push(entry);
        }),
        ("its checkpoint is 8, and it stands at 9", |b| b.manifests[1].checkpoint[0].offset = 8),
        ("accounts for 3", |b| b.manifests[1].slices[0].accounting.rows = 3),
        ("no range of offsets", |b| b.manifests[1].slices[0].reached = 5),
        ("its slices have 4 rows, and its files 3", |b| b.manifests[1].files[0].rows = 3),
        ("not in the run's slices", |b| b.manifests[1].files[0].slices[0].end = 10),
        ("is named twice", |b| {
            let file = b.manifests[1].files[0].clone();
            b.manifests[1].files.push(file);
        }),
    ];
    for (said, edit) in edits {
        let mut books = Books::new();
        edit(&mut books);
        let found = books.findings();
        assert!(
            found.iter().any(|f| f.starts_with("2: ") && f.contains(said)),
            "{said}: {found:?}"
        );
    }
    let mut books = Books::new();
    books.manifests[0].checkpoint[0].topic_id = id(1);
    books.manifests[1].slices[0].topic_id = id(2);
    books.manifests[1].checkpoint[0].topic_id = id(1);
    assert!(books.findings().iter().any(|f| f.contains("is of topic id")));
    books.manifests[1].slices[0].topic_id = None;
    assert_eq!(books.positions().1, [""; 0], "an unknown id is no other one");
}

#[test]
fn a_slice_without_a_row_needs_no_file() {
    let mut books = Books::new();
    books.manifests[1].slices[0].accounting = Accounting { compacted: 4, ..Accounting::default() };
    books.manifests[1].files.clear();
    assert_eq!(books.findings(), [""; 0]);
}

#[test]
fn a_checkpoint_that_says_otherwise_is_named() {
    let (told, _) = Books::new().positions();
    let found = |entries| check_checkpoint(&checkpoint(entries), &told, true);
    assert_eq!(found(vec![entry_at("t", 0, 9)]), []);
    assert!(found(vec![entry_at("t", 0, 8)])[0].message.contains("offset is 8"));
    assert!(found(vec![])[0].message.contains("is missing"));
    let mut other = entry_at("t", 0, 9);
    other.leader_epoch += 1;
    assert!(found(vec![other.clone()])[0].message.contains("leader epoch"));
    other.untold = true;
    assert_eq!(found(vec![other]), [], "no manifest told of its change yet");
    let more = || vec![entry_at("t", 0, 9), entry_at("t", 1, 3)];
    assert!(found(more())[0].message.contains("no manifest tells of it"));
    assert_eq!(check_checkpoint(&checkpoint(more()), &told, false), [], "not all were followed");
}

#[test]
fn after_a_missing_manifest_any_offset_is_believed() {
    let mut books = Books::new();
    books.manifests[1].slices[0] = slice(50, 54);
    books.manifests[1].checkpoint[0].offset = 54;
    books.manifests[1].files[0].slices[0] = file_slice(50, 54);
    let mut positions = Positions::default();
    assert_eq!(positions.follow("1", &books.manifests[0]), []);
    positions.forget();
    assert_eq!(positions.follow("2", &books.manifests[1]), []);
    assert_eq!(books.manifests[1].run, RunNumber(3));
}

/// A partition that could not be observed at the first run: its entry says nothing of an offset.
#[test]
fn an_entry_that_is_not_resolved_is_no_position() {
    let mut books = Books::new();
    for (at, state) in [(0, "unresolved"), (1, "fine")] {
        let mut entry = books.manifests[at].checkpoint[0].clone();
        (entry.partition, entry.offset, entry.state) = (1, [0, 77][at], state.to_owned());
        books.manifests[at].checkpoint.push(entry);
    }
    assert_eq!(books.findings(), [""; 0]);
    books.manifests[0].checkpoint[1].state = "fine".to_owned();
    assert!(books.findings().iter().any(|f| f.contains("its checkpoint is 77")));
}
