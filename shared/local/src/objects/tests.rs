use std::time::Duration;

use tidegate_core::ErrorKind;
use tidegate_core::ports::{Clock, Upload};
use tidegate_sim::contract;

use super::*;
use crate::SystemClock;

fn soon() -> Deadline {
    Deadline(SystemClock.now().after(Duration::from_secs(60)))
}

/// The files below `dir`, with everything hidden.
fn files(dir: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in std::fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let path = path.strip_prefix(dir).expect("below it");
                files.push(path.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    files
}

async fn put(store: &DirectoryObjects, path: &str) {
    let bytes = Bytes::from(path.to_owned());
    let created = store.create(path, bytes, &[], soon()).await.expect("a free disk");
    assert_eq!(created, Created::Ours, "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = DirectoryObjects::open(dir.path().join("not/there/yet")).expect("a directory");
    contract::object_store(&store, &SystemClock).await.expect("the contract of an ObjectStore");
}

/// On a file system without O_TMPFILE.
#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_with_files_that_must_have_names() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = DirectoryObjects::open_with(dir.path(), false).expect("a directory");
    contract::object_store(&store, &SystemClock).await.expect("the contract of an ObjectStore");
    assert_eq!(files(&dir.path().join(TEMPORARY)), [""; 0]);
}

#[test]
fn the_clock_keeps_its_contract() {
    contract::clock(&SystemClock).expect("the contract of a Clock");
}

#[tokio::test]
async fn a_file_in_the_making_is_nowhere_or_in_staging() {
    for (anonymous, made) in [(true, 0), (false, 1)] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = DirectoryObjects::open_with(dir.path(), anonymous).expect("a directory");
        put(&store, "t/1").await;
        let mut upload = store.upload("t/2", &[], soon()).await.expect("a free disk");
        upload.write(vec![1; 3 * GIVEN].into(), soon()).await.expect("a free disk");
        assert_eq!(upload.held_bytes(), 0);
        let found = files(dir.path());
        assert_eq!(found.len(), 1 + made, "{found:?}");
        assert!(found.iter().all(|path| path == "t/1" || path.starts_with("_staging/.tmp/")));
        let page = store.list("", None, soon()).await.expect("a directory");
        assert_eq!(page.objects.len(), 1, "{page:?}");
        drop(upload);
        assert_eq!(files(dir.path()), ["t/1"]);
    }
}

const GIVEN: usize = 1024 * 1024;

#[tokio::test]
async fn what_a_dead_process_left_is_removed_by_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let living = DirectoryObjects::open_with(dir.path(), false).expect("a directory");
    let upload = living.upload("t/x", &[], soon()).await.expect("a free disk");
    std::fs::write(dir.path().join("_staging/.tmp/dead.tmp"), "half").expect("a free disk");
    assert_eq!(files(dir.path()).len(), 2);
    let _next = DirectoryObjects::open(dir.path()).expect("a directory");
    assert_eq!(files(dir.path()).len(), 1);
    assert_eq!(upload.finish(soon()).await.expect("it lives"), Created::Ours);
    assert_eq!(files(dir.path()), ["t/x"]);
}

#[tokio::test]
async fn emptied_directories_go_in_staging_and_stay_elsewhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = DirectoryObjects::open(dir.path()).expect("a directory");
    let paths = ["_staging/p/1/x", "_staging/p/1/y", "_staging/p/2/x", "t/dt=1/x"];
    for path in paths {
        put(&store, path).await;
    }
    let delete = async |paths: &[&str]| {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        store.delete(&paths, soon()).await.expect("a directory");
    };
    let there = |path: &str| dir.path().join(path).exists();
    delete(&["_staging/p/1/x", "t/dt=1/x"]).await;
    assert!(there("_staging/p/1") && there("t/dt=1"));
    delete(&["_staging/p/1/y"]).await;
    assert!(!there("_staging/p/1") && there("_staging/p/2"));
    delete(&["_staging/p/2/x"]).await;
    assert!(there("_staging") && !there("_staging/p"));
    put(&store, "_staging/p/2/x").await;
}

#[tokio::test]
async fn a_listing_is_cut_into_pages_of_a_thousand() {
    let dir = tempfile::tempdir().expect("a directory");
    for number in 0..2 * list::PAGE {
        std::fs::create_dir_all(dir.path().join(format!("t/{}", number % 7))).expect("a disk");
        std::fs::write(dir.path().join(format!("t/{}/{number}", number % 7)), "").expect("a disk");
    }
    let store = DirectoryObjects::open(dir.path()).expect("a directory");
    let first = store.list("t/", None, soon()).await.expect("a page");
    assert_eq!((first.objects.len(), first.next.is_some()), (list::PAGE, true));
    let second = store.list("t/", first.next.as_deref(), soon()).await.expect("a page");
    assert_eq!((second.objects.len(), second.next), (list::PAGE, None));
}

#[tokio::test]
async fn what_cannot_be_is_said_so() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("file"), "x").expect("a free disk");
    let error = DirectoryObjects::open(dir.path().join("file")).expect_err("a file");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let store = DirectoryObjects::open(dir.path()).expect("a directory");
    // A file where a directory must be, a directory where a file must be, a name too long.
    std::fs::create_dir(dir.path().join("dir")).expect("a free disk");
    for path in ["file/x", "dir", &"x".repeat(300)] {
        let error = store.create(path, Bytes::new(), &[], soon()).await.expect_err(path);
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.message().contains(path), "{error}");
    }
}

#[tokio::test]
async fn an_upload_that_failed_once_is_never_finished() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = DirectoryObjects::open(dir.path()).expect("a directory");
    put(&store, "source").await;
    let mut upload = store.upload("x", &[], soon()).await.expect("a free disk");
    upload.copy("source", 0..100, soon()).await.expect_err("it is shorter");
    upload.write(Bytes::from_static(b"more"), soon()).await.expect_err("it failed before");
    upload.finish(soon()).await.expect_err("it failed before");
    assert_eq!(files(dir.path()), ["source"]);
}
