//! Partitions and topics that cannot be seen at first, change their id, or refuse to be read.

use serde_json::{Value, json};
use tidegate_broker::{Answer, Api, Rule};

use crate::support::Lab;
use crate::support::lake::{Rows, rows};

/// The offsets of a partition that were copied.
fn copied(rows: &Rows, topic: &str, partition: i32) -> Vec<i64> {
    let rows = rows.get(&(topic.to_owned(), partition));
    rows.into_iter().flatten().map(|(offset, _)| *offset).collect()
}

/// Two partitions of ten records, of which the second has no leader.
async fn half_led(start: Value) -> Lab {
    let mut lab = Lab::new().await;
    lab.topic("t", 2);
    for partition in 0..2 {
        lab.produce("t", partition, 10);
    }
    lab.set("start", start);
    lab.broker.move_leader("t", 1, None).expect("a topic");
    lab
}

/// `start` is decided for the partitions that are there, also for one that has no leader then.
/// The records' own times do not matter.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_without_leader_at_the_first_run_begins_where_start_said() {
    for (start, first, second) in [
        (json!("latest"), 10..12, 10..12),
        (json!("2026-11-25T00:00:05Z"), 5..12, 5..12),
        (json!({"t": {"1": 7}}), 0..12, 7..12),
    ] {
        let mut lab = half_led(start.clone()).await;
        let lines = lab.json(3, "run", &[]).await;
        assert_eq!(lines[0]["stopped"][0]["state"], "unobserved", "{lines:?}");
        assert_eq!(lines[0]["stopped"][0]["reason"], "unavailable", "{lines:?}");
        let status = lab.json(3, "status", &[]).await;
        let unresolved = status.iter().find(|line| line["state"] == "unresolved");
        let unresolved = unresolved.expect("a partition that begins later");
        assert_eq!((&unresolved["partition"], &unresolved["committed"]), (&json!(1), &Value::Null));
        lab.broker.move_leader("t", 1, Some(1)).expect("a topic");
        for partition in 0..2 {
            lab.produce("t", partition, 2);
        }
        lab.set("start", json!("earliest"));
        lab.json(0, "run", &["--until-caught-up"]).await;
        let rows = rows(&lab.lake());
        assert_eq!(copied(&rows, "t", 0), first.collect::<Vec<_>>(), "{start}");
        assert_eq!(copied(&rows, "t", 1), second.collect::<Vec<_>>(), "{start}");
        lab.json(0, "verify", &["--deep"]).await;
    }
}

/// A pattern that nothing matches at the first run: what comes to match it appeared later, and is
/// read from its first record, with `latest` too.
#[tokio::test(flavor = "multi_thread")]
async fn r08_a_first_run_without_any_topic_counts() {
    let mut lab = Lab::new().await;
    lab.set("start", json!("latest"));
    assert_eq!(lab.run().await["rows"], 0);
    assert_eq!(lab.run().await["outcome"], "idle");
    lab.topic("t", 1);
    lab.produce("t", 0, 10);
    assert_eq!(lab.run().await["rows"], 10);
    lab.json(0, "verify", &["--deep"]).await;
}

/// Brokers that give no topic ids, and are upgraded: the ids are taken over on the same cluster.
/// From then on a topic made anew is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_id_that_becomes_known_is_adopted() {
    let lab = Lab::new().await;
    lab.broker.set_versions(Api::Metadata, 4, 9);
    lab.topic("t", 1);
    lab.produce("t", 0, 10);
    assert_eq!(lab.run().await["rows"], 10);
    lab.broker.set_versions(Api::Metadata, 4, 12);
    lab.produce("t", 0, 5);
    assert_eq!(lab.run().await["rows"], 5);
    let id = |line: &Value| line["checkpoint"][0]["topic_id"].clone();
    let manifest = |run: u32| {
        let path = lab.lake().join(format!("_runs/p/{run:010}.json"));
        let text = std::fs::read_to_string(path).expect("a manifest");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    assert_eq!(id(&manifest(1)), Value::Null);
    assert!(id(&manifest(2)).is_string());
    // One of several brokers that is not upgraded yet, or no more: nothing is concluded.
    lab.broker.set_versions(Api::Metadata, 4, 9);
    let lines = lab.json(3, "run", &[]).await;
    assert_eq!(lines[0]["stopped"][0]["state"], "unobserved", "{lines:?}");
    lab.broker.set_versions(Api::Metadata, 4, 12);
    assert_eq!(lab.run().await["outcome"], "idle");
    lab.broker.delete_topic("t").expect("a topic");
    lab.topic("t", 1);
    lab.produce("t", 0, 40);
    let lines = lab.json(3, "run", &[]).await;
    assert_eq!(lines[0]["stopped"][0]["reason"], "recreated", "{lines:?}");
    lab.json(0, "verify", &["--deep"]).await;
}

/// A partition whose records may not be read, while its offsets may be looked at: it is refused
/// at each run, and takes no more of a capped run than one offset.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_refused_does_not_take_the_others_share() {
    let mut lab = Lab::new().await;
    lab.topic("t", 2);
    for partition in 0..2 {
        lab.produce("t", partition, 300);
    }
    lab.set("limits", json!({"records_per_run": 100}));
    lab.set("catch_up", json!(false));
    let denied = Answer::PartitionError { topic: "t".to_owned(), partition: 0, code: 29 };
    lab.broker.script(Rule::new(Api::Fetch, denied).always());
    let mut rows_of = Vec::new();
    for _ in 0..3 {
        let line = lab.json(3, "run", &[]).await.remove(0);
        let stopped = &line["stopped"][0];
        assert_eq!((&stopped["partition"], &stopped["state"]), (&json!(0), &json!("unread")));
        assert_eq!(stopped["reason"], "denied");
        rows_of.push(line["rows"].as_u64().expect("a number"));
    }
    assert_eq!(rows_of, [50, 99, 99]);
    // Once the right is given, one offset shows it, and the share is a fair one again.
    lab.broker.clear_script();
    assert_eq!(lab.run().await["rows"], 53);
    assert_eq!(lab.run().await["rows"], 100);
    lab.json(0, "run", &["--until-caught-up"]).await;
    let rows = rows(&lab.lake());
    for partition in 0..2 {
        assert_eq!(copied(&rows, "t", partition), (0..300).collect::<Vec<_>>());
    }
    lab.json(0, "verify", &["--deep"]).await;
}
