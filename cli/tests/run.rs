//! `tidegate run` against a broker in this process.

mod support;

use serde_json::json;

use support::lake::{assert_exactly_once, rows};
use support::{Lab, files};

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
