//! What an operator decides: `reset`, and `abort` in a file of its own.

mod abort;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::lake::{assert_exactly_once, rows};
use crate::support::{Ended, Lab, files};

/// Two partitions of which ten records each were read, and ten more in each.
async fn lab() -> Lab {
    let lab = Lab::new().await;
    lab.topic("t", 2);
    for _ in 0..2 {
        for partition in 0..2 {
            lab.produce("t", partition, 10);
        }
        if rows(&lab.lake()).is_empty() {
            lab.run().await;
        }
    }
    lab
}

async fn reset(lab: &Lab, code: i32, arguments: &[&str]) -> Ended {
    let ended = lab.call("reset", &[arguments, &["--reason", "a bad deploy"]].concat()).await;
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}\n{}", ended.out, ended.err);
    ended
}

async fn reset_json(lab: &Lab, arguments: &[&str]) -> Vec<Value> {
    reset(lab, 0, &[arguments, &["--json"]].concat()).await.lines()
}

/// A file of offsets beside the spec.
fn offsets_file(lab: &Lab, offsets: &Value) -> String {
    let path = lab.dir.path().join("offsets.json");
    std::fs::write(&path, offsets.to_string()).expect("a writable directory");
    path.to_str().expect("UTF-8").to_owned()
}

fn manifest(lab: &Lab, run: u32) -> Value {
    let path = lab.lake().join(format!("_runs/p/{run:010}.json"));
    let bytes = std::fs::read(&path).expect("the run has a manifest");
    serde_json::from_slice(&bytes).expect("JSON")
}

async fn is_whole(lab: &Lab) {
    let ended = lab.call("verify", &["--deep"]).await;
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
}

