//! Processes that are killed, interrupted, or meet another one.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate_broker::{Answer, Api, Rule};
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

use crate::support::lake::{assert_exactly_once, rows};
use crate::support::{Ended, Lab, files};

/// Two partitions of 200 records; each reader gets one answer, and the next fetch waits.
async fn lab() -> Lab {
    let mut lab = Lab::new().await;
    lab.set("limits", json!({ "bytes_per_task": "100KiB", "records_per_partition": 200 }));
    lab.topic("t", 2);
    lab.produce("t", 0, 200);
    lab.produce("t", 1, 200);
    lab
}

/// Waits until the broker got so many fetches.
async fn fetches(lab: &Lab, number: u64) {
    let mut look = interval(Duration::from_millis(2));
    let reading = async {
        while lab.broker.count(Api::Fetch) < number {
            look.tick().await;
        }
    };
    timeout(Duration::from_secs(60), reading).await.expect("the run reads");
}

/// Starts a run that gets no answer to its first fetches.
async fn stalled_run(lab: &Lab) -> Child {
    lab.broker.script(Rule::new(Api::Fetch, Answer::Silence).always());
    let run = lab.start("run", &["--json"]);
    fetches(lab, 1).await;
    run
}

fn assert_nothing_staged(lab: &Lab) {
    let staged = files(&lab.lake(), |path| path.starts_with("_staging/"));
    assert!(staged.is_empty(), "{staged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn w14_k02_a_run_that_was_killed_is_finished_by_the_next_one() {
    let lab = lab().await;
    stalled_run(&lab).await.kill().await.expect("it lives");
    lab.broker.clear_script();
    assert!(crate::support::lake::data_files(&lab.lake()).is_empty());
    let status = lab.json(0, "status", &[]).await;
    assert_eq!(status[0]["open_run"]["run"], 1, "{}", status[0]);
    let plan = lab.json(0, "plan", &[]).await;
    assert_eq!(plan.last().expect("a summary")["open"], true, "{plan:?}");
    lab.produce("t", 1, 60);
    let lines = lab.json(0, "run", &[]).await;
    let runs: Vec<_> = lines.iter().map(|line| (&line["run"], &line["rows"])).collect();
    assert_eq!(runs, [(&json!(1), &json!(400)), (&json!(2), &json!(60))], "{lines:?}");
    let rows = rows(&lab.lake());
    assert_exactly_once(&rows, "t", 0, 200);
    assert_exactly_once(&rows, "t", 1, 260);
    assert_nothing_staged(&lab);
    lab.json(0, "verify", &["--deep"]).await;
}

/// W16: killed again and again, after ever more answers of the broker.
#[tokio::test(flavor = "multi_thread")]
async fn w16_kills_after_every_number_of_fetches_lose_and_double_nothing() {
    let mut lab = lab().await;
    lab.set("limits", json!({ "records_per_partition": 90, "readers": 2 }));
    for answered in 1..8 {
        let mut run = lab.start("run", &["--until-caught-up"]);
        let before = lab.broker.count(Api::Fetch);
        let reads = async {
            let mut look = interval(Duration::from_millis(1));
            while lab.broker.count(Api::Fetch) < before + answered {
                look.tick().await;
            }
        };
        tokio::select! {
            () = reads => run.kill().await.expect("it lives or has ended"),
            ended = run.wait() => assert!(ended.expect("its end").success()),
        }
        lab.produce("t", 0, 50);
    }
    lab.json(0, "run", &["--until-caught-up"]).await;
    let rows = rows(&lab.lake());
    assert_exactly_once(&rows, "t", 0, 550);
    assert_exactly_once(&rows, "t", 1, 200);
    assert_nothing_staged(&lab);
    lab.json(0, "verify", &["--deep"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a08_ctrl_c_ends_a_run_within_a_second_and_loses_nothing() {
    for signal in ["-INT", "-TERM"] {
        let lab = lab().await;
        let run = stalled_run(&lab).await;
        let id = run.id().expect("it lives").to_string();
        let began = Instant::now();
        let sent = Command::new("kill").args([signal, &id]).status().await.expect("a kill command");
        assert!(sent.success());
        let ended = Ended::of(run.wait_with_output().await.expect("its end"));
        assert!(began.elapsed() < Duration::from_secs(1), "{signal}: {:?}", began.elapsed());
        assert_eq!(ended.code, Some(130), "{signal}: {}", ended.err);
        assert!(ended.err.contains("nothing is lost"), "{signal}: {}", ended.err);
        lab.broker.clear_script();
        lab.json(0, "run", &["--until-caught-up"]).await;
        let rows = rows(&lab.lake());
        assert_exactly_once(&rows, "t", 0, 200);
        assert_exactly_once(&rows, "t", 1, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k01_of_two_runs_at_once_one_is_busy() {
    let lab = lab().await;
    let mut first = stalled_run(&lab).await;
    let second = lab.run().await;
    assert_eq!((&second["outcome"], &second["run"]), (&json!("busy"), &json!(1)), "{second}");
    assert_eq!(second["rows"], 0);
    assert!(first.try_wait().expect("its state").is_none(), "the first one was at work meanwhile");
    first.kill().await.expect("it lives");
    lab.broker.clear_script();
    let third = lab.json(0, "run", &[]).await;
    assert_eq!((&third[0]["run"], &third[0]["rows"]), (&json!(1), &json!(400)), "{third:?}");
    let rows = rows(&lab.lake());
    assert_exactly_once(&rows, "t", 0, 200);
    assert_exactly_once(&rows, "t", 1, 200);
}

/// Three at once, several times: whatever each of them finds, nothing is lost or doubled.
#[tokio::test(flavor = "multi_thread")]
async fn k06_runs_at_once_double_nothing() {
    let lab = lab().await;
    for _ in 0..4 {
        let runs: Vec<_> = (0..3).map(|_| lab.start("run", &["--json"])).collect();
        for run in runs {
            let ended = Ended::of(run.wait_with_output().await.expect("its end"));
            assert_eq!(ended.code, Some(0), "{}", ended.err);
        }
        lab.produce("t", 0, 50);
    }
    lab.json(0, "run", &["--until-caught-up"]).await;
    let rows = rows(&lab.lake());
    assert_exactly_once(&rows, "t", 0, 400);
    assert_exactly_once(&rows, "t", 1, 200);
    lab.json(0, "verify", &["--deep"]).await;
}
