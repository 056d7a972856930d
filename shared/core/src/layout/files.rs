//! How staged files become data files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::count::{Counted, TaskResult};
use crate::documents::{DataFile, FileSlice, PlannedSlice, StagedFile};
use crate::names;
use crate::words::{PipelineName, RunNumber, TopicPartition};

/// Files of one table, directory and schema are joined.
type Kind<'a> = (&'a str, &'a str, &'a str);

/// Where a staged file stands among those of its kind. Files of one group follow each other in
/// the order of their numbers; groups stand in the order of their first slice. So the rows of a
/// partition are in offset order: those of its leading slice are in one group, which begins at
/// or before it, and each later slice is a group of its own.
type Place<'a> = (&'a TopicPartition, i64, u32, u32);

/// A staged file that counts, with the slices of its task.
type Counts<'a> = (Place<'a>, &'a StagedFile, &'a [PlannedSlice]);

/// Joins the staged files that count towards `target_bytes`.
pub(super) fn data_files(
    pipeline: &PipelineName,
    run: RunNumber,
    results: &[TaskResult],
    counted: &Counted,
    target_bytes: u64,
) -> Vec<DataFile> {
    let mut kinds: BTreeMap<Kind<'_>, Vec<Counts<'_>>> = BTreeMap::new();
    for result in results.iter().filter(|result| result.set_aside.is_none()) {
        let slices = result.task.slices.as_slice();
        for file in &result.output.files {
            let task = result.task.task;
            if !file.slices.iter().all(|staged| counted.slices.contains(&(task, staged.slice))) {
                continue;
            }
            let first = &slices[index(file.group)];
            let place = (&first.partition, first.range.start(), task, file.number);
            let kind = (&*file.table, file.directory.as_str(), file.fingerprint.as_str());
            kinds.entry(kind).or_default().push((place, file, slices));
        }
    }
    let mut files = Vec::new();
    for ((table, directory, _), mut staged) in kinds {
        staged.sort_by_key(|(place, _, _)| *place);
        for joined in batches(&staged, target_bytes) {
            let number = u32::try_from(files.len() + 1).expect("fewer files than 32 bits count");
            files.push(data_file(pipeline, run, number, (table, directory), joined));
        }
    }
    files
}

/// Cuts a sequence where a batch has reached `target_bytes`: at most
/// ⌈bytes / target⌉ of them.
fn batches<'a>(
    staged: &'a [Counts<'a>],
    target_bytes: u64,
) -> impl Iterator<Item = &'a [Counts<'a>]> {
    let mut rest = staged;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let full = rest.iter().position(|(_, file, _)| {
            bytes += file.bytes;
            bytes >= target_bytes
        });
        let (batch, more) = rest.split_at(full.map_or(rest.len(), |last| last + 1));
        rest = more;
        (!batch.is_empty()).then_some(batch)
    })
}

fn data_file(
    pipeline: &PipelineName,
    run: RunNumber,
    number: u32,
    (table, directory): (&str, &str),
    joined: &[Counts<'_>],
) -> DataFile {
    let mut slices: BTreeMap<&TopicPartition, (i64, i64)> = BTreeMap::new();
    for (_, file, planned) in joined {
        for staged in &file.slices {
            let partition = &planned[index(staged.slice)].partition;
            let (start, end) = slices.entry(partition).or_insert((staged.start, staged.end));
            *start = staged.start.min(*start);
            *end = staged.end.max(*end);
        }
    }
    let name = names::DataFile {
        folder: names::data_folder(table, directory),
        pipeline: pipeline.clone(),
        run,
        number,
    };
    let slice = |(partition, (start, end)): (&TopicPartition, (i64, i64))| FileSlice {
        topic: Arc::clone(&partition.topic),
        partition: partition.partition,
        start,
        end,
    };
    DataFile {
        path: name.to_string(),
        number,
        rows: joined.iter().map(|(_, file, _)| file.rows).sum(),
        staged: joined.iter().map(|(_, file, _)| file.path.clone()).collect(),
        slices: slices.into_iter().map(slice).collect(),
    }
}

fn index(at: u32) -> usize {
    usize::try_from(at).expect("indexes are small")
}
