//! Each partition's offsets, from manifest to manifest, and the checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Finding, StandingManifest};
use crate::documents::{Checkpoint, UNRESOLVED};
use crate::words::TopicPartition;

/// A range of offsets that a manifest tells of.
struct Told {
    start: i64,
    end: i64,
}

/// Checks that slices and losses of each manifest go on where the one before ended, without hole
/// or overlap, that every slice adds up, and that the checkpoint's entries say so. Only a reset
/// may move a partition back, or begin anew with another topic of its name, and only as it says.
pub fn check_offsets(manifests: &[StandingManifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut positions: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    for StandingManifest { path, manifest } in manifests {
        let mut wrong = |message: String| findings.push(Finding::new(path, message));
        let mut told: BTreeMap<TopicPartition, Vec<Told>> = BTreeMap::new();
        for slice in &manifest.slices {
            let partition = TopicPartition::new(Arc::clone(&slice.topic), slice.partition);
            let (start, end) = (slice.start, slice.reached);
            let accounted = slice.accounting.offsets();
            if end < start || end.abs_diff(start) != accounted {
                wrong(format!(
                    "{partition} [{start}, {end}): {accounted} offsets are accounted for"
                ));
            }
            told.entry(partition).or_default().push(Told { start, end });
        }
        for loss in &manifest.losses {
            let partition = TopicPartition::new(Arc::clone(&loss.topic), loss.partition);
            told.entry(partition).or_default().push(Told { start: loss.start, end: loss.end });
        }
        for moved in &manifest.moves {
            let at = match moved.from {
                // Another topic of the name: what was read of the former says nothing of it.
                None => positions.remove(&moved.place()),
                Some(_) => positions.get(&moved.place()).copied(),
            };
            if let (Some(from), Some(at)) = (moved.from, at)
                && from != at
            {
                wrong(format!("{}: it is moved from {from}, and stood at {at}", moved.place()));
            }
            if moved.again().is_some() {
                positions.insert(moved.place(), moved.to);
            }
        }
        for (partition, mut ranges) in told {
            ranges.sort_by_key(|range| range.start);
            for range in ranges {
                let at = positions.get(&partition).copied().unwrap_or(range.start);
                if at != range.start {
                    let what = if at < range.start { "a hole" } else { "an overlap" };
                    wrong(format!(
                        "{partition}: {what}: it stood at {at}, and the run begins at {}",
                        range.start
                    ));
                }
                positions.insert(partition.clone(), range.end);
            }
        }
        for entry in manifest.checkpoint.iter().filter(|entry| entry.state != UNRESOLVED) {
            let partition = TopicPartition::new(Arc::clone(&entry.topic), entry.partition);
            let at = positions.entry(partition.clone()).or_insert(entry.offset);
            if *at != entry.offset {
                wrong(format!(
                    "{partition}: its checkpoint is {}, and the slices end at {at}",
                    entry.offset
                ));
            }
        }
    }
    findings
}

/// Checks the current checkpoint against all that the manifests tell. Entries that no manifest
/// told of yet are passed over.
pub fn check_checkpoint(checkpoint: &Checkpoint, manifests: &[StandingManifest]) -> Vec<Finding> {
    let mut told: BTreeMap<TopicPartition, (i64, &str)> = BTreeMap::new();
    for StandingManifest { manifest, .. } in manifests {
        for entry in &manifest.checkpoint {
            let partition = TopicPartition::new(Arc::clone(&entry.topic), entry.partition);
            told.insert(partition, (entry.offset, &entry.state));
        }
    }
    let mut findings = Vec::new();
    for entry in checkpoint.entries.iter().filter(|entry| !entry.untold) {
        let partition = &entry.partition;
        let (offset, state) = (entry.offset, entry.state.name());
        match told.remove(partition) {
            Some(told) if told == (offset, state) => {}
            Some((at, was)) => findings.push(Finding::new(
                "the checkpoint",
                format!("{partition} is at {offset}, {state}; the manifests say {at}, {was}"),
            )),
            None => findings.push(Finding::new(
                "the checkpoint",
                format!("{partition} is at {offset}, and no manifest tells of it"),
            )),
        }
    }
    let untold = |partition: &TopicPartition| checkpoint.entry(partition).is_some();
    findings.extend(told.into_keys().filter(|partition| !untold(partition)).map(|partition| {
        Finding::new(
            "the checkpoint",
            format!("{partition} is missing, and a manifest tells of it"),
        )
    }));
    findings
}
