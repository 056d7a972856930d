use std::collections::BTreeSet;

use super::*;
use crate::documents::{
    Accounting, CheckpointEntry, CountedSlice, DataFile, FORMAT, FileSlice, Head, Layout,
    LayoutRef, Manifest, encode, hash,
};
use crate::planning::samples::{checkpoint, entry};
use crate::ports::FileFooter;
use crate::time::Millis;
use crate::words::{PipelineName, RandomId, RunNumber, TopicPartition};

mod operator;

fn pipeline() -> PipelineName {
    PipelineName::try_from("p".to_owned()).expect("a good name")
}

fn at(offset: i64) -> CheckpointEntry {
    entry("t", 0, offset)
}

/// A layout of a run that read [start, end) of t-0 into one file.
fn layout(run: u64, before: Option<&StandingRunLayout>, start: i64, end: i64) -> StandingRunLayout {
    let rows = end.abs_diff(start);
    let layout = Layout {
        format: FORMAT,
        pipeline: pipeline(),
        birth_id: RandomId(1),
        run: RunNumber(run),
        plan: RandomId(2),
        previous_layout: before.map(|before| before.hash.clone()),
        previous_manifest: before.map(|before| before.layout.run),
        planned_at: Millis(1),
        laid_out_at: Millis(2),
        spec_hash: "s".to_owned(),
        base: None,
        cluster_id: None,
        slices: vec![CountedSlice {
            partition: TopicPartition::new("t", 0),
            topic_id: None,
            start,
            reached: end,
            accounting: Accounting { rows, ..Accounting::default() },
            payload_bytes: 1,
        }],
        losses: Vec::new(),
        entries: vec![at(end)],
        files: vec![DataFile {
            path: format!("t/p-{run:010}-1.parquet"),
            number: 1,
            rows,
            staged: Vec::new(),
            slices: vec![FileSlice { topic: "t".into(), partition: 0, start, end }],
        }],
        set_aside: Vec::new(),
        reset: None,
        aborted: None,
    };
    let after = before.map_or(RunNumber(0), |before| before.layout.run);
    let hash = hash(&encode(&layout));
    StandingRunLayout { path: format!("after {after}"), after, layout, hash }
}

fn manifest(of: &StandingRunLayout) -> StandingManifest {
    let manifest = Manifest::of(&of.layout, &of.hash, &[100]);
    StandingManifest { path: format!("manifest {}", manifest.run), manifest }
}

struct Books {
    head: Head,
    layouts: Vec<StandingRunLayout>,
    manifests: Vec<StandingManifest>,
}

/// Runs 1 and 3, which read [0, 5) and [5, 9).
fn books() -> Books {
    let first = layout(1, None, 0, 5);
    let second = layout(3, Some(&first), 5, 9);
    let head = Head {
        format: FORMAT,
        pipeline: pipeline(),
        birth_id: RandomId(1),
        swap: RandomId(9),
        destination: "file:///d".to_owned(),
        checkpoint: None,
        layout: Some(LayoutRef { run: RunNumber(3), hash: second.hash.clone() }),
        manifest: Some(RunNumber(3)),
        last_run: RunNumber(4),
        open: None,
        spec: serde_json::json!({}),
        paused: false,
    };
    Books {
        head,
        manifests: vec![manifest(&first), manifest(&second)],
        layouts: vec![first, second],
    }
}

impl Books {
    fn findings(&self) -> Vec<String> {
        let mut all = check_chain(&self.head, &self.layouts, &self.manifests);
        all.extend(check_offsets(&self.manifests));
        all.extend(check_checkpoint(&checkpoint(vec![at(9)]), &self.manifests));
        all.into_iter().map(|finding| format!("{}: {}", finding.at, finding.message)).collect()
    }
}

#[test]
fn a_whole_destination_has_no_findings() {
    assert_eq!(books().findings(), [""; 0]);
}

