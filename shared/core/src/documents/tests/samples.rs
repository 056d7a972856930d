//! One of each document.

use serde_json::json;

use crate::documents::*;
use crate::error::ErrorKind;
use crate::ports::Cause;
use crate::time::Millis;
use crate::words::{PipelineName, RandomId, RunNumber, TopicId, TopicPartition};

pub(super) fn pipeline() -> PipelineName {
    PipelineName::try_from("rides".to_owned()).expect("a good name")
}

pub(super) fn checkpoint_ref() -> CheckpointRef {
    CheckpointRef { run: RunNumber(6), plan: RandomId(0xa), hash: "c6".to_owned() }
}

pub(super) fn partition() -> TopicPartition {
    TopicPartition::new("rides.eu-west", 3)
}

pub(super) fn entry(state: PartitionState) -> CheckpointEntry {
    CheckpointEntry {
        partition: partition(),
        topic_id: Some(TopicId([0x11; 16])),
        offset: 1_200,
        leader_epoch: 4,
        last_timestamp: Some(Millis(1_790_000_000_000)),
        mean_bytes: Some(645),
        last_read: Some(Millis(1_790_000_060_000)),
        last_tried: None,
        end: None,
        state,
        untold: false,
    }
}

pub(super) fn states() -> [CheckpointEntry; 3] {
    let cause = Cause { kind: ErrorKind::BadRecord, message: "bad batch at 1200".to_owned() };
    let quarantine = Quarantine {
        cause,
        failures: 2,
        retry_run: RunNumber(9),
        retry_at: Millis(1_790_000_600_000),
    };
    let stopped = PartitionState::Stopped {
        stop: StopCause::Truncated,
        message: "the log was cut back".to_owned(),
    };
    let untold = CheckpointEntry { untold: true, ..entry(stopped) };
    [entry(PartitionState::Fine), entry(PartitionState::Quarantined(quarantine)), untold]
}

pub(super) fn loss() -> Loss {
    Loss { topic: partition().topic, topic_id: None, partition: 3, start: 1_000, end: 1_100 }
}

pub(super) fn accounting() -> Accounting {
    Accounting {
        rows: 90,
        dead_letters: 1,
        filtered: 2,
        markers: 3,
        aborted: 2,
        compacted: 2,
        timestamps_nulled: 5,
    }
}

pub(super) fn layout() -> Layout {
    Layout {
        format: FORMAT,
        pipeline: pipeline(),
        birth_id: RandomId(1),
        run: RunNumber(7),
        plan: RandomId(2),
        previous_layout: Some("1a".to_owned()),
        previous_manifest: Some(RunNumber(5)),
        planned_at: Millis(1_790_000_060_000),
        laid_out_at: Millis(1_790_000_061_001),
        spec_hash: "5e".to_owned(),
        base: Some(checkpoint_ref()),
        cluster_id: Some("lab".to_owned()),
        slices: vec![CountedSlice {
            partition: partition(),
            topic_id: None,
            start: 1_100,
            reached: 1_200,
            accounting: accounting(),
            payload_bytes: 58_050,
        }],
        losses: vec![loss()],
        entries: vec![entry(PartitionState::Fine)],
        files: vec![DataFile {
            path: "rides.eu-west/dt=2026-09-21/hr=13/rides-0000000007-1.parquet".to_owned(),
            number: 1,
            rows: 90,
            staged: vec!["_staging/rides/0000000007/0-1-0a-0.staged".to_owned()],
            slices: vec![FileSlice {
                topic: partition().topic,
                partition: 3,
                start: 1_100,
                end: 1_199,
            }],
        }],
        set_aside: vec![SetAside { task: 1, cause: "given up".to_owned() }],
        reset: None,
        aborted: None,
    }
}

pub(super) fn reset() -> Reset {
    let moved = Move {
        topic: partition().topic,
        topic_id: Some(TopicId([0x11; 16])),
        partition: 3,
        from: Some(1_000),
        to: 1_100,
    };
    let anew = Move { topic: "rides.us".into(), topic_id: None, partition: 0, from: None, to: 7 };
    Reset { reason: "a bad deploy".to_owned(), moves: vec![moved, anew] }
}

/// The layout of a run without tasks.
pub(super) fn bare_layout() -> Layout {
    let (slices, files, set_aside) = (Vec::new(), Vec::new(), Vec::new());
    Layout { slices, files, set_aside, ..layout() }
}

pub(super) fn head() -> Head {
    Head {
        format: FORMAT,
        pipeline: pipeline(),
        birth_id: RandomId(1),
        swap: RandomId(0xff),
        destination: "file:///data/lake".to_owned(),
        checkpoint: Some(checkpoint_ref()),
        layout: Some(LayoutRef { run: RunNumber(5), hash: "1a".to_owned() }),
        manifest: Some(RunNumber(5)),
        last_run: RunNumber(7),
        open: Some(OpenRun {
            run: RunNumber(7),
            plan: RandomId(2),
            plan_hash: "b2".to_owned(),
            opened_at: Millis(1_790_000_060_000),
            chain: 1,
            attempts: vec![1, 2],
            quarantined: vec![1],
            reading: Lease { holder: RandomId(3), until: Millis(1_790_001_260_000) },
            finalizing: Some(Lease { holder: RandomId(4), until: Millis(1_790_001_000_000) }),
            finalizer_starts: 1,
            aborting: None,
        }),
        spec: json!({"pipeline": "rides"}),
        paused: true,
        observer: None,
    }
}

pub(super) fn plan() -> Plan {
    let left_out = |why| LeftOut {
        topic: partition().topic,
        partition: Some(3),
        why,
        message: "why".to_owned(),
    };
    let cause = Cause { kind: ErrorKind::Unavailable, message: "no leader".to_owned() };
    Plan {
        format: FORMAT,
        pipeline: pipeline(),
        birth_id: RandomId(1),
        run: RunNumber(7),
        plan: RandomId(2),
        planned_at: Millis(1_790_000_060_000),
        spec: json!({"pipeline": "rides"}),
        spec_hash: "5e".to_owned(),
        base: Some(checkpoint_ref()),
        cluster_id: Some("lab".to_owned()),
        tasks: 2,
        task_hashes: vec!["t0".to_owned(), "t1".to_owned()],
        schemas: vec![("rides.eu-west".to_owned(), "raw-1".to_owned())],
        losses: vec![loss()],
        entries: vec![entry(PartitionState::Fine)],
        backlog: true,
        ends: vec![PlannedEnd {
            partition: partition(),
            end: 1_200,
            high_watermark: 1_210,
            log_start: 1_100,
            log_start_time: Some(Millis(1_789_000_000_000)),
        }],
        left_out: vec![
            left_out(Why::Unobserved(cause)),
            left_out(Why::Stopped),
            left_out(Why::Quarantined),
            left_out(Why::Batching),
            left_out(Why::Capped),
            left_out(Why::Table),
        ],
        reset: None,
    }
}
