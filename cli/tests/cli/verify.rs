//! `verify`: a good destination has no findings, and each damage to it is named.

mod fields;
mod good;
mod objects;
mod work;

use serde_json::json;

use self::good::Good;
use crate::support::Lab;
use crate::support::lake::data_files;

#[tokio::test(flavor = "multi_thread")]
async fn a_good_destination_is_whole_and_says_what_was_looked_at() {
    let good = Good::new().await;
    let rows = good.lab.json(0, "verify", &["--deep"]).await;
    let done = rows.last().expect("a summary");
    assert_eq!((&done["whole"], &done["findings"]), (&json!(true), &json!(0)), "{rows:?}");
    assert_eq!((&done["manifests"], &done["partitions"]), (&json!(4), &json!(5)), "{done}");
    assert_eq!(done["rows"], good.rows(), "{done}");
    assert_eq!(done["files"], data_files(&good.lab.lake()).len(), "{done}");
    let text = good.lab.call("verify", &[]).await.out;
    assert!(text.starts_with("p is whole: 4 runs and "), "{text}");
    assert!(text.contains(" of 5 partitions; ") && text.contains(" data files ("), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_names_what_is_wrong_and_fails() {
    let good = Good::new().await;
    let path = &data_files(&good.lab.lake())[0];
    std::fs::remove_file(good.lab.lake().join(path)).expect("it stands");
    let ended = good.lab.call("verify", &[]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.out.contains(&format!("{path}: it is gone")), "{}", ended.out);
    assert!(ended.out.contains("p is NOT whole, with 1 finding: 4 runs"), "{}", ended.out);
    let lines = good.lab.json(1, "verify", &[]).await;
    assert_eq!((&lines[0]["type"], &lines[0]["at"]), (&json!("finding"), &json!(path)));
    assert_eq!((&lines[1]["whole"], lines.len()), (&json!(false), 2), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_since_a_run_passes_over_what_is_before_it() {
    let mut lab = Lab::new().await;
    lab.set("limits", json!({ "records_per_run": 10 }));
    lab.topic("t", 1);
    lab.produce("t", 0, 30);
    lab.json(0, "run", &["--until-caught-up"]).await;
    let data = data_files(&lab.lake());
    let lines = lab.json(0, "verify", &["--since", "2"]).await;
    assert_eq!((&lines[0]["manifests"], &lines[0]["rows"]), (&json!(2), &json!(20)));
    assert!(
        lab.call("verify", &["--since", "2"]).await.out.contains("whole from run 2 on: 2 runs")
    );
    for before in [data[0].as_str(), "_runs/p/0000000001.json", "_runs/p/0000000000.next.json"] {
        std::fs::remove_file(lab.lake().join(before)).expect("it stands");
        assert_eq!(lab.call("verify", &[]).await.code, Some(1), "{before}");
        let ended = lab.call("verify", &["--since", "2", "--deep"]).await;
        assert_eq!(ended.code, Some(0), "{before}: {}", ended.out);
    }
    std::fs::remove_file(lab.lake().join(&data[1])).expect("it stands");
    assert!(lab.call("verify", &["--since", "2"]).await.out.contains(&data[1]));
    let ended = lab.call("verify", &["--since", "3"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    let ended = lab.call("verify", &["--since", "9"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.out);
}
