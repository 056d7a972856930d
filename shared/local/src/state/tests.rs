use std::time::Duration;

use tidegate_core::ErrorKind;
use tidegate_core::ports::Clock;
use tidegate_sim::contract;

use super::*;
use crate::SystemClock;

fn soon() -> Deadline {
    Deadline(SystemClock.now().after(Duration::from_secs(60)))
}

fn rides() -> PipelineName {
    PipelineName::try_from("rides".to_owned()).expect("a good name")
}

fn store() -> (tempfile::TempDir, DirectoryState) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = DirectoryState::open(dir.path().join("state")).expect("nothing is touched yet");
    (dir, store)
}

fn names(dir: PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let (_dir, store) = store();
    contract::state_store(&store, &SystemClock).await.expect("the contract of a StateStore");
}

#[tokio::test]
async fn looking_makes_nothing() {
    let (dir, store) = store();
    let document = Document::Plan(RunNumber(1), RandomId(1));
    assert_eq!(store.load_head(&rides(), soon()).await.expect("no head"), None);
    assert_eq!(store.load(&rides(), document, soon()).await.expect("no plan"), None);
    assert!(store.holder_lives(&rides(), RandomId(1), soon()).await.expect("known") == Some(false));
    assert!(names(dir.path().to_owned()).is_empty());
}

#[tokio::test]
async fn a_swap_that_is_made_again_after_its_answer_was_lost_is_ours() {
    let (_dir, store) = store();
    let (one, other) = (Bytes::from_static(b"one"), Bytes::from_static(b"other"));
    for _ in 0..2 {
        let swapped = store.swap_head(&rides(), None, one.clone(), soon()).await.expect("a swap");
        assert_eq!(swapped, Swapped::Ours { version: 1 });
    }
    let swapped = store.swap_head(&rides(), None, other, soon()).await.expect("a swap");
    assert_eq!(swapped, Swapped::Conflict);
}

#[tokio::test]
async fn old_heads_are_removed_and_the_last_few_kept() {
    let (dir, store) = store();
    for version in 0..100_u64 {
        let expected = (version > 0).then_some(version);
        let bytes = Bytes::from(version.to_string());
        let swapped = store.swap_head(&rides(), expected, bytes, soon()).await.expect("a swap");
        assert_eq!(swapped, Swapped::Ours { version: version + 1 });
    }
    let left = names(dir.path().join("state/rides/head"));
    assert!((16..=33).contains(&left.len()), "{left:?}");
    assert_eq!(left.last().map(String::as_str), Some("00000000000000000100.json"));
}

/// While somebody lists or swaps, nothing is removed.
#[tokio::test]
async fn no_head_is_removed_under_a_shared_lock() {
    let (dir, store) = store();
    let swap = async |version: u64| {
        let expected = (version > 1).then(|| version - 1);
        let bytes = Bytes::from(version.to_string());
        let swapped = store.swap_head(&rides(), expected, bytes, soon()).await.expect("a swap");
        assert_eq!(swapped, Swapped::Ours { version });
    };
    swap(1).await;
    let listing = store.pipeline(&rides()).lock_to_read(soon()).expect("a lock");
    for version in 2..=60 {
        swap(version).await;
    }
    assert_eq!(names(dir.path().join("state/rides/head")).len(), 60);
    drop(listing);
    swap(61).await;
    assert_eq!(names(dir.path().join("state/rides/head")).len(), 16);
}

#[tokio::test]
async fn a_lock_that_never_comes_ends_at_the_deadline() {
    let (_dir, store) = store();
    let _stopped = store.pipeline(&rides()).lock_exclusive(soon()).expect("a lock");
    let deadline = Deadline(SystemClock.now().after(Duration::from_millis(50)));
    let error = store.load_head(&rides(), deadline).await.expect_err("it is locked");
    assert_eq!(error.kind(), ErrorKind::OutOfTime, "{error}");
}