fn offsets_of(lab: &Lab, partition: i32) -> Vec<i64> {
    let rows = rows(&lab.lake());
    let of_partition = rows.get(&("t".to_owned(), partition));
    of_partition.into_iter().flatten().map(|(offset, _)| *offset).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_would_change_and_changes_nothing() {
    let lab = lab().await;
    let before = files(&lab.lake(), |_| true);
    let lines = reset_json(&lab, &["--to", "latest", "--dry-run"]).await;
    let first = json!({"type": "change", "topic": "t", "partition": 0, "from": 10, "to": 20,
                       "lost": 10, "again": 0, "state": "fine"});
    assert_eq!(lines[0], first, "{lines:?}");
    let summary = lines.last().expect("a summary");
    assert_eq!((&summary["outcome"], &summary["lost"]), (&json!("planned"), &json!(20)));
    let ended = reset(&lab, 0, &["--to", "earliest", "--dry-run"]).await;
    assert!(ended.out.contains("t-1") && ended.err.contains("--allow-duplicates"), "{}", ended.err);
    assert_eq!(files(&lab.lake(), |_| true), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn forward_skips_and_says_what() {
    let lab = lab().await;
    let lines = reset_json(&lab, &["--to", "latest", "--topic", "t"]).await;
    let summary = lines.last().expect("a summary");
    assert_eq!((&summary["outcome"], &summary["run"]), (&json!("reset"), &json!(2)), "{summary}");
    let manifest = manifest(&lab, 2);
    assert_eq!((&manifest["kind"], &manifest["reason"]), (&json!("reset"), &json!("a bad deploy")));
    let lost = json!({"topic": "t", "partition": 1, "start": 10, "end": 20,
                      "topic_id": manifest["losses"][1]["topic_id"]});
    assert_eq!(manifest["losses"][1], lost);
    assert_eq!(
        (&manifest["moves"][0]["from"], &manifest["moves"][0]["to"]),
        (&json!(10), &json!(20))
    );
    lab.produce("t", 0, 5);
    assert_eq!(lab.run().await["rows"], 5);
    let expected: Vec<i64> = (0..10).chain(20..25).collect();
    assert_eq!(offsets_of(&lab, 0), expected);
    is_whole(&lab).await;
    let status = lab.call("status", &[]).await;
    assert!(status.out.contains("reset: a bad deploy"), "{}", status.out);
    let again = reset_json(&lab, &["--to", "latest"]).await;
    assert_eq!(again[0]["outcome"], "nothing", "{again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn back_in_time_publishes_twice_with_permission_only() {
    let lab = lab().await;
    let path = offsets_file(&lab, &json!({"t": {"1": 4}}));
    let before = files(&lab.lake(), |_| true);
    let refused = reset(&lab, 2, &["--to", &path]).await;
    for part in ["t-1: 6 offsets, [4, 10)", "--allow-duplicates"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    assert_eq!(files(&lab.lake(), |_| true), before);
    let lines = reset_json(&lab, &["--to", &path, "--allow-duplicates"]).await;
    assert_eq!((&lines[0]["again"], &lines[0]["to"]), (&json!(6), &json!(4)), "{lines:?}");
    lab.run().await;
    let twice: Vec<i64> = {
        let mut all: Vec<i64> = (0..20).chain(4..10).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(offsets_of(&lab, 1), twice);
    assert_exactly_once(&rows(&lab.lake()), "t", 0, 20);
    is_whole(&lab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_said_before_anything_is_written() {
    let lab = lab().await;
    let before = files(&lab.lake(), |_| true);
    let wrong = json!({"t": {"0": 21, "5": 1}, "tx": {"0": 1}, "u": {"0": 1}});
    let path = offsets_file(&lab, &wrong);
    let refused = reset(&lab, 2, &["--to", &path]).await;
    for part in ["t-0: 21", "t-5 does not exist", "tx does not exist", "u is not among"] {
        assert!(refused.err.contains(part), "{part}: {}", refused.err);
    }
    let path = offsets_file(&lab, &json!({"t": {"0": -1, "1": "7"}}));
    let refused = reset(&lab, 2, &["--to", &path]).await;
    assert!(
        refused.err.contains("t-0: -1") && refused.err.contains("t-1: \"7\""),
        "{}",
        refused.err
    );
    reset(&lab, 2, &["--to", "yesterday"]).await;
    reset(&lab, 2, &["--to", "latest", "--topic", "nowhere"]).await;
    let silent = lab.call("reset", &["--to", "latest", "--reason", " "]).await;
    assert_eq!(silent.code, Some(2), "{}", silent.err);
    assert_eq!(lab.call("reset", &["--reason", "no target"]).await.code, Some(2));
    assert_eq!(files(&lab.lake(), |_| true), before);
}

/// R06: a topic made anew, and X09: records that are gone: `reset` brings both back.
#[tokio::test(flavor = "multi_thread")]
async fn r06_x09_stopped_partitions_come_back() {
    let lab = lab().await;
    lab.broker.delete_records("t", 1, 15).expect("a topic");
    lab.json(3, "run", &[]).await;
    let lines = reset_json(&lab, &["--to", "earliest", "--allow-duplicates"]).await;
    let of_1 = lines.iter().find(|line| line["partition"] == 1).expect("it moves");
    assert_eq!((&of_1["lost"], &of_1["state"]), (&json!(5), &json!("stopped")), "{of_1}");
    lab.run().await;
    assert_eq!(offsets_of(&lab, 1), (0..10).chain(15..20).collect::<Vec<i64>>());
    lab.broker.delete_topic("t").expect("a topic");
    lab.topic("t", 2);
    lab.produce("t", 0, 30);
    lab.json(3, "run", &[]).await;
    let lines = reset_json(&lab, &["--to", "earliest"]).await;
    assert_eq!((&lines[0]["from"], &lines[0]["again"]), (&json!(null), &json!(0)), "{lines:?}");
    assert_eq!(lab.run().await["rows"], 30);
    assert_eq!(lab.call("status", &[]).await.code, Some(0));
    is_whole(&lab).await;
}

/// An operator pauses, resets, looks, resumes.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_pipeline_is_reset() {
    let lab = lab().await;
    lab.json(0, "pause", &[]).await;
    reset(&lab, 0, &["--to", "latest"]).await;
    assert_eq!(lab.run().await["outcome"], "paused");
    lab.json(0, "resume", &[]).await;
    lab.produce("t", 0, 1);
    assert_eq!(lab.run().await["rows"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_never_ran_has_nothing_to_reset_or_abort() {
    let lab = Lab::new().await;
    lab.topic("t", 1);
    reset(&lab, 2, &["--to", "latest", "--dry-run"]).await;
    assert!(!lab.lake().exists(), "a dry run wrote something");
    let ended = reset(&lab, 2, &["--to", "latest"]).await;
    assert!(ended.err.contains("never ran"), "{}", ended.err);
    let ended = lab.call("abort", &["--reason", "why", "--yes"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    lab.produce("t", 0, 3);
    lab.run().await;
    let lines = lab.json(0, "abort", &[]).await;
    assert_eq!(lines[0]["outcome"], "nothing", "{lines:?}");
}

/// A directory in the place of a file that is to be written: whoever writes it fails.
fn obstacle(lab: &Lab, path: &str) -> PathBuf {
    let path = lab.lake().join(path);
    std::fs::create_dir_all(&path).expect("a writable directory");
    path
}

/// A reset that ended in the middle is rolled forward by the next run.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_died_is_finished_by_the_next_run() {
    for behind in ["_runs/p/0000000001.next.json", "_runs/p/0000000002.json"] {
        let lab = lab().await;
        let in_the_way = obstacle(&lab, behind);
        reset(&lab, 1, &["--to", "latest"]).await;
        let refused = reset(&lab, 1, &["--to", "earliest"]).await;
        assert!(refused.err.contains("run 2 is open"), "{}", refused.err);
        std::fs::remove_dir(in_the_way).expect("it is empty");
        lab.produce("t", 1, 4);
        let lines = lab.json(0, "run", &[]).await;
        let runs: Vec<_> = lines.iter().map(|line| (&line["run"], &line["rows"])).collect();
        assert_eq!(runs, [(&json!(2), &json!(0)), (&json!(3), &json!(4))], "{lines:?}");
        assert_eq!(manifest(&lab, 2)["kind"], "reset");
        is_whole(&lab).await;
    }
}
