//! `plan`, `status`, `pause` and `resume`.

use serde_json::{Value, json};

use crate::support::{Lab, files};

/// Every file with its size.
fn snapshot(lab: &Lab) -> Vec<(String, u64)> {
    let size = |path: &str| std::fs::metadata(lab.lake().join(path)).map_or(0, |m| m.len());
    files(&lab.lake(), |_| true).into_iter().map(|path| (path.clone(), size(&path))).collect()
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_shows_slices_and_changes_nothing() {
    let mut lab = Lab::new().await;
    lab.set("limits", json!({ "records_per_partition": 20, "records_per_run": 30 }));
    lab.topic("t", 2);
    lab.topic("t.quiet", 1);
    lab.produce("t", 0, 50);
    lab.produce("t", 1, 50);
    let lines = lab.json(0, "plan", &[]).await;
    assert!(!lab.lake().exists());
    let slices = of_type(&lines, "slice");
    let offsets: Vec<_> = slices.iter().map(|slice| (&slice["start"], &slice["end"])).collect();
    assert_eq!(offsets, [(&json!(0), &json!(15)), (&json!(0), &json!(15))]);
    let summary = lines.last().expect("a summary");
    assert_eq!((&summary["run"], &summary["open"]), (&json!(1), &json!(false)));
    assert_eq!((&summary["offsets"], &summary["backlog"]), (&json!(30), &json!(true)));
    assert_eq!(of_type(&lines, "table")[0]["bytes"], 30 * 1024);
    let text = lab.call("plan", &[]).await;
    assert!(text.out.contains("t-1") && text.out.contains("30 offsets"), "{}", text.out);
    lab.run().await;
    let before = snapshot(&lab);
    for verb in ["plan", "status", "verify"] {
        assert_eq!(lab.call(verb, &[]).await.code, Some(0));
    }
    assert_eq!(snapshot(&lab), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_says_why_a_partition_waits() {
    let mut lab = Lab::new().await;
    lab.set("batching", json!({ "min_bytes": "1MiB", "max_wait": "1h" }));
    lab.topic("t", 1);
    lab.produce("t", 0, 5);
    assert_eq!(lab.run().await["rows"], 5, "a topic that was never read waits for nothing");
    lab.produce("t", 0, 5);
    let lines = lab.json(0, "plan", &[]).await;
    let left_out = of_type(&lines, "left_out");
    assert_eq!(left_out[0]["why"], "waiting", "{lines:?}");
    assert!(left_out[0]["message"].as_str().expect("a text").contains("batching.min_bytes"));
    assert_eq!(lab.run().await["outcome"], "idle");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_offsets_lag_and_runs() {
    let mut lab = Lab::new().await;
    lab.set("limits", json!({ "records_per_run": 10 }));
    lab.topic("t", 2);
    lab.produce("t", 0, 12);
    lab.produce("t", 1, 8);
    let lines = lab.json(0, "status", &[]).await;
    assert_eq!((&lines[0]["last_run"], &lines[0]["lag"]["records"]), (&json!(null), &json!(20)));
    lab.json(0, "run", &["--until-caught-up"]).await;
    lab.produce("t", 1, 5);
    let lines = lab.json(0, "status", &[]).await;
    let topic = of_type(&lines, "topic")[0];
    assert_eq!((&topic["committed"], &topic["end"]), (&json!(20), &json!(25)), "{topic}");
    assert_eq!((&topic["lag"]["records"], &topic["partitions"]), (&json!(5), &json!(2)));
    let partitions = of_type(&lines, "partition");
    let offsets: Vec<_> = partitions.iter().map(|line| &line["committed"]).collect();
    assert_eq!(offsets, [12, 8]);
    let runs: Vec<_> = of_type(&lines, "run").iter().map(|r| (&r["run"], &r["rows"])).collect();
    assert_eq!(runs, [(&json!(2), &json!(10)), (&json!(1), &json!(10))]);
    let text = lab.call("status", &["-v"]).await;
    assert!(text.out.contains("t-1") && text.out.contains("25"), "{}", text.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_until_it_is_lifted() {
    let lab = Lab::new().await;
    lab.topic("t", 1);
    let ended = lab.call("pause", &[]).await;
    assert_eq!(ended.code, Some(2), "a pipeline that never ran: {}", ended.err);
    lab.produce("t", 0, 5);
    lab.run().await;
    lab.produce("t", 0, 5);
    let paused = lab.json(0, "pause", &[]).await;
    assert_eq!(paused, [json!({ "pipeline": "p", "paused": true })]);
    assert_eq!(lab.run().await["outcome"], "paused");
    let status = lab.call("status", &[]).await;
    assert!(status.out.contains("paused"), "{}", status.out);
    lab.json(0, "resume", &[]).await;
    assert_eq!(lab.run().await["rows"], 5);
}
