use bytes::Bytes;

use super::books::{Books, file_slice, pipeline};
use crate::documents::{Manifest, ManifestFile};
use crate::ports::{FileFooter, RowGroupBounds, RowRun};
use crate::spec::Spec;
use crate::time::Millis;
use crate::use_cases::data_file_metadata;
use crate::verify::{
    BoundsOfRun, FileRows, Folders, RowsOfRun, Stranger, check_data_file, judge_stranger,
};
use crate::words::RunNumber;

fn footer(manifest: &Manifest) -> FileFooter {
    FileFooter {
        rows: 5,
        metadata: data_file_metadata(&pipeline(), RunNumber(1), 1, &manifest.layout_hash),
        fingerprint: String::new(),
        tail: Bytes::new(),
        file_bytes: 100,
    }
}

#[test]
fn a_data_file_is_what_its_manifest_says() {
    let manifest = &Books::new().manifests[0];
    let file = &manifest.files[0];
    let good = footer(manifest);
    let check = |footer: Option<&FileFooter>| check_data_file("M", manifest, 1, file, footer);
    assert_eq!(check(Some(&good)), [""; 0]);
    assert!(check(None)[0].contains("gone, and M names it"));
    let rows = FileFooter { rows: 4, ..good.clone() };
    assert!(check(Some(&rows))[0].contains("4 rows, and M says 5"));
    let bytes = FileFooter { file_bytes: 1, ..good.clone() };
    assert!(check(Some(&bytes))[0].contains("1 byte, and M says 100"));
    for at in 0..good.metadata.len() {
        let mut other = good.clone();
        other.metadata[at].1.push('0');
        assert_eq!(check(Some(&other)).len(), 1, "{}", good.metadata[at].0);
        other.metadata.remove(at);
        assert_eq!(check(Some(&other)).len(), 1, "{}", good.metadata[at].0);
    }
}

fn group(topics: (&str, &str), partitions: (i32, i32), offsets: (i64, i64)) -> RowGroupBounds {
    RowGroupBounds {
        rows: offsets.1.abs_diff(offsets.0) + 1,
        topic: (topics.0.into(), topics.1.into()),
        partition: partitions,
        offset: offsets,
        timestamp: Some((0, 0)),
        timestamps_null: 0,
    }
}

fn bounds(groups: &[RowGroupBounds], manifest: &Manifest) -> (Vec<String>, Vec<String>) {
    let mut bounds = BoundsOfRun::default();
    let file = bounds.check_file(&manifest.files[0], groups, None);
    (file, bounds.check_run(manifest))
}

#[test]
fn the_bounds_of_row_groups_are_those_that_the_manifest_says() {
    let manifest = &mut Books::new().manifests[0];
    let t = ("t", "t");
    let whole = [group(t, (0, 0), (0, 2)), group(t, (0, 0), (3, 4))];
    assert_eq!(bounds(&whole, manifest), (Vec::new(), Vec::new()));
    for bad in [
        vec![group(t, (0, 0), (0, 2)), group(t, (0, 0), (3, 5))],
        vec![group(t, (0, 0), (0, 3))],
        vec![group(t, (1, 1), (0, 4))],
        vec![group(("u", "u"), (0, 0), (0, 4))],
        Vec::new(),
    ] {
        assert_ne!(bounds(&bad, manifest).0, [""; 0], "{bad:?}");
    }
    let few = [group(t, (0, 0), (0, 0)), group(t, (0, 0), (4, 4))];
    let (file, run) = bounds(&few, manifest);
    assert_eq!(file, [""; 0]);
    assert!(run[0].contains("2 rows in its files, and its slices have 5"), "{run:?}");
    // Of mixed row groups the footer tells less.
    manifest.files[0].slices.push(crate::documents::FileSlice { partition: 1, ..file_slice(7, 9) });
    assert_eq!(bounds(&[group(t, (0, 1), (0, 8))], manifest).0, [""; 0]);
    assert_ne!(bounds(&[group(t, (0, 1), (0, 9))], manifest).0, [""; 0]);
}