#[tokio::test]
async fn a_damaged_document_is_corrupt_and_named() {
    let (dir, store) = store();
    let document = Document::Checkpoint(RunNumber(3), RandomId(7));
    let bytes = Bytes::from_static(b"{}");
    store.write(&rides(), document, bytes, None, soon()).await.expect("a free disk");
    let path = dir.path().join(format!("state/rides/run/3/{}/checkpoint.json", RandomId(7)));
    let whole = std::fs::read_to_string(&path).expect("it stands");
    assert_eq!(whole, "{\"format\":1,\"expires\":null}\n{}");
    std::fs::write(&path, "{}").expect("a free disk");
    let error = store.load(&rides(), document, soon()).await.expect_err("damaged");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains("run/3/"), "{error}");
}

#[tokio::test]
async fn a_sweep_removes_the_runs_all_of_whose_documents_have_expired() {
    let (dir, store) = store();
    let past = Some(Millis(1));
    let future = Some(SystemClock.now().after(Duration::from_secs(3600)));
    // Run, expiry of the plan, expiry of the checkpoint.
    let runs = [(1, past, past), (2, past, None), (3, past, future), (10, past, past)];
    for (run, plan_expires, checkpoint_expires) in runs {
        let (run, plan) = (RunNumber(run), RandomId(7));
        let mark = Mark::Done { task: 0 };
        store.mark(&rides(), run, plan, mark, 1, soon()).await.expect("a free disk");
        for (document, expires) in [
            (Document::Plan(run, plan), plan_expires),
            (Document::Task(run, plan, 0), plan_expires),
            (Document::Checkpoint(run, plan), checkpoint_expires),
        ] {
            let bytes = Bytes::from_static(b"{}");
            store.write(&rides(), document, bytes, expires, soon()).await.expect("a free disk");
        }
    }
    let runs = || names(dir.path().join("state/rides/run"));
    let plan_of = |run| Document::Plan(RunNumber(run), RandomId(8));
    let write = async |run| {
        let bytes = Bytes::from_static(b"{}");
        store.write(&rides(), plan_of(run), bytes, future, soon()).await.expect("a free disk");
    };
    write(63).await;
    assert_eq!(runs(), ["1", "10", "2", "3", "63"]);
    write(64).await;
    assert_eq!(runs(), ["2", "3", "63", "64"]);
    let checkpoint = Document::Checkpoint(RunNumber(2), RandomId(7));
    store.expire(&rides(), checkpoint, Millis(1), soon()).await.expect("a free disk");
    write(128).await;
    assert_eq!(runs(), ["128", "3", "63", "64"]);
}

#[tokio::test]
async fn files_of_dead_holders_are_removed_by_the_next() {
    let (dir, store) = store();
    let living = store.hold(&rides(), RandomId(1), soon()).await.expect("a lock");
    let holders = dir.path().join("state/rides/holders");
    std::fs::write(holders.join(format!("{}.lock", RandomId(2))), "").expect("a free disk");
    assert_eq!(
        store.holder_lives(&rides(), RandomId(2), soon()).await.expect("known"),
        Some(false)
    );
    let next = store.hold(&rides(), RandomId(3), soon()).await.expect("a lock");
    let file = |id| format!("{}.lock", RandomId(id));
    assert_eq!(names(holders.clone()), [file(1), file(3)]);
    let error = store.hold(&rides(), RandomId(3), soon()).await.expect_err("it lives");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    drop((living, next));
    assert!(names(holders).is_empty());
}

#[tokio::test]
async fn a_file_where_the_state_should_be_is_said_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("state");
    std::fs::write(&file, "a file").expect("a free disk");
    let store = DirectoryState::open(&file).expect("nothing is touched yet");
    let bytes = Bytes::from_static(b"{}");
    let error = store.swap_head(&rides(), None, bytes, soon()).await.expect_err("no directory");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.message().contains(&*file.to_string_lossy()), "{error}");
}
