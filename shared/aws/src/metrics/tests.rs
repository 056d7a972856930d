use std::sync::Arc;

use tidegate_core::ErrorKind;
use tidegate_core::documents::{CheckpointEntry, Loss, PartitionState, PlannedEnd, Quarantine};
use tidegate_core::ports::Cause;
use tidegate_core::words::{RandomId, RunNumber, TopicPartition};

use super::*;

const NOW: Millis = Millis(1_790_000_100_000);

fn spec(by_topic: bool) -> Spec {
    let spec = json!({
        "pipeline": "rides", "kafka": {"bootstrap_servers": ["localhost:9092"]},
        "topics": ["a", "b"], "destination": "s3://lake/raw", "metrics": {"by_topic": by_topic},
    });
    Spec::from_value(&spec).expect("a spec")
}

fn end(topic: &str, high_watermark: i64) -> PlannedEnd {
    PlannedEnd {
        partition: TopicPartition { topic: topic.into(), partition: 0 },
        log_start: 0,
        end: high_watermark,
        high_watermark,
        log_start_time: Some(Millis(NOW.0 - 600_000)),
    }
}

fn entry(topic: &str, offset: i64) -> CheckpointEntry {
    let partition = TopicPartition { topic: topic.into(), partition: 0 };
    let entry = CheckpointEntry::new(partition, None, offset);
    CheckpointEntry { last_timestamp: Some(Millis(NOW.0 - 60_000)), ..entry }
}

fn tick() -> TickReport {
    let mut behind = entry("b", 10);
    behind.state = PartitionState::Quarantined(Quarantine {
        cause: Cause { kind: ErrorKind::BadRecord, message: "bad CRC".to_owned() },
        failures: 1,
        retry_run: RunNumber(9),
        retry_at: NOW,
    });
    let (entries, ends) = (vec![entry("a", 5), behind], vec![end("a", 5), end("b", 25)]);
    let total = Lag { records: 15, seconds: 60 };
    TickReport {
        outcome: TickOutcome::Opened { run: RunNumber(7), plan: RandomId(1), tasks: 2 },
        lag: Some(LagReport { total, entries, ends }),
        open_since: None,
        left_out: Vec::new(),
        troubles: Vec::new(),
    }
}

/// Names and values of the metrics of a line, which must be what its directive declares.
fn metrics(line: &str) -> (Vec<String>, BTreeMap<String, u64>) {
    let line: Value = serde_json::from_str(line).expect("JSON");
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "Tidegate");
    assert_eq!(line["_aws"]["Timestamp"], NOW.0);
    let names = directive["Dimensions"][0].as_array().expect("a set");
    let dimension = |name: &Value| line[name.as_str().expect("a name")].as_str().map(str::to_owned);
    let values = names.iter().map(|name| dimension(name).expect("a value")).collect();
    let declared = directive["Metrics"].as_array().expect("a list");
    let metric = |metric: &Value| {
        let name = metric["Name"].as_str().expect("a name").to_owned();
        let value = line[&name].as_u64().expect("a number");
        (name, value)
    };
    (values, declared.iter().map(metric).collect())
}

fn named(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[test]
fn a_tick_tells_lag_and_what_is_amiss() {
    let lines = of_tick(&spec(false), &tick(), NOW);
    let [line] = &lines[..] else { panic!("one line") };
    assert!(!line.contains('\n'));
    let (dimensions, found) = metrics(line);
    assert_eq!(dimensions, ["rides"]);
    let expected = [
        ("OffsetLag", 15),
        ("TimeLagSeconds", 60),
        ("TimeToLossSeconds", 540),
        ("StoppedPartitions", 1),
        ("OpenRunSeconds", 0),
    ];
    assert_eq!(found, named(&expected));
}

#[test]
fn topics_have_lines_of_their_own_only_if_asked_for() {
    let lines = of_tick(&spec(true), &tick(), NOW);
    assert_eq!(lines.len(), 3);
    let (dimensions, found) = metrics(&lines[2]);
    assert_eq!(dimensions, ["rides", "b"]);
    assert_eq!(found["OffsetLag"], 15);
    assert_eq!(metrics(&lines[1]).1, named(&[("OffsetLag", 0), ("TimeLagSeconds", 0)]));
}

#[test]
fn a_tick_that_saw_nothing_still_tells_how_long_a_run_is_open() {
    let since = Some(Millis(NOW.0 - 90_000));
    let outcome = TickOutcome::Busy { run: RunNumber(7) };
    let report = TickReport { outcome, lag: None, open_since: since, ..tick() };
    let lines = of_tick(&spec(true), &report, NOW);
    assert_eq!(lines.len(), 1);
    assert_eq!(metrics(&lines[0]).1, named(&[("OpenRunSeconds", 90)]));
}

#[test]
fn a_commit_tells_what_was_written_and_lost() {
    let topic: Arc<str> = "a".into();
    let loss = Loss { topic, topic_id: None, partition: 0, start: 3, end: 10 };
    let done = Committed {
        run: RunNumber(7),
        rows: 100,
        bytes_written: 5_000,
        losses: vec![loss],
        ..Committed::default()
    };
    let pipeline = spec(false).pipeline;
    let (dimensions, found) = metrics(&of_commit(&pipeline, &done, NOW));
    assert_eq!(dimensions, ["rides"]);
    let expected = [("RowsWritten", 100), ("BytesWritten", 5_000), ("RecordsLost", 7)];
    assert_eq!(found, named(&expected));
}
