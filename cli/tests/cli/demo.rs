//! `tidegate demo`.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Command;

use crate::support::Ended;
use crate::support::lake::rows;

async fn demo(dir: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.arg("demo").args(arguments).current_dir(dir).kill_on_drop(true);
    Ended::of(command.output().await.expect("the built binary"))
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_follow_the_events() {
    for events in [1_000, 7_777] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let began = Instant::now();
        let ended = demo(dir.path(), &["--json", "--events", &events.to_string()]).await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        let lines = ended.lines();
        let produced = of_type(&lines, "produced")[0];
        assert_eq!(number(&produced["rides"]) + number(&produced["payments"]), events);
        assert!(number(&produced["aborted"]) > 0 && number(&produced["tombstones"]) > 0);
        let visible = events - number(&produced["aborted"]);
        let copied: u64 = of_type(&lines, "run").iter().map(|run| number(&run["rows"])).sum();
        let directories = of_type(&lines, "directory");
        let in_directories: u64 = directories.iter().map(|line| number(&line["rows"])).sum();
        let in_files: usize =
            rows(&dir.path().join("tidegate-demo/lake")).values().map(Vec::len).sum();
        assert_eq!((copied, in_directories), (visible, visible));
        assert_eq!(u64::try_from(in_files).expect("it fits"), visible);
        let verified = of_type(&lines, "verified")[0];
        assert_eq!((&verified["findings"], number(&verified["rows"])), (&Value::from(0), visible));
        let lags: Vec<_> = of_type(&lines, "status")
            .iter()
            .map(|status| number(&status["pipeline"]["lag"]["records"]))
            .collect();
        assert!(lags.is_sorted_by(|a, b| a >= b), "it catches up: {lags:?}");
        assert_eq!((lags[0], lags.last()), (events + number(&produced["markers"]), Some(&0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_open_and_then_rolled_forward() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let ended = demo(dir.path(), &["--json", "--events", "1000"]).await;
    let lines = ended.lines();
    let open: Vec<_> = of_type(&lines, "status")
        .iter()
        .map(|status| status["pipeline"]["open_run"]["run"].as_u64())
        .collect();
    assert_eq!(open, [None, None, Some(2), None, None]);
    let runs: Vec<_> = of_type(&lines, "run").iter().map(|run| run["run"].as_u64()).collect();
    assert_eq!(runs[..3], [Some(1), Some(2), Some(3)], "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_tells_where_to_look_and_a_former_demo_is_replaced() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for _ in 0..2 {
        let ended = demo(dir.path(), &["--events", "500", "--dir", "here"]).await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
        for word in ["kill -9", "lag", "duckdb", "here/lake", "0 findings", "null"] {
            assert!(ended.out.contains(word), "{word} is not in {}", ended.out);
        }
    }
    std::fs::remove_file(dir.path().join("here/.tidegate-demo")).expect("the marker");
    let ended = demo(dir.path(), &["--events", "500", "--dir", "here"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(dir.path().join("here/spec.json").is_file());
}
