//! The data files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Finding, StandingManifest};
use crate::documents::{Manifest, ManifestFile};
use crate::names;
use crate::ports::FileFooter;
use crate::use_cases::LAYOUT_KEY;
use crate::words::PipelineName;

/// Where a row comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// Checks what stands of a data file against its manifest; none: it is not there.
pub fn check_file(
    manifest: &Manifest,
    file: &ManifestFile,
    footer: Option<&FileFooter>,
) -> Option<Finding> {
    let wrong = |message: String| Some(Finding::new(&file.path, message));
    let run = manifest.run;
    let Some(footer) = footer else {
        return wrong(format!("it is gone, and manifest {run} names it"));
    };
    if footer.file_bytes != file.bytes {
        let has = footer.file_bytes;
        return wrong(format!("it has {has} bytes, and manifest {run} says {}", file.bytes));
    }
    if footer.rows != file.rows {
        return wrong(format!(
            "it has {} rows, and manifest {run} says {}",
            footer.rows, file.rows
        ));
    }
    if footer.value(LAYOUT_KEY) != Some(&manifest.layout_hash) {
        return wrong(format!("it does not carry the layout hash of run {run}"));
    }
    None
}

/// The data files of a pipeline that no manifest names. `published` are those of an open run.
pub fn unknown_files(
    pipeline: &PipelineName,
    listed: &[String],
    manifests: &[StandingManifest],
    published: &BTreeSet<&str>,
) -> Vec<Finding> {
    let named: BTreeSet<&str> = manifests
        .iter()
        .flat_map(|standing| &standing.manifest.files)
        .map(|file| file.path.as_str())
        .collect();
    listed
        .iter()
        .filter(|path| names::DataFile::parse(path).is_some_and(|name| name.pipeline == *pipeline))
        .filter(|path| !named.contains(path.as_str()) && !published.contains(path.as_str()))
        .map(|path| Finding::new(path, "it has the name of a data file, and no manifest names it"))
        .collect()
}

/// Checks the rows of all data files of a run against its manifest, file by file as they are
/// given: their ranges, their order, that none is there twice, and how many each slice has.
pub fn check_rows(manifest: &Manifest, files: &[(&ManifestFile, Vec<RowId>)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut all: BTreeMap<(Arc<str>, i32), Vec<i64>> = BTreeMap::new();
    for (file, rows) in files {
        let mut seen: BTreeMap<(Arc<str>, i32), (i64, i64)> = BTreeMap::new();
        for row in rows {
            let partition = (Arc::clone(&row.topic), row.partition);
            let (_, end) = seen.entry(partition.clone()).or_insert((row.offset, row.offset));
            if row.offset < *end {
                let message = format!(
                    "{}-{}: {} stands behind {}",
                    row.topic,
                    row.partition,
                    row.offset,
                    *end - 1
                );
                findings.push(Finding::new(&file.path, message));
            }
            *end = row.offset + 1;
            all.entry(partition).or_default().push(row.offset);
        }
        let told: BTreeMap<(Arc<str>, i32), (i64, i64)> = file
            .slices
            .iter()
            .map(|s| ((Arc::clone(&s.topic), s.partition), (s.start, s.end)))
            .collect();
        if seen != told {
            let message = "its rows are not of the ranges that the manifest says";
            findings.push(Finding::new(&file.path, message));
        }
    }
    for offsets in all.values_mut() {
        offsets.sort_unstable();
    }
    let path = names::ManifestFile { pipeline: manifest.pipeline.clone(), run: manifest.run };
    let mut wrong = |message: String| findings.push(Finding::new(path.to_string(), message));
    for ((topic, partition), offsets) in &all {
        if let Some(twice) = offsets.windows(2).find(|pair| pair[0] == pair[1]) {
            wrong(format!("{topic}-{partition}: offset {} is there twice", twice[0]));
        }
    }
    for slice in &manifest.slices {
        let key = (Arc::clone(&slice.topic), slice.partition);
        let rows = all.get(&key).map_or(0, |offsets| {
            let below = |bound: i64| offsets.partition_point(|offset| *offset < bound);
            below(slice.reached) - below(slice.start)
        });
        if u64::try_from(rows).ok() != Some(slice.accounting.rows) {
            wrong(format!(
                "{}-{} [{}, {}): {rows} rows are in its files, and {} are accounted for",
                slice.topic, slice.partition, slice.start, slice.reached, slice.accounting.rows
            ));
        }
    }
    findings
}
