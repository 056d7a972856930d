//! `tidegate run` against a broker in this process.

use serde_json::json;

use crate::support::lake::{assert_exactly_once, rows};
use crate::support::{Lab, files};

#[tokio::test(flavor = "multi_thread")]
async fn c12_r13_a_run_copies_what_is_there_and_the_next_one_is_idle() {
    let lab = Lab::new().await;
    lab.topic("trips", 3);
    lab.topic("taxis", 1);
    lab.produce("trips", 0, 120);
    lab.produce("trips", 2, 7);
    lab.produce("taxis", 0, 60);
    let line = lab.run().await;
    assert_eq!(line["outcome"], "committed", "{line}");
    assert_eq!(
        (&line["pipeline"], &line["run"], &line["rows"]),
        (&json!("p"), &json!(1), &json!(187))
    );
    assert_eq!(
        (&line["lag_before"]["records"], &line["lag_after"]["records"]),
        (&json!(187), &json!(0))
    );
    let rows = rows(&lab.lake());
    assert_exactly_once(&rows, "trips", 0, 120);
    assert_exactly_once(&rows, "trips", 2, 7);
    assert_exactly_once(&rows, "taxis", 0, 60);
    let before = files(&lab.lake(), |path| !path.starts_with("_state"));
    assert!(before.iter().all(|path| !path.starts_with("_staging")), "{before:?}");
    let line = lab.run().await;
    assert_eq!(
        (&line["outcome"], &line["run"], &line["rows"]),
        (&json!("idle"), &json!(null), &json!(0))
    );
    assert_eq!(files(&lab.lake(), |path| !path.starts_with("_state")), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn c01_a_cap_takes_its_share_run_by_run() {
    let mut lab = Lab::new().await;
    lab.set("limits", json!({ "records_per_run": 5 }));
    lab.topic("t", 1);
    lab.produce("t", 0, 15);
    for (run, left) in [(1, 10), (2, 5), (3, 0)] {
        let line = lab.run().await;
        assert_eq!((&line["run"], &line["rows"]), (&json!(run), &json!(5)), "{line}");
        assert_eq!(line["lag_after"]["records"], left, "{line}");
    }
    assert_eq!(lab.run().await["outcome"], "idle");
    assert_exactly_once(&rows(&lab.lake()), "t", 0, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn until_caught_up_goes_on_whatever_the_caps() {
    let mut lab = Lab::new().await;
    lab.set("limits", json!({ "records_per_partition": 20, "readers": 3 }));
    lab.topic("t", 2);
    lab.produce("t", 0, 45);
    lab.produce("t", 1, 10);
    let lines = lab.json(0, "run", &["--until-caught-up"]).await;
    let outcomes: Vec<_> = lines.iter().map(|line| line["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["committed", "committed", "committed", "idle"].map(Some));
    assert_eq!(lines[3]["lag_after"], json!({ "records": 0, "seconds": 0 }));
    let rows = rows(&lab.lake());
    assert_exactly_once(&rows, "t", 0, 45);
    assert_exactly_once(&rows, "t", 1, 10);
}

/// The keys of a line are those of the design, whatever the outcome.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_run_has_the_promised_keys() {
    let lab = Lab::new().await;
    lab.topic("t", 1);
    lab.produce("t", 0, 3);
    let (committed, idle) = (lab.run().await, lab.run().await);
    lab.json(0, "pause", &[]).await;
    let paused = lab.run().await;
    for (line, outcome) in [(&committed, "committed"), (&idle, "idle"), (&paused, "paused")] {
        let mut keys: Vec<_> = line.as_object().expect("an object").keys().collect();
        keys.sort();
        let promised = [
            "bytes_read",
            "bytes_written",
            "files",
            "lag_after",
            "lag_before",
            "losses",
            "outcome",
            "pipeline",
            "rows",
            "run",
            "seconds",
            "stopped",
        ];
        assert_eq!(keys, promised, "{outcome}");
        assert_eq!(line["outcome"], outcome);
        assert!(line["lag_before"]["seconds"].is_u64(), "{line}");
    }
    assert_eq!((&committed["files"], &committed["losses"]), (&json!(1), &json!([])));
    assert!(committed["bytes_written"].as_u64() > Some(100), "{committed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spec_may_come_from_standard_input() {
    let lab = Lab::new().await;
    lab.topic("t", 1);
    lab.produce("t", 0, 3);
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["run", "-", "--json"]);
    command.stdin(std::fs::File::open(lab.spec_path()).expect("the spec"));
    let ended = crate::support::Ended::of(command.output().await.expect("the built binary"));
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(ended.lines()[0]["rows"], 3);
}
