//! Losses, stopped partitions, a Kafka that is away: exit codes and causes.

use serde_json::{Value, json};
use tidegate_broker::{BatchSpec, Record};

use crate::support::Lab;
use crate::support::lake::{assert_exactly_once, rows};

/// Two partitions, of which a first run has read ten records each, and ten more in each.
async fn lab() -> Lab {
    let lab = Lab::new().await;
    lab.topic("t", 2);
    for partition in 0..2 {
        lab.produce("t", partition, 10);
    }
    assert_eq!(lab.run().await["rows"], 20);
    for partition in 0..2 {
        lab.produce("t", partition, 10);
    }
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn x09_a_partition_with_a_loss_stops_and_only_it() {
    let lab = lab().await;
    lab.broker.delete_records("t", 1, 15).expect("a topic");
    let lines = lab.json(3, "run", &[]).await;
    assert_eq!(lines[0]["rows"], 10, "{lines:?}");
    let stopped = &lines[0]["stopped"][0];
    assert_eq!((&stopped["topic"], &stopped["partition"]), (&json!("t"), &json!(1)), "{stopped}");
    assert_eq!(stopped["state"], "stopped");
    let cause = stopped["cause"].as_str().expect("a text");
    assert!(cause.contains("[10, 15)") && cause.contains("on_data_loss"), "{cause}");
    assert_eq!(lab.json(3, "run", &[]).await[0]["outcome"], "idle");
    for verb in ["status", "plan"] {
        let text = lab.call(verb, &[]).await;
        assert_eq!(text.code, Some(3), "{}", text.err);
        assert!(text.out.contains("t-1") && text.out.contains("[10, 15)"), "{}", text.out);
    }
    assert_exactly_once(&rows(&lab.lake()), "t", 0, 20);
    assert_exactly_once(&rows(&lab.lake()), "t", 1, 10);
    lab.json(0, "verify", &["--deep"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x10_a_loss_that_is_skipped_is_told_once() {
    let mut lab = lab().await;
    lab.set("on_data_loss", json!("skip"));
    lab.broker.delete_records("t", 1, 15).expect("a topic");
    let lines = lab.json(3, "run", &[]).await;
    let lost = json!([{ "topic": "t", "partition": 1, "start": 10, "end": 15 }]);
    assert_eq!((&lines[0]["losses"], &lines[0]["rows"]), (&lost, &json!(15)));
    let ended = lab.call("run", &["--json"]).await;
    assert_eq!((ended.code, &ended.lines()[0]["losses"]), (Some(0), &json!([])));
    let offsets = |rows: &crate::support::lake::Rows| -> Vec<i64> {
        rows[&("t".to_owned(), 1)].iter().map(|(offset, _)| *offset).collect()
    };
    let expected: Vec<i64> = (0..10).chain(15..20).collect();
    assert_eq!(offsets(&rows(&lab.lake())), expected);
    lab.json(0, "verify", &["--deep"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r06_a_topic_made_anew_stops() {
    let lab = lab().await;
    lab.broker.delete_topic("t").expect("a topic");
    lab.topic("t", 2);
    lab.produce("t", 0, 50);
    let lines = lab.json(3, "run", &[]).await;
    let cause = lines[0]["stopped"][0]["cause"].as_str().expect("a text");
    assert!(cause.contains("created anew"), "{cause}");
    assert_eq!(rows(&lab.lake()).values().map(Vec::len).sum::<usize>(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_holds_up_no_other() {
    let mut lab = Lab::new().await;
    lab.set("topics", json!(["t", "nowhere"]));
    lab.topic("t", 1);
    lab.produce("t", 0, 5);
    let lines = lab.json(3, "run", &[]).await;
    assert_eq!(lines[0]["rows"], 5);
    let stopped = &lines[0]["stopped"][0];
    assert_eq!((&stopped["topic"], &stopped["state"]), (&json!("nowhere"), &json!("unobserved")));
    assert_eq!(stopped["partition"], Value::Null);
}

/// A batch whose checksum is wrong ends its partition's slice, and only it: what stands before it
/// is copied, the partition is quarantined, and catching up ends all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_poison_batch_quarantines_its_partition_and_holds_up_no_other() {
    let lab = lab().await;
    let mut poison = BatchSpec::new().record(Record::new(b"k", b"v")).encode().expect("a batch");
    *poison.last_mut().expect("it has bytes") ^= 1;
    lab.broker.append_raw("t", 1, poison, 1).expect("a topic");
    lab.produce("t", 1, 10);
    let lines = lab.json(3, "run", &["--until-caught-up"]).await;
    let last = lines.last().expect("a line");
    let stopped = &last["stopped"][0];
    assert_eq!((&stopped["partition"], &stopped["state"]), (&json!(1), &json!("quarantined")));
    assert!(stopped["cause"].as_str().expect("a text").contains("20"), "{stopped}");
    assert_eq!(last["lag_after"]["records"], 11, "{last}");
    assert_exactly_once(&rows(&lab.lake()), "t", 0, 20);
    assert_exactly_once(&rows(&lab.lake()), "t", 1, 20);
    let status = lab.call("status", &[]).await;
    assert_eq!(status.code, Some(3), "{}", status.err);
    assert!(status.out.contains("t-1 is quarantined"), "{}", status.out);
    lab.json(0, "verify", &["--deep"]).await;
}

/// The run fails; `status` shows what the last plan knew, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn status_works_while_kafka_is_away() {
    let lab = lab().await;
    lab.broker.stop_node(1).await.expect("a node");
    let lines = lab.json(0, "status", &[]).await;
    let (pipeline, topic) = (&lines[0], &lines[1]);
    assert_eq!((&pipeline["observed"], &topic["committed"]), (&json!(false), &json!(20)));
    assert_eq!((&topic["end"], &topic["lag"]["records"]), (&json!(20), &json!(0)));
    let address = lab.broker.addr().to_string();
    assert!(pipeline["cause"].as_str().expect("a text").contains(&address), "{pipeline}");
    let text = lab.call("status", &[]).await;
    assert!(text.out.contains("Kafka does not answer"), "{}", text.out);
    lab.broker.start_node(1).await.expect("its port");
    assert_eq!(lab.run().await["rows"], 20);
}

/// A state and a destination that do not belong together publish nothing.
#[tokio::test(flavor = "multi_thread")]
async fn another_state_publishes_nothing() {
    let lab = lab().await;
    let other = lab.dir.path().join("other-state");
    let other = other.to_str().expect("UTF-8");
    let ended = lab.call("run", &["--state", other]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("another plan"), "{}", ended.err);
    assert_eq!(rows(&lab.lake()).values().map(Vec::len).sum::<usize>(), 20);
    assert_eq!(lab.run().await["rows"], 20);
}
