//! `plan`: what a run would do.

mod show;

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_core::Result;
use tidegate_core::documents::{LeftOut, Plan, PlannedSlice, Task};
use tidegate_core::planning::Lag;
use tidegate_core::use_cases::{Preview, check_destination, load_plan, load_task};
use tidegate_core::words::RunNumber;

use super::look;
use crate::deployment::{Deployment, look_deadline};
use crate::exit::{Exit, Failure};
use crate::report::LossLine;

/// Everything that is shown of a plan, in this order.
#[derive(Debug)]
struct Shown {
    tables: Vec<TableLine>,
    tasks: Vec<TaskLine>,
    slices: Vec<SliceLine>,
    left_out: Vec<LeftOutLine>,
    losses: Vec<LossLine>,
    summary: Summary,
}

/// What a table gets.
#[derive(Debug, Serialize)]
struct TableLine {
    table: String,
    partitions: u64,
    offsets: u64,
    /// Key, value and header bytes, as far as they can be told.
    bytes: u64,
    /// Data files, were all records of one directory and not compressed.
    files: u64,
}

/// What a task reads.
#[derive(Debug, Serialize)]
struct TaskLine {
    task: u32,
    slices: usize,
    offsets: u64,
    bytes: u64,
}

/// What is read of a partition.
#[derive(Debug, Serialize)]
struct SliceLine {
    task: u32,
    topic: String,
    partition: i32,
    start: i64,
    end: i64,
    offsets: u64,
    bytes: u64,
    table: String,
}

/// A topic or partition that takes no part.
#[derive(Debug, Serialize)]
struct LeftOutLine {
    topic: String,
    partition: Option<i32>,
    why: &'static str,
    message: String,
}

/// The plan as a whole.
#[derive(Debug, Serialize)]
struct Summary {
    pipeline: String,
    /// The run that the plan is of.
    run: RunNumber,
    /// Whether that run is open already: the next run rolls it forward before it plans anew.
    open: bool,
    paused: bool,
    tasks: usize,
    slices: usize,
    offsets: u64,
    bytes: u64,
    /// Whether caps leave something for the run after it.
    backlog: bool,
    lag: Lag,
}

/// Shows what a run would do.
pub(crate) async fn plan(spec: &str, state: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let at = Deployment::open_to_look(spec, state).await?;
    let seen = look::look(&at).await?;
    if let Some(head) = &seen.head {
        check_destination(&at.spec, head)?;
    }
    let target = at.spec.files.target_bytes.get();
    let (plan, tasks) = plan_of(&at, &seen).await?;
    let trouble = !plan.losses.is_empty() || plan.left_out.iter().any(look::is_trouble);
    let shown = shown(&seen, &plan, &tasks, target);
    if json {
        show::as_json(&shown)
    } else {
        show::as_tables(&shown)
    }
    Ok(if trouble { Exit::DoneBut } else { Exit::Done })
}

/// The plan of the open run, else the one that a tick would make.
async fn plan_of(at: &Deployment, seen: &Preview) -> Result<(Plan, Vec<Task>)> {
    let Some(open) = seen.head.as_ref().and_then(|head| head.open.as_ref()) else {
        return Ok((seen.planned.plan.clone(), seen.planned.tasks.clone()));
    };
    let plan = load_plan(&at.state, &at.spec.pipeline, open, look_deadline()).await?;
    let mut tasks = Vec::new();
    for task in 0..plan.tasks {
        tasks.push(load_task(&at.state, &plan, task, look_deadline()).await?);
    }
    Ok((plan, tasks))
}

fn shown(seen: &Preview, plan: &Plan, tasks: &[Task], target_bytes: u64) -> Shown {
    let slices: Vec<_> = tasks.iter().flat_map(slice_lines).collect();
    let sum = |of: fn(&SliceLine) -> u64| slices.iter().map(of).fold(0, u64::saturating_add);
    let head = seen.head.as_ref();
    let summary = Summary {
        pipeline: plan.pipeline.to_string(),
        run: plan.run,
        open: head.is_some_and(|head| head.open.is_some()),
        paused: head.is_some_and(|head| head.paused),
        tasks: tasks.len(),
        slices: slices.len(),
        offsets: sum(|slice| slice.offsets),
        bytes: sum(|slice| slice.bytes),
        backlog: plan.backlog,
        lag: seen.lag.total,
    };
    Shown {
        tables: table_lines(tasks, target_bytes),
        tasks: tasks.iter().map(task_line).collect(),
        slices,
        left_out: plan.left_out.iter().map(left_out_line).collect(),
        losses: plan.losses.iter().map(LossLine::of).collect(),
        summary,
    }
}

fn slice_lines(task: &Task) -> impl Iterator<Item = SliceLine> {
    task.slices.iter().map(|slice| SliceLine {
        task: task.task,
        topic: slice.partition.topic.to_string(),
        partition: slice.partition.partition,
        start: slice.range.start(),
        end: slice.range.end(),
        offsets: slice.range.count(),
        bytes: slice.bytes_expected,
        table: slice.table.to_string(),
    })
}

fn task_line(task: &Task) -> TaskLine {
    let sum = |of: fn(&PlannedSlice) -> u64| task.slices.iter().map(of).sum();
    TaskLine {
        task: task.task,
        slices: task.slices.len(),
        offsets: sum(|slice| slice.range.count()),
        bytes: sum(|slice| slice.bytes_expected),
    }
}

fn table_lines(tasks: &[Task], target_bytes: u64) -> Vec<TableLine> {
    let mut tables: BTreeMap<&str, TableLine> = BTreeMap::new();
    for slice in tasks.iter().flat_map(|task| &task.slices) {
        let line = tables.entry(&slice.table).or_insert_with(|| TableLine {
            table: slice.table.to_string(),
            partitions: 0,
            offsets: 0,
            bytes: 0,
            files: 0,
        });
        line.partitions += u64::from(slice.leads);
        line.offsets += slice.range.count();
        line.bytes = line.bytes.saturating_add(slice.bytes_expected);
        line.files = line.bytes.div_ceil(target_bytes).max(1);
    }
    tables.into_values().collect()
}

fn left_out_line(left_out: &LeftOut) -> LeftOutLine {
    LeftOutLine {
        topic: left_out.topic.to_string(),
        partition: left_out.partition,
        why: look::why(left_out),
        message: left_out.message.clone(),
    }
}