#[test]
fn each_edited_field_of_a_manifest_is_named() {
    type Edit = fn(&mut Manifest);
    let edits: [(&str, Edit); 10] = [
        ("\"birth_id\"", |m| m.birth_id = RandomId(7)),
        ("\"previous\"", |m| m.previous = None),
        ("\"layout_hash\"", |m| m.layout_hash.push('0')),
        ("\"planned_at\"", |m| m.planned_at = Millis(7)),
        ("\"laid_out_at\"", |m| m.laid_out_at = Millis(7)),
        ("\"spec_hash\"", |m| m.spec_hash.push('0')),
        ("\"slices\"", |m| m.slices[0].accounting.rows -= 1),
        ("\"checkpoint\"", |m| m.checkpoint[0].offset += 1),
        ("\"files\"", |m| m.files[0].rows += 1),
        ("\"set_aside\"", |m| {
            m.set_aside.push(crate::documents::SetAside { task: 0, cause: String::new() });
        }),
    ];
    for (field, edit) in edits {
        let mut books = books();
        edit(&mut books.manifests[1].manifest);
        let findings = books.findings();
        let named = findings.iter().any(|f| f.starts_with("manifest 3") && f.contains(field));
        assert!(named, "{field}: {findings:?}");
    }
}

#[test]
fn what_is_missing_of_the_chain_is_named() {
    let mut gone = books();
    gone.manifests.remove(0);
    assert!(gone.findings().iter().any(|f| f == "after 0: run 1 has no manifest"));
    let mut gone = books();
    gone.layouts.remove(1);
    assert!(
        gone.findings().iter().any(|f| f.contains("ends with run 1, and the state names run 3"))
    );
    let mut rival = books();
    rival.layouts[1].layout.previous_layout = Some("of another".to_owned());
    assert!(rival.findings().iter().any(|f| f.contains("not the one that it follows")));
}

#[test]
fn holes_and_overlaps_are_told_apart() {
    for (start, what) in [(6, "a hole"), (4, "an overlap")] {
        let mut books = books();
        books.manifests[1].manifest.slices[0].start = start;
        assert!(books.findings().iter().any(|f| f.contains(what)), "{what}");
    }
}

#[test]
fn a_checkpoint_that_says_otherwise_is_named() {
    let books = books();
    let found = check_checkpoint(&checkpoint(vec![at(8)]), &books.manifests);
    assert_eq!(found.len(), 1);
    let found = check_checkpoint(&checkpoint(vec![]), &books.manifests);
    assert!(found[0].message.contains("is missing"));
}

#[test]
fn a_data_file_is_what_its_manifest_says() {
    let books = books();
    let manifest = &books.manifests[0].manifest;
    let file = &manifest.files[0];
    let good = FileFooter {
        rows: 5,
        metadata: vec![("tidegate.layout".to_owned(), manifest.layout_hash.clone())],
        fingerprint: String::new(),
        tail: bytes::Bytes::new(),
        file_bytes: 100,
    };
    assert_eq!(check_file(manifest, file, Some(&good)), None);
    for bad in [
        None,
        Some(FileFooter { rows: 4, ..good.clone() }),
        Some(FileFooter { file_bytes: 99, ..good.clone() }),
        Some(FileFooter { metadata: Vec::new(), ..good.clone() }),
    ] {
        let found = check_file(manifest, file, bad.as_ref()).expect("something is wrong");
        assert_eq!(found.at, file.path);
    }
}

#[test]
fn a_file_that_no_manifest_names_is_named() {
    let books = books();
    let listed = |paths: &[&str]| paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
    let strange = "t/p-0000000009-1.parquet";
    let listed = listed(&["t/p-0000000001-1.parquet", "t/q-0000000009-1.parquet", strange]);
    let found = unknown_files(&pipeline(), &listed, &books.manifests, &BTreeSet::new());
    assert_eq!(found.iter().map(|f| f.at.as_str()).collect::<Vec<_>>(), [strange]);
    let open = BTreeSet::from([strange]);
    assert!(unknown_files(&pipeline(), &listed, &books.manifests, &open).is_empty());
}

#[test]
fn rows_are_checked_for_range_order_number_and_doubles() {
    let books = books();
    let manifest = &books.manifests[0].manifest;
    let rows = |offsets: &[i64]| -> Vec<RowId> {
        offsets.iter().map(|o| RowId { topic: "t".into(), partition: 0, offset: *o }).collect()
    };
    let check = |offsets: &[i64]| check_rows(manifest, &[(&manifest.files[0], rows(offsets))]);
    assert_eq!(check(&[0, 1, 2, 3, 4]), []);
    for bad in [&[0, 1, 2, 4][..], &[0, 2, 1, 3, 4], &[0, 1, 2, 3, 3, 4], &[1, 2, 3, 4, 5]] {
        assert!(!check(bad).is_empty(), "{bad:?}");
    }
}