/// Reads rows of t-0 at these offsets, all of one time, as the file of a run.
fn rows(
    manifest: &Manifest,
    file: &ManifestFile,
    folders: Option<Folders<'_>>,
    (offsets, timestamp): (&[i64], Option<i64>),
) -> Vec<String> {
    let mut run = RowsOfRun::new(manifest);
    let mut seen = FileRows::new(file, folders);
    let timestamps = vec![timestamp; offsets.len()];
    // In two pieces.
    let half = offsets.len() / 2;
    for range in [0..half, half..offsets.len()] {
        let (offsets, timestamps) = (&offsets[range.clone()], &timestamps[range]);
        seen.take(&mut run, RowRun { topic: "t", partition: 0, offsets, timestamps });
    }
    seen.end().into_iter().chain(run.end(manifest)).collect()
}

#[test]
fn rows_are_checked_for_range_order_number_and_doubles() {
    let manifest = &Books::new().manifests[0];
    let check = |offsets: &[i64]| rows(manifest, &manifest.files[0], None, (offsets, Some(1)));
    assert_eq!(check(&[0, 1, 2, 3, 4]), [""; 0]);
    for (bad, said) in [
        (&[0, 1, 2, 4][..], "4 rows in its files, it accounts for 5"),
        (&[0, 2, 1, 3, 4], "offset 1 stands behind 2"),
        (&[0, 1, 2, 3, 3, 4], "offset 3 is there twice"),
        (&[1, 2, 3, 4, 5], "offset 5 is in no slice of the run"),
        (&[], "it has no rows of it"),
        (&[1, 2, 3, 4], "its rows are in [1, 5), and its manifest says [0, 5)"),
    ] {
        let found = check(bad);
        assert!(found.iter().any(|fault| fault.contains(said)), "{bad:?}: {found:?}");
    }
    let many: Vec<i64> = (100..200).collect();
    assert!(check(&many).len() < 20, "no flood");
    let without = rows(manifest, &manifest.files[0], None, (&[0, 1, 2, 3, 4], None));
    assert!(without[0].contains("5 rows without a timestamp in its files, it accounts for 0"));
}

#[test]
fn rows_stand_in_the_folder_of_their_time() {
    let text = r#"{"pipeline": "p", "kafka": {"bootstrap_servers": ["h:1"]}, "topics": ["t"],
        "destination": "file:///d", "directories": "hr=%H"}"#;
    let spec = Spec::from_json(text).expect("a good spec");
    let folders = Some(Folders { spec: &spec, planned_at: Millis(0) });
    let mut manifest = Books::new().manifests[0].clone();
    manifest.files[0].path = "t/hr=01/p-0000000001-1.parquet".to_owned();
    let file = &manifest.files[0];
    let all = &[0, 1, 2, 3, 4][..];
    assert_eq!(rows(&manifest, file, folders, (all, Some(3_600_000))), [""; 0]);
    let found = rows(&manifest, file, folders, (all, Some(7_200_000)));
    assert!(found[0].contains("they belong into t/hr=02"), "{found:?}");
    let found = rows(&manifest, file, folders, (all, None));
    assert!(found[0].contains("__HIVE_DEFAULT_PARTITION__"), "{found:?}");
    let group = |timestamp, timestamps_null| RowGroupBounds {
        timestamp,
        timestamps_null,
        ..group(("t", "t"), (0, 0), (0, 4))
    };
    for (group, right) in [
        (group(Some((3_600_000, 7_199_999)), 0), true),
        (group(Some((3_600_000, 7_200_000)), 0), false),
        (group(Some((3_599_999, 3_600_000)), 0), false),
        (group(Some((3_600_000, 3_600_000)), 1), false),
        (group(None, 5), false),
    ] {
        let found = BoundsOfRun::default().check_file(file, &[group], folders.as_ref());
        assert_eq!(found.is_empty(), right, "{found:?}");
    }
}

#[test]
fn a_stranger_is_told_by_its_metadata() {
    let with = |key: &str, value: &str| {
        let metadata = vec![(key.to_owned(), value.to_owned())];
        Stranger::Parquet(FileFooter { metadata, ..footer(&Books::new().manifests[0]) })
    };
    let (theirs, any) = ("t/q-0000000001-1.parquet", "t/copy.parquet");
    for (path, stranger, wrong) in [
        (any, with("tidegate.pipeline", "p"), true),
        (theirs, with("tidegate.pipeline", "p"), true),
        (any, with("tidegate.pipeline", "q"), false),
        (theirs, with("tidegate.pipeline", "q"), false),
        (any, with("other", "p"), true),
        (any, Stranger::Other, true),
        (theirs, Stranger::Other, false),
    ] {
        let found = judge_stranger(&pipeline(), path, &stranger);
        assert_eq!(found.is_some(), wrong, "{path}: {stranger:?}");
    }
}
