//! What counts: of each partition, the slices from its position on, up to the first hole.

use std::collections::{BTreeMap, BTreeSet};

use crate::documents::{CountedSlice, Output, PlannedSlice, SliceOutput, Task};
use crate::ports::Cause;
use crate::words::TopicPartition;

/// A task and its output.
#[derive(Clone, Debug)]
pub struct TaskResult {
    /// What was planned.
    pub task: Task,
    /// What was reported.
    pub output: Output,
    /// Why it does not count, if it does not.
    pub set_aside: Option<Aside>,
}

/// Why a task's output does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Why.
    pub cause: Cause,
    /// The slices that are to blame (indexes in the task); none: the task as a whole.
    pub slices: Vec<u32>,
}

/// What a partition's slices come to.
#[derive(Clone, Debug)]
pub(super) struct PartitionResult {
    /// The slices that count, with their reports.
    pub slices: Vec<CountedSlice>,
    /// The offset to be read next; none if no slice counts.
    pub reached: Option<i64>,
    /// What the last slice that crossed an offset knows.
    pub last: Option<SliceOutput>,
    /// Why it went no further, if it did not reach its planned end.
    pub cause: Option<Cause>,
}

/// Everything that counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    /// Per partition.
    pub partitions: BTreeMap<TopicPartition, PartitionResult>,
    /// The slices that count: (task, index in the task).
    pub slices: BTreeSet<(u32, u32)>,
}

/// Counts what the tasks report.
pub(super) fn count(results: &[TaskResult]) -> Counted {
    let mut by_partition: BTreeMap<&TopicPartition, Vec<(u32, &PlannedSlice, &TaskResult)>> =
        BTreeMap::new();
    for result in results {
        for (at, slice) in (0..).zip(&result.task.slices) {
            by_partition.entry(&slice.partition).or_default().push((at, slice, result));
        }
    }
    let mut counted = Counted::default();
    for (partition, mut slices) in by_partition {
        slices.sort_by_key(|(_, slice, _)| slice.range);
        let result = count_partition(&slices, &mut counted.slices);
        counted.partitions.insert(partition.clone(), result);
    }
    counted
}

fn count_partition(
    slices: &[(u32, &PlannedSlice, &TaskResult)],
    counts: &mut BTreeSet<(u32, u32)>,
) -> PartitionResult {
    let mut result = PartitionResult { slices: Vec::new(), reached: None, last: None, cause: None };
    let mut position = slices.first().map_or(0, |(_, slice, _)| slice.range.start());
    for (at, slice, of) in slices {
        let read = usize::try_from(*at).ok().and_then(|at| of.output.slices.get(at));
        let Some(read) = read.filter(|_| of.set_aside.is_none()) else {
            let blamed = of.set_aside.as_ref().filter(|aside| aside.slices.contains(at));
            result.cause = blamed.map(|aside| aside.cause.clone());
            result.cause = result.cause.or_else(|| of.output.abandoned.clone());
            break;
        };
        if slice.range.start() != position {
            break;
        }
        counts.insert((of.task.task, *at));
        position = read.reached;
        result.reached = Some(position);
        if read.reached > slice.range.start() {
            result.last = Some(read.clone());
            result.slices.push(CountedSlice {
                partition: slice.partition.clone(),
                topic_id: slice.topic_id,
                start: slice.range.start(),
                reached: read.reached,
                accounting: read.accounting,
                payload_bytes: read.payload_bytes,
            });
        }
        if read.reached < slice.range.end() {
            result.cause = read.cause.clone();
            break;
        }
    }
    result
}
