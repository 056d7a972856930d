//! Golden files: every persisted document of format 1, as it was written. A test that fails here
//! means that state or destinations of users would no longer be read, or not as they were
//! written. Do not change a golden file: raise `FORMAT`, read both, and add files for the new
//! one.

mod samples;

use std::fmt::Debug;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::error::ErrorKind;
use crate::ports::Cause;
use crate::time::Millis;
use crate::words::{OffsetRange, RandomId, RunNumber, TopicId};
use samples::*;

fn golden<T: Serialize + DeserializeOwned + PartialEq + Debug>(document: &T, golden: &str) {
    let golden = golden.trim_end();
    assert_eq!(String::from_utf8(encode(document).to_vec()).expect("JSON is UTF-8"), golden);
    let read: T = decode(golden.as_bytes(), "the golden file").expect("it is ours");
    assert_eq!(read, *document);
}

#[test]
fn a_head_that_names_an_observer_is_read_as_it_was_written() {
    let head = Head { observer: Some("tidegate-reader".to_owned()), ..head() };
    golden(&head, include_str!("golden/head-observer-1.json"));
}

#[test]
fn the_head_is_read_as_it_was_written() {
    golden(&head(), include_str!("golden/head-1.json"));
}

#[test]
fn the_head_of_an_aborting_run_is_read_as_it_was_written() {
    let mut head = head();
    let open = head.open.as_mut().expect("it has one");
    let (run, plan) = (open.run, open.plan);
    open.aborting = Some(Abort {
        reason: "staged files are gone".to_owned(),
        since: Millis(1_790_000_070_000),
        id: RandomId(0xab),
    });
    assert!(head.open_as(run, plan).is_none());
    golden(&head, include_str!("golden/head-aborting-1.json"));
}

#[test]
fn the_checkpoint_is_read_as_it_was_written() {
    let checkpoint = Checkpoint {
        format: FORMAT,
        pipeline: pipeline(),
        run: RunNumber(6),
        cluster_id: Some("lab".to_owned()),
        entries: states().to_vec(),
    };
    golden(&checkpoint, include_str!("golden/checkpoint-1.json"));
    let found = EndFound { time: Millis(1_790_000_000_000), offset: 1_100 };
    let unresolved = |from| PartitionState::Unresolved { from };
    let entries = vec![
        entry(unresolved(None)),
        entry(unresolved(Some(Millis(1_790_000_000_000)))),
        CheckpointEntry {
            last_tried: Some(Millis(1_790_000_070_000)),
            end: Some(found),
            ..entry(PartitionState::Fine)
        },
    ];
    golden(&Checkpoint { entries, ..checkpoint }, include_str!("golden/checkpoint-1-starts.json"));
}

#[test]
fn the_plan_is_read_as_it_was_written() {
    golden(&plan(), include_str!("golden/plan-1.json"));
}

#[test]
fn the_plan_of_a_reset_is_read_as_it_was_written() {
    let (task_hashes, schemas, left_out) = (Vec::new(), Vec::new(), Vec::new());
    let reset = Some(reset());
    let plan = Plan { tasks: 0, task_hashes, schemas, left_out, backlog: false, reset, ..plan() };
    golden(&plan, include_str!("golden/plan-reset-1.json"));
}

#[test]
fn a_task_is_read_as_it_was_written() {
    let slice = PlannedSlice {
        partition: partition(),
        topic_id: Some(TopicId([0x11; 16])),
        range: OffsetRange::new(1_100, 1_200).expect("not empty"),
        leader_epoch: 4,
        leads: true,
        table: Arc::from("rides.eu-west"),
        bytes_max: Some(1 << 30),
        bytes_expected: 64_500,
    };
    let task = Task { format: FORMAT, task: 0, slices: vec![slice] };
    golden(&task, include_str!("golden/task-1.json"));
}

#[test]
fn an_output_is_read_as_it_was_written() {
    let cause = Cause { kind: ErrorKind::OutOfTime, message: "too late".to_owned() };
    let output = Output {
        format: FORMAT,
        task: 0,
        attempt: 1,
        writer: RandomId(9),
        slices: vec![SliceOutput {
            reached: 1_200,
            accounting: accounting(),
            payload_bytes: 58_050,
            leader_epoch: 4,
            last_timestamp: Some(Millis(1_790_000_000_000)),
            cause: Some(cause.clone()),
        }],
        files: vec![StagedFile {
            number: 0,
            path: "_staging/rides/0000000007/0-1-0a-0.staged".to_owned(),
            bytes: 4_096,
            rows: 90,
            table: Arc::from("rides.eu-west"),
            directory: "dt=2026-09-21/hr=13".to_owned(),
            fingerprint: "0123456789abcdef".to_owned(),
            group: 0,
            slices: vec![StagedSlice { slice: 0, start: 1_100, end: 1_199, rows: 90 }],
        }],
        abandoned: Some(cause),
    };
    golden(&output, include_str!("golden/output-1.json"));
}

#[test]
fn the_layout_is_read_as_it_was_written() {
    golden(&layout(), include_str!("golden/layout-1.json"));
}

#[test]
fn the_manifest_is_read_as_it_was_written() {
    golden(&Manifest::of(&layout(), "2b", &[4_000]), include_str!("golden/manifest-1.json"));
}

#[test]
fn layout_and_manifest_of_a_reset_are_read_as_they_were_written() {
    let layout = Layout { reset: Some(reset()), ..bare_layout() };
    golden(&layout, include_str!("golden/layout-reset-1.json"));
    golden(&Manifest::of(&layout, "2b", &[]), include_str!("golden/manifest-reset-1.json"));
}

#[test]
fn layout_and_manifest_of_an_aborted_run_are_read_as_they_were_written() {
    let reason = "staged files are gone";
    let manifest = Manifest::of(&layout(), "2b", &[300]).given_up(reason, &[]);
    golden(&manifest, include_str!("golden/manifest-aborted-1.json"));
    let (losses, entries) = (Vec::new(), vec![entry(PartitionState::Fine)]);
    let layout = Layout { aborted: Some(reason.to_owned()), losses, entries, ..bare_layout() };
    golden(&layout, include_str!("golden/layout-aborted-1.json"));
    // Whoever comes to it, the abort or a late finalizer, makes one manifest of it.
    let of_finalizer = Manifest::of(&layout, "2b", &[]);
    assert_eq!(of_finalizer.clone().given_up(reason, &layout.entries), of_finalizer);
}
