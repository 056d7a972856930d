//! The data files, as far as their footers tell, and files that no manifest names.

use std::collections::BTreeMap;

use super::{Finding, Folders};
use crate::documents::{FileSlice, Manifest, ManifestFile};
use crate::names;
use crate::ports::{FileFooter, RowGroupBounds};
use crate::use_cases::{PIPELINE_KEY, RUN_KEY, data_file_metadata};
use crate::words::{PipelineName, plural};

/// Checks what stands of a data file, the `number`th of its run, against its manifest, which stands at `path`; no
/// footer: it is not there. Answers what is wrong.
pub(crate) fn check_data_file(
    path: &str,
    manifest: &Manifest,
    number: u32,
    file: &ManifestFile,
    footer: Option<&FileFooter>,
) -> Vec<String> {
    let Some(footer) = footer else {
        return vec![format!("it is gone, and {path} names it")];
    };
    let mut faults = Vec::new();
    if footer.file_bytes != file.bytes {
        let (has, what) = (footer.file_bytes, plural(footer.file_bytes, "byte"));
        faults.push(format!("it has {has} {what}, and {path} says {}", file.bytes));
    }
    if footer.rows != file.rows {
        let (has, what) = (footer.rows, plural(footer.rows, "row"));
        faults.push(format!("it has {has} {what}, and {path} says {}", file.rows));
    }
    let Manifest { pipeline, run, layout_hash, .. } = manifest;
    let expected = data_file_metadata(pipeline, *run, number, layout_hash);
    for (key, value) in &expected {
        if footer.value(key) != Some(value) {
            let has = footer.value(key).map_or("none".to_owned(), |has| format!("{has:?}"));
            faults.push(format!("its footer has {has} as {key}, and {value:?} was written"));
        }
    }
    faults
}

/// Rows by partition, as far as the footers of a run's files tell.
#[derive(Debug, Default)]
pub(crate) struct BoundsOfRun<'a> {
    rows: BTreeMap<(&'a str, i32), u64>,
    /// Whether row groups with rows of several partitions leave it open whose they are.
    mixed: bool,
    /// Whether a file could not be looked at.
    partial: bool,
}

impl<'a> BoundsOfRun<'a> {
    /// A file could not be looked at: rows cannot be summed up.
    pub(crate) fn skip(&mut self) {
        self.partial = true;
    }

    /// Checks a file's bounds against what its manifest says of it, and against its folder.
    pub(crate) fn check_file(
        &mut self,
        file: &'a ManifestFile,
        groups: &[RowGroupBounds],
        folders: Option<&Folders<'_>>,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        let mut ends: BTreeMap<(&str, i32), (i64, i64)> = BTreeMap::new();
        for (at, group) in groups.iter().enumerate().filter(|(_, group)| group.rows > 0) {
            let named = |slice: &&FileSlice| {
                (&*group.topic.0..=&*group.topic.1).contains(&&*slice.topic)
                    && (group.partition.0..=group.partition.1).contains(&slice.partition)
            };
            let slices: Vec<&FileSlice> = file.slices.iter().filter(named).collect();
            let single = group.topic.0 == group.topic.1 && group.partition.0 == group.partition.1;
            let start = slices.iter().map(|slice| slice.start).min();
            let end = slices.iter().map(|slice| slice.end).max();
            let within = start.is_some_and(|start| start <= group.offset.0)
                && end.is_some_and(|end| group.offset.1 < end);
            if !within {
                faults.push(outside(at, group));
                continue;
            }
            if let ([slice], true) = (&slices[..], single) {
                let place = (&*slice.topic, slice.partition);
                *self.rows.entry(place).or_default() += group.rows;
                let seen = ends.entry(place).or_insert(group.offset);
                *seen = (seen.0.min(group.offset.0), seen.1.max(group.offset.1));
            } else {
                self.mixed = true;
            }
            let folder = folders.map(|folders| folders.check_bounds(file, &slices, group));
            faults.extend(folder.into_iter().flatten());
        }
        let only_single =
            groups.iter().all(|g| g.topic.0 == g.topic.1 && g.partition.0 == g.partition.1);
        if faults.is_empty() && only_single {
            faults.extend(file.slices.iter().filter_map(|slice| ends_fault(slice, &ends)));
        }
        faults
    }

    /// Checks the rows of each partition against the slices, where the footers tell.
    pub(crate) fn check_run(&self, manifest: &Manifest) -> Vec<String> {
        if self.partial {
            return Vec::new();
        }
        let mut told: BTreeMap<(&str, i32), u64> = BTreeMap::new();
        for slice in &manifest.slices {
            *told.entry((&slice.topic, slice.partition)).or_default() += slice.accounting.rows;
        }
        let differ = told.into_iter().filter_map(|(place, rows)| {
            let found = self.rows.get(&place).copied().unwrap_or(0);
            let fits = if self.mixed { found <= rows } else { found == rows };
            (!fits).then_some((place, rows, found))
        });
        differ
            .map(|((topic, partition), rows, found)| {
                let what = plural(found, "row");
                format!(
                    "{topic}-{partition}: {found} {what} in its files, and its slices have {rows}"
                )
            })
            .collect()
    }
}

fn outside(at: usize, group: &RowGroupBounds) -> String {
    let RowGroupBounds { topic, partition, offset, .. } = group;
    let from_to =
        |from: String, to: String| if from == to { from } else { format!("{from} to {to}") };
    format!(
        "row group {at} holds offsets {} to {} of topic {}, partition {}, which its manifest does \
         not say",
        offset.0,
        offset.1,
        from_to(topic.0.to_string(), topic.1.to_string()),
        from_to(partition.0.to_string(), partition.1.to_string()),
    )
}

/// A file's slices begin with a row and end behind one.
fn ends_fault(slice: &FileSlice, ends: &BTreeMap<(&str, i32), (i64, i64)>) -> Option<String> {
    let FileSlice { topic, partition, start, end } = slice;
    let found = ends.get(&(&**topic, *partition));
    (found != Some(&(*start, *end - 1))).then(|| {
        let has = found
            .map_or("no rows".to_owned(), |(first, last)| format!("offsets {first} to {last}"));
        format!("it holds {has} of {topic}-{partition}, and its manifest says [{start}, {end})")
    })
}

/// A file in a table's folder that has no name of ours.
#[derive(Debug)]
pub(crate) enum Stranger {
    /// It has a footer.
    Parquet(FileFooter),
    /// It is no Parquet file.
    Other,
}

/// Whether a file that no manifest names and that has no name of ours is wrong where it stands.
/// Another pipeline's file is not, told by its metadata, or by its name if it is damaged.
pub(crate) fn judge_stranger(
    pipeline: &PipelineName,
    path: &str,
    stranger: &Stranger,
) -> Option<Finding> {
    let wrong = |message: String| Some(Finding::new(path, message));
    let value = |key| match stranger {
        Stranger::Parquet(footer) => footer.value(key),
        Stranger::Other => None,
    };
    match value(PIPELINE_KEY) {
        Some(name) if name == pipeline.as_str() => {
            let run = value(RUN_KEY).unwrap_or("?");
            wrong(format!(
                "it holds rows of run {run} under another name: whoever lists the table reads \
                 them twice"
            ))
        }
        Some(_) => None,
        None if names::DataFile::parse(path).is_some() => None,
        None => wrong("no manifest names it, and it is no pipeline's data file".to_owned()),
    }
}
