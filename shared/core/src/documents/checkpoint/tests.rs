use super::*;

/// A checkpoint of `entries` (topic, partition, offset).
fn checkpoint(entries: &[(&str, i32, i64)]) -> Checkpoint {
    let entry = |&(topic, partition, offset): &(&str, i32, i64)| CheckpointEntry {
        partition: TopicPartition::new(topic, partition),
        topic_id: Some(TopicId([1; 16])),
        offset,
        leader_epoch: 3,
        last_timestamp: None,
        mean_bytes: Some(100),
        last_read: Some(Millis(7)),
        last_tried: None,
        end: None,
        state: PartitionState::Stopped {
            stop: StopCause::Lost,
            message: "offsets [3, 5) are gone".to_owned(),
        },
        untold: false,
    };
    Checkpoint {
        format: super::super::FORMAT,
        pipeline: PipelineName::try_from("p".to_owned()).expect("a good name"),
        run: RunNumber(4),
        cluster_id: Some("c".to_owned()),
        entries: entries.iter().map(entry).collect(),
    }
}

#[test]
fn p20_a_checkpoint_round_trips() {
    let before = checkpoint(&[("a", 0, 1), ("a", 1, 2), ("b.c-d", 0, 9)]);
    let after = Checkpoint::decode(&super::super::encode(&before)).expect("its own bytes");
    assert_eq!(before, after);
    assert_eq!(after.entry(&TopicPartition::new("a", 1)).map(|e| e.offset), Some(2));
    assert_eq!(after.entry(&TopicPartition::new("a", 2)), None);
}

#[test]
fn c08_entries_that_did_not_change_stay() {
    let base = checkpoint(&[("a", 0, 1), ("b", 0, 2)]);
    let changed = checkpoint(&[("a", 1, 5), ("b", 0, 7)]);
    let offsets: Vec<_> = base.with(&changed.entries).iter().map(|e| e.offset).collect();
    assert_eq!(offsets, [1, 5, 7]);
}

#[test]
fn p19_a_newer_format_is_refused() {
    let mut newer = checkpoint(&[]);
    newer.format += 1;
    let error = Checkpoint::decode(&super::super::encode(&newer)).expect_err("newer");
    assert!(error.message().contains("has format 2"), "{error}");
}
