//! Whether an output can be believed. Who finds a fault sets the task aside: what it read is
//! read again.

use crate::documents::{Output, PlannedSlice, SliceOutput, StagedFile, Task};
use crate::names;
use crate::ports::FileFooter;
use crate::words::{PipelineName, RunNumber};

/// What is wrong with an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The slice that is to blame (index in the task); none: the output as a whole.
    pub slice: Option<u32>,
    /// What is wrong.
    pub message: String,
}

/// Checks an output against its task: every offset accounted for, every row in a staged file.
pub fn check_output(
    pipeline: &PipelineName,
    run: RunNumber,
    task: &Task,
    output: &Output,
) -> Result<(), Fault> {
    if output.abandoned.is_some() {
        return Ok(());
    }
    let whole = |message| Fault { slice: None, message };
    if output.task != task.task || output.slices.len() != task.slices.len() {
        return Err(whole(format!(
            "it reports {} slices of task {}, and task {} has {}",
            output.slices.len(),
            output.task,
            task.task,
            task.slices.len()
        )));
    }
    let mut staged = vec![0_u64; task.slices.len()];
    for file in &output.files {
        check_file(pipeline, run, task, output, file)
            .map_err(|fault| whole(format!("staged file {}: {fault}", file.path)))?;
        for slice in &file.slices {
            let rows = &mut staged[index(slice.slice)];
            *rows = rows.saturating_add(slice.rows);
        }
    }
    for (at, ((planned, read), staged)) in
        (0..).zip(task.slices.iter().zip(&output.slices).zip(staged))
    {
        check_slice(planned, read, staged).map_err(|fault| Fault {
            slice: Some(at),
            message: format!("{} {}: {fault}", planned.partition, planned.range),
        })?;
    }
    Ok(())
}

fn check_slice(planned: &PlannedSlice, read: &SliceOutput, staged: u64) -> Result<(), String> {
    let (start, end) = (planned.range.start(), planned.range.end());
    if !(start..=end).contains(&read.reached) {
        return Err(format!("it reached {}", read.reached));
    }
    let (crossed, accounted) = (read.reached.abs_diff(start), read.accounting.offsets());
    if crossed != accounted {
        return Err(format!(
            "{crossed} offsets up to {} were crossed, and {accounted} are accounted for",
            read.reached
        ));
    }
    if staged != read.accounting.rows {
        let rows = read.accounting.rows;
        return Err(format!("{rows} rows were read, and {staged} are in staged files"));
    }
    Ok(())
}

fn check_file(
    pipeline: &PipelineName,
    run: RunNumber,
    task: &Task,
    output: &Output,
    file: &StagedFile,
) -> Result<(), String> {
    let name = names::StagedFile::parse(&file.path);
    if name.is_none_or(|n| (&n.pipeline, n.run, n.task) != (pipeline, run, task.task)) {
        return Err("its name is not one of this task".to_owned());
    }
    let rows: u64 = file.slices.iter().map(|slice| slice.rows).sum();
    if rows != file.rows {
        return Err(format!("its slices have {rows} rows, and it has {}", file.rows));
    }
    if file.slices.is_empty() {
        return Err("it holds rows of no slice".to_owned());
    }
    for staged in &file.slices {
        let planned = task.slices.get(index(staged.slice));
        let read = output.slices.get(index(staged.slice));
        let (Some(planned), Some(read)) = (planned, read) else {
            return Err(format!("it holds slice {}, which is not planned", staged.slice));
        };
        if staged.start < planned.range.start() || read.reached < staged.end {
            return Err(format!(
                "it holds offsets [{}, {}) of {}, of which {} was read up to {}",
                staged.start, staged.end, planned.partition, planned.range, read.reached
            ));
        }
        let group = task.slices.get(index(file.group));
        if !group.is_some_and(|group| may_share(group, planned, file.group == staged.slice)) {
            return Err(format!("it may not hold rows of {} {}", planned.partition, planned.range));
        }
        if file.table != planned.table {
            return Err(format!(
                "it is for {}, and its rows are for {}",
                file.table, planned.table
            ));
        }
    }
    Ok(())
}

fn index(slice: u32) -> usize {
    usize::try_from(slice).unwrap_or(usize::MAX)
}

/// Slices that lead share the files of their table; any other has files of its own.
fn may_share(group: &PlannedSlice, slice: &PlannedSlice, same: bool) -> bool {
    same || (group.leads && slice.leads && group.table == slice.table)
}

/// Checks what stands against what was reported: `expected` is the metadata of a staged file.
pub fn check_footer(
    file: &StagedFile,
    footer: Option<&FileFooter>,
    expected: &[(String, String)],
) -> Result<(), String> {
    let Some(footer) = footer else {
        return Err(format!("staged file {} is gone", file.path));
    };
    let fault = |what: String| Err(format!("staged file {}: {what}", file.path));
    if footer.rows != file.rows {
        return fault(format!("it has {} rows, and {} were reported", footer.rows, file.rows));
    }
    if footer.file_bytes != file.bytes {
        let (has, reported) = (footer.file_bytes, file.bytes);
        return fault(format!("it has {has} bytes, and {reported} were reported"));
    }
    if footer.fingerprint != file.fingerprint {
        return fault(format!(
            "its schema is {}, and {} was reported",
            footer.fingerprint, file.fingerprint
        ));
    }
    match expected.iter().find(|(key, value)| footer.value(key) != Some(value)) {
        Some((key, value)) => fault(format!("its {key} is not {value}")),
        None => Ok(()),
    }
}
