//! What the tests of planning begin with.

use crate::documents::{Checkpoint, CheckpointEntry, FORMAT, PlannedEnd};
use crate::ports::{Observation, ObservedPartition, PartitionOffsets};
use crate::spec::Spec;
use crate::words::{PipelineName, RunNumber, TopicId, TopicPartition};

pub(crate) fn spec(more: serde_json::Value) -> Spec {
    let mut spec = serde_json::json!({
        "pipeline": "p",
        "kafka": {"bootstrap_servers": ["localhost:9092"]},
        "topics": {"pattern": ".*"},
        "destination": "file:///tmp/p",
    });
    let fields = more.as_object().expect("an object").clone();
    spec.as_object_mut().expect("an object").extend(fields);
    Spec::from_value(&spec).expect("a good spec")
}

pub(crate) fn entry(topic: &str, partition: i32, offset: i64) -> CheckpointEntry {
    let partition = TopicPartition::new(topic, partition);
    let entry = CheckpointEntry::new(partition, Some(TopicId([1; 16])), offset);
    CheckpointEntry { leader_epoch: 0, ..entry }
}

pub(crate) fn end(topic: &str, partition: i32, end: i64) -> PlannedEnd {
    PlannedEnd {
        partition: TopicPartition::new(topic, partition),
        end,
        high_watermark: end,
        log_start: 0,
        log_start_time: None,
    }
}

pub(crate) fn checkpoint(entries: Vec<CheckpointEntry>) -> Checkpoint {
    Checkpoint {
        format: FORMAT,
        pipeline: PipelineName::try_from("p".to_owned()).expect("a good name"),
        run: RunNumber(1),
        cluster_id: Some("c".to_owned()),
        entries,
    }
}

pub(crate) fn offsets(log_start: i64, end: i64) -> PartitionOffsets {
    PartitionOffsets {
        leader_epoch: 0,
        log_start,
        high_watermark: end,
        last_stable: end,
        start_offset: None,
        end_offset: None,
        log_start_time: None,
        epoch_end: None,
    }
}

pub(crate) fn observed(topic: &str, partition: i32, at: PartitionOffsets) -> ObservedPartition {
    ObservedPartition {
        partition: TopicPartition::new(topic, partition),
        topic_id: Some(TopicId([1; 16])),
        offsets: Ok(at),
        vacant_epoch: None,
    }
}

pub(crate) fn seen(partitions: Vec<ObservedPartition>) -> Observation {
    Observation { cluster_id: Some("c".to_owned()), partitions, topics_missing: Vec::new() }
}
