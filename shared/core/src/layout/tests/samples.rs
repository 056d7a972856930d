//! Tasks with what was read of them.

use std::sync::Arc;

use crate::documents::{
    Accounting, Checkpoint, CheckpointEntry, FORMAT, Layout, Output, Plan, PlannedSlice,
    SliceOutput, StagedFile, StagedSlice, Task,
};
use crate::error::ErrorKind;
use crate::layout::*;
use crate::planning::samples::{checkpoint, entry};
use crate::ports::Cause;
use crate::time::Millis;
use crate::words::{OffsetRange, PipelineName, RandomId, RunNumber, TopicPartition};

pub(super) fn pipeline() -> PipelineName {
    PipelineName::try_from("p".to_owned()).expect("a good name")
}

pub(super) fn slice(partition: i32, start: i64, end: i64, leads: bool) -> PlannedSlice {
    PlannedSlice {
        partition: TopicPartition::new("t", partition),
        topic_id: None,
        range: OffsetRange::new(start, end).expect("not empty"),
        leader_epoch: 0,
        leads,
        table: Arc::from("t"),
        bytes_max: None,
        bytes_expected: 0,
    }
}

pub(super) fn read(slice: &PlannedSlice, reached: i64) -> SliceOutput {
    let rows = reached.abs_diff(slice.range.start());
    SliceOutput {
        reached,
        accounting: Accounting { rows, ..Accounting::default() },
        payload_bytes: rows * 10,
        leader_epoch: 1,
        last_timestamp: Some(Millis(reached)),
        cause: None,
    }
}

pub(super) fn staged_path(task: u32, number: u32) -> String {
    let name = crate::names::StagedFile {
        pipeline: pipeline(),
        run: RunNumber(2),
        task,
        attempt: 1,
        reader: RandomId(9),
        number,
    };
    name.to_string()
}

/// One staged file per slice, unless all lead.
pub(super) fn result(task: u32, slices: Vec<PlannedSlice>, reached: &[i64]) -> TaskResult {
    let outputs: Vec<_> = slices.iter().zip(reached).map(|(s, r)| read(s, *r)).collect();
    let staged = |at: usize| StagedSlice {
        slice: u32::try_from(at).expect("small"),
        start: slices[at].range.start(),
        end: reached[at],
        rows: outputs[at].accounting.rows,
    };
    let file = |at: usize| StagedFile {
        number: u32::try_from(at).expect("small"),
        path: staged_path(task, u32::try_from(at).expect("small")),
        bytes: 100,
        rows: outputs[at].accounting.rows,
        table: Arc::from("t"),
        directory: "dt=2026-01-01".to_owned(),
        fingerprint: "f".to_owned(),
        group: u32::try_from(at).expect("small"),
        slices: vec![staged(at)],
    };
    let files = (0..slices.len()).filter(|at| outputs[*at].accounting.rows > 0).map(file).collect();
    TaskResult {
        task: Task { format: FORMAT, task, slices },
        output: Output {
            format: FORMAT,
            task,
            attempt: 1,
            writer: RandomId(9),
            slices: outputs,
            files,
            abandoned: None,
        },
        set_aside: None,
    }
}

pub(super) fn abandoned(task: u32, slices: Vec<PlannedSlice>, kind: ErrorKind) -> TaskResult {
    let starts: Vec<_> = slices.iter().map(|slice| slice.range.start()).collect();
    let mut result = result(task, slices, &starts);
    result.output.slices.clear();
    result.output.abandoned = Some(Cause { kind, message: "given up".to_owned() });
    result
}

pub(super) fn plan(tasks: u32) -> Plan {
    Plan {
        format: FORMAT,
        pipeline: pipeline(),
        birth_id: RandomId(1),
        run: RunNumber(2),
        plan: RandomId(2),
        planned_at: Millis(1_000),
        spec: serde_json::json!({}),
        spec_hash: "s".to_owned(),
        base: None,
        cluster_id: Some("c".to_owned()),
        tasks,
        task_hashes: Vec::new(),
        schemas: Vec::new(),
        losses: Vec::new(),
        entries: Vec::new(),
        backlog: false,
        ends: Vec::new(),
        left_out: Vec::new(),
        reset: None,
    }
}

pub(super) fn base() -> Checkpoint {
    checkpoint(vec![entry("t", 0, 0), entry("t", 1, 0)])
}

pub(super) fn laid_out(results: &[TaskResult], target_bytes: u64) -> Layout {
    let situation = Situation {
        previous_layout: None,
        previous_manifest: None,
        now: Millis(2_000),
        target_bytes,
    };
    lay_out(&plan(1), &base(), results, &situation)
}

pub(super) fn entry_of(entries: &[CheckpointEntry], partition: i32) -> &CheckpointEntry {
    entries.iter().find(|e| e.partition.partition == partition).expect("it changed")
}
