//! `abort`: the last resort.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate_broker::{Answer, Api, Rule};
use tokio::time::{interval, timeout};

use super::{is_whole, lab, manifest, obstacle, offsets_of, reset};
use crate::support::Lab;
use crate::support::lake::{assert_exactly_once, data_files, rows};

async fn abort(lab: &Lab, arguments: &[&str]) -> Vec<Value> {
    // Nobody is asked: there is no terminal.
    lab.json(0, "abort", &[&["--reason", "it is stuck"], arguments].concat()).await
}

/// A run of 20 rows that was laid out, and whose staged files are gone.
async fn stuck() -> Lab {
    let lab = Lab::new().await;
    lab.topic("t", 2);
    lab.produce("t", 0, 10);
    lab.produce("t", 1, 10);
    let in_the_way = obstacle(&lab, "t/dt=2026-11-25/hr=00/p-0000000001-1.parquet");
    assert_eq!(lab.call("run", &[]).await.code, Some(1));
    std::fs::remove_dir(in_the_way).expect("it is empty");
    std::fs::remove_dir_all(lab.lake().join("_staging/p")).expect("it is there");
    let ended = lab.call("run", &[]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("tidegate abort"), "{}", ended.err);
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_staged_files_are_gone_is_aborted_and_read_again() {
    let lab = stuck().await;
    let planned = lab.json(0, "abort", &["--reason", "it is stuck", "--dry-run"]).await;
    assert_eq!((&planned[0]["run"], &planned[0]["rows"]), (&json!(1), &json!(20)), "{planned:?}");
    assert!(data_files(&lab.lake()).is_empty());
    let lines = abort(&lab, &[]).await;
    assert_eq!((&lines[0]["outcome"], &lines[0]["files"]), (&json!("aborted"), &json!(1)));
    let taken = data_files(&lab.lake());
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert!(rows(&lab.lake()).is_empty());
    let told = manifest(&lab, 1);
    assert_eq!((&told["kind"], &told["reason"]), (&json!("aborted"), &json!("it is stuck")));
    assert_eq!((&told["files"][0]["rows"], &told["slices"]), (&json!(0), &json!([])), "{told}");
    is_whole(&lab).await;
    let status = lab.call("status", &[]).await;
    assert!(status.out.contains("aborted: it is stuck"), "{}", status.out);
    let run = lab.run().await;
    assert_eq!((&run["run"], &run["rows"]), (&json!(2), &json!(20)), "{run}");
    assert_exactly_once(&rows(&lab.lake()), "t", 0, 10);
    assert_exactly_once(&rows(&lab.lake()), "t", 1, 10);
    is_whole(&lab).await;
    assert_eq!(abort(&lab, &[]).await[0]["outcome"], "nothing");
}

/// A run that is killed before it got a record.
async fn killed_while_it_reads(lab: &Lab) {
    lab.broker.script(Rule::new(Api::Fetch, Answer::Silence).always());
    let before = lab.broker.count(Api::Fetch);
    let mut run = lab.start("run", &[]);
    let mut look = interval(Duration::from_millis(2));
    let reading = async {
        while lab.broker.count(Api::Fetch) == before {
            look.tick().await;
        }
    };
    timeout(Duration::from_secs(120), reading).await.expect("the run reads");
    run.kill().await.expect("it lives");
    lab.broker.clear_script();
}

/// Without a layout the abort takes its name; what `start` meant is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_layout_is_aborted_and_keeps_its_starts() {
    let mut lab = Lab::new().await;
    lab.set("start", json!("latest"));
    lab.topic("t", 1);
    lab.produce("t", 0, 7);
    lab.topic("tt", 1);
    lab.run().await;
    lab.produce("tt", 0, 5);
    killed_while_it_reads(&lab).await;
    let lines = abort(&lab, &[]).await;
    assert_eq!((&lines[0]["run"], &lines[0]["files"]), (&json!(2), &json!(0)), "{lines:?}");
    is_whole(&lab).await;
    lab.produce("t", 0, 2);
    assert_eq!(lab.run().await["rows"], 7);
    assert_eq!(offsets_of(&lab, 0), [7, 8]);
    is_whole(&lab).await;
}

/// The plan may be what is damaged: without it the run can only be given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_plan_is_gone_is_aborted() {
    let lab = lab().await;
    killed_while_it_reads(&lab).await;
    std::fs::remove_dir_all(lab.lake().join("_state/p/run/2")).expect("it is there");
    let ended = lab.call("run", &[]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert_eq!(abort(&lab, &[]).await[0]["run"], 2);
    is_whole(&lab).await;
    let run = lab.run().await;
    assert_eq!((&run["run"], &run["rows"]), (&json!(3), &json!(20)), "{run}");
    is_whole(&lab).await;
}

/// From the mark on nothing else goes on, and a second call finishes what the first began.
#[tokio::test(flavor = "multi_thread")]
async fn an_abort_that_died_is_finished_by_the_next_abort() {
    let lab = stuck().await;
    let in_the_way = obstacle(&lab, "_runs/p/0000000001.json");
    let ended = lab.call("abort", &["--reason", "the first", "--yes"]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let ended = lab.call("run", &[]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("run 1 is being aborted"), "{}", ended.err);
    let refused = reset(&lab, 1, &["--to", "latest"]).await;
    assert!(refused.err.contains("being aborted (the first)"), "{}", refused.err);
    lab.json(0, "pause", &[]).await;
    lab.json(0, "resume", &[]).await;
    let status = lab.call("status", &[]).await;
    assert!(status.out.contains("being aborted (the first)"), "{}", status.out);
    std::fs::remove_dir(in_the_way).expect("it is empty");
    let lines = abort(&lab, &[]).await;
    assert_eq!(lines[0]["reason"], "the first", "{lines:?}");
    assert_eq!(lab.run().await["rows"], 20);
    is_whole(&lab).await;
}
