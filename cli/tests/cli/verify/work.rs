//! `verify` while a run is open, and while runs come and go.

use std::path::Path;

use serde_json::json;

use super::good::{Good, verified};
use crate::support::lake::data_files;
use crate::support::{Lab, files};

/// Takes the last swap of the head back: the commit of the last run.
fn undo_the_commit(lake: &Path) {
    let state = lake.join("_state");
    let heads = files(&state, |path| path.contains("head"));
    let last = heads.last().expect("a head");
    std::fs::remove_file(state.join(last)).expect("it stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_run_is_no_error_and_its_files_are_told_of() {
    let good = Good::new().await;
    undo_the_commit(&good.lab.lake());
    let open = good.verify(true).await;
    assert_eq!(open.findings, [], "the manifest stands, and the commit does not");
    assert_eq!((open.runs, open.open.map(|run| run.0)), (3, Some(4)), "{open:?}");
    let note = &open.notes[0];
    assert_eq!(note.at, "run 4");
    let of_run = |path: &&String| path.contains("/p-0000000004-");
    let published = data_files(&good.lab.lake()).iter().filter(of_run).count();
    let says = format!("its layout names {published} files, {published} of which stood");
    assert!(note.message.contains(&says), "{}", note.message);
    std::fs::remove_file(good.at("_runs/p/0000000004.json")).expect("it stands");
    assert_eq!(good.verify(false).await.findings, [], "no manifest yet");
    let data = data_files(&good.lab.lake());
    let some = data.iter().find(of_run).expect("a file");
    std::fs::remove_file(good.at(some)).expect("it stands");
    let open = good.verify(false).await;
    assert_eq!(open.findings, [], "not all files yet");
    let says = format!("{} of which stood", published - 1);
    assert!(open.notes[0].message.contains(&says), "{:?}", open.notes);
    let lines = good.lab.json(0, "verify", &[]).await;
    assert_eq!((&lines[0]["type"], &lines[1]["open"]), (&json!("note"), &json!(4)), "{lines:?}");
}

/// No false alarm, whatever stands at the moment of each look.
#[tokio::test(flavor = "multi_thread")]
async fn runs_that_come_and_go_meanwhile_are_no_findings() {
    let mut lab = Lab::new().await;
    lab.set("limits", json!({ "records_per_run": 10 }));
    lab.topic("t", 3);
    for partition in 0..3 {
        lab.produce("t", partition, 100);
    }
    lab.json(0, "run", &[]).await;
    let mut run = lab.start("run", &["--until-caught-up"]);
    let (mut looks, mut seen) = (0, 0);
    while run.try_wait().expect("a child").is_none() {
        let found = verified(&lab, looks % 2 == 0).await;
        assert_eq!(found.findings, []);
        assert!(found.runs >= seen, "{found:?}");
        (looks, seen) = (looks + 1, found.runs);
    }
    assert!(looks > 3, "only {looks} looks");
    let found = verified(&lab, true).await;
    assert_eq!((found.findings, found.rows), (Vec::new(), 300));
}
