//! What cannot be honoured is refused with exit code 2, before anything is touched.

use serde_json::{Value, json};

use crate::support::Lab;

/// C10, T05, T07, R10, R11: each bad spec names its field and what is allowed.
#[tokio::test(flavor = "multi_thread")]
async fn bad_specs_are_refused() {
    let table: Value = serde_json::from_str(include_str!("../../../tests/data/bad_specs.json"))
        .expect("the table is JSON");
    let table = table.as_array().expect("the table is a list");
    assert!(table.len() >= 20);
    let lab = Lab::new().await;
    for case in table {
        let text = case["spec"].as_str().map_or_else(|| case["spec"].to_string(), str::to_owned);
        std::fs::write(lab.spec_path(), text).expect("a writable directory");
        let ended = lab.call("run", &["--state", "must-not-be-made"]).await;
        assert_eq!(ended.code, Some(2), "{}: {}", case["name"], ended.err);
        for part in ["field", "contains"] {
            let part = case[part].as_str().expect("a text");
            assert!(ended.err.contains(part), "{}: {part} is not in {}", case["name"], ended.err);
        }
    }
    assert!(!std::path::Path::new("must-not-be-made").exists());
    assert!(!lab.lake().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_reads_the_spec_the_same_way() {
    let lab = Lab::new().await;
    std::fs::write(lab.spec_path(), r#"{"pipeline": "p"}"#).expect("a writable directory");
    for verb in ["run", "plan", "status", "verify", "pause", "resume"] {
        let ended = lab.call(verb, &["--json"]).await;
        assert_eq!(ended.code, Some(2), "{verb}: {}", ended.err);
        assert!(ended.err.contains("kafka: this field is required"), "{verb}: {}", ended.err);
        assert!(ended.out.is_empty(), "{verb}: {}", ended.out);
    }
    std::fs::remove_file(lab.spec_path()).expect("it was written");
    let ended = lab.call("run", &[]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("spec.json"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_no_directory_is_refused() {
    let lab = Lab::new().await;
    for (state, word) in [
        ("dynamodb://", "cannot be a DynamoDB table"),
        ("s3://bucket", "no place for the state"),
        ("file://relative", "absolute"),
        ("", "no place for the state"),
    ] {
        let ended = lab.call("run", &["--state", state]).await;
        assert_eq!(ended.code, Some(2), "{state}: {}", ended.err);
        assert!(ended.err.contains(word), "{state}: {}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_errors_say_what_is_right() {
    let lab = Lab::new().await;
    let ended = lab.call("nonsense", &[]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.to_lowercase().contains("usage"), "{}", ended.err);
    let ended = lab.call("run", &["--nonsense"]).await;
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.to_lowercase().contains("usage"), "{}", ended.err);
}

/// P12: what only Kafka can tell of a spec is its fault, too; a file in the way is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_spec_s_fault_is_told_from_that_of_the_machine() {
    let mut lab = Lab::new().await;
    lab.topic("t", 1);
    lab.produce("t", 0, 5);
    lab.set("start", json!({ "t": { "0": 6 } }));
    let ended = lab.call("run", &[]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("start.t.0"), "{}", ended.err);
    lab.set("start", json!("earliest"));
    std::fs::remove_dir_all(lab.lake()).expect("its state");
    std::fs::write(lab.lake(), "a file").expect("a writable directory");
    let ended = lab.call("run", &[]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("lake"), "{}", ended.err);
    std::fs::remove_file(lab.lake()).expect("it was written");
    assert_eq!(lab.run().await["rows"], 5);
    let elsewhere = format!("file://{}", lab.dir.path().join("elsewhere").display());
    lab.set("destination", json!(elsewhere));
    let state = lab.lake().join("_state");
    let state = state.to_str().expect("UTF-8");
    for verb in ["run", "plan", "status"] {
        let ended = lab.call(verb, &["--state", state]).await;
        assert_eq!(ended.code, Some(2), "{verb}: {}", ended.err);
        assert!(ended.err.contains("destination"), "{verb}: {}", ended.err);
    }
}
