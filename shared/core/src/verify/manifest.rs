//! What must hold within one manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::documents::{Manifest, ManifestFile, ManifestKind, ManifestSlice};
use crate::words::plural;

/// The slices of a partition, joined: its topic, partition, first offset and the one after its
/// last.
type Crossed<'a> = BTreeMap<(&'a str, i32), (i64, i64)>;

/// Checks that each slice adds up, that losses are ranges, and that the files hold as many rows
/// as the slices, of no other offsets.
pub(crate) fn check_sums(path: &str, manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut wrong = |message: String| findings.push(Finding::new(path, message));
    let mut crossed: Crossed<'_> = BTreeMap::new();
    for slice in &manifest.slices {
        slice_fault(slice).into_iter().for_each(&mut wrong);
        let place = (&*slice.topic, slice.partition);
        let all = crossed.entry(place).or_insert((slice.start, slice.reached));
        *all = (all.0.min(slice.start), all.1.max(slice.reached));
    }
    for loss in manifest.losses.iter().filter(|loss| loss.end <= loss.start) {
        let (topic, partition) = (&loss.topic, loss.partition);
        wrong(format!("{topic}-{partition} [{}, {}): it is no loss", loss.start, loss.end));
    }
    let aborted = manifest.kind == ManifestKind::Aborted;
    let mut paths = BTreeSet::new();
    for file in &manifest.files {
        if !paths.insert(&file.path) {
            wrong(format!("{} is named twice", file.path));
        }
        file_faults(file, aborted, &crossed).into_iter().for_each(&mut wrong);
    }
    let in_slices = sum(manifest.slices.iter().map(|slice| slice.accounting.rows));
    let in_files = sum(manifest.files.iter().map(|file| file.rows));
    if in_slices != in_files {
        wrong(format!(
            "its slices have {in_slices} {}, and its files {in_files}",
            plural(in_slices, "row")
        ));
    }
    findings
}

fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

fn slice_fault(slice: &ManifestSlice) -> Option<String> {
    let ManifestSlice { topic, partition, start, reached, accounting, .. } = slice;
    let place = format!("{topic}-{partition} [{start}, {reached})");
    if *start < 0 || reached <= start {
        return Some(format!("{place}: it is no range of offsets"));
    }
    let (offsets, accounted) = (reached.abs_diff(*start), accounting.offsets());
    if offsets != accounted {
        let has = plural(offsets, "offset");
        return Some(format!("{place}: it has {offsets} {has}, and accounts for {accounted}"));
    }
    (accounting.timestamps_nulled > accounting.rows).then(|| {
        format!(
            "{place}: {} of {} {} without a timestamp",
            accounting.timestamps_nulled,
            accounting.rows,
            plural(accounting.rows, "row")
        )
    })
}

fn file_faults(file: &ManifestFile, aborted: bool, crossed: &Crossed<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut room: u64 = 0;
    let mut places = BTreeSet::new();
    for slice in &file.slices {
        let place = (&*slice.topic, slice.partition);
        let within = crossed.get(&place).is_some_and(|all| {
            all.0 <= slice.start && slice.start < slice.end && slice.end <= all.1
        });
        let (topic, partition, start, end) =
            (&slice.topic, slice.partition, slice.start, slice.end);
        if !within {
            faults.push(format!(
                "{}: {topic}-{partition} [{start}, {end}) is not in the run's slices",
                file.path
            ));
        }
        if !places.insert(place) {
            faults.push(format!("{}: {topic}-{partition} is named twice", file.path));
        }
        room = room.saturating_add(end.abs_diff(start));
    }
    // Of a run that was given up, a file without a row stands under each of its names.
    let emptied = aborted && file.rows == 0 && room == 0;
    if !emptied && (file.rows == 0 || file.rows > room) {
        let (rows, path) = (file.rows, &file.path);
        let what = plural(rows, "row");
        faults.push(format!("{path}: {rows} {what} in {room} {}", plural(room, "offset")));
    }
    faults
}
