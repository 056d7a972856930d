//! Objects deleted, cut, emptied, swapped, doubled and altered.

use super::good::Good;
use crate::support::lake::data_files;

/// One object of each kind: the data file of a hot partition, one of several, one without times;
/// the first, a middle and the last layout and manifest.
fn one_of_each(good: &Good) -> Vec<String> {
    let data = data_files(&good.lab.lake());
    let some = |part: &str| data.iter().find(|path| path.contains(part)).cloned().expect(part);
    let mut paths = vec![
        some("t.hot/dt=2026-11-25/hr=01/"),
        some("t.small/dt=2026-11-25/hr=00/p-0000000001"),
        some("__HIVE_DEFAULT_PARTITION__"),
    ];
    let records = good.records();
    assert_eq!(records.len(), 8, "{records:?}");
    paths.extend(records);
    paths
}

async fn named(good: &Good, path: &str, bytes: Option<&[u8]>, what: &str) {
    let found = good.with(path, bytes, false).await;
    let is_named = found.findings.iter().any(|f| f.at == path || f.message.contains(path));
    assert!(is_named, "{path} {what}: {:?}", found.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_cut_emptied_or_longer_is_named() {
    let good = Good::new().await;
    for path in one_of_each(&good) {
        let bytes = std::fs::read(good.at(&path)).expect("it stands");
        named(&good, &path, None, "deleted").await;
        named(&good, &path, Some(b""), "emptied").await;
        for bytes_left in [1, bytes.len() / 2, bytes.len() - 9, bytes.len() - 1] {
            named(&good, &path, Some(&bytes[..bytes_left]), "cut").await;
        }
        named(&good, &path, Some(&[&bytes[..], b"x"].concat()), "longer").await;
        named(&good, &path, Some(b"{\"format\":2}"), "of a newer format").await;
    }
    assert_eq!(good.verify(true).await.findings, [], "all was put back");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_changed_places_are_both_named() {
    let good = Good::new().await;
    let paths = one_of_each(&good);
    for (at, a) in paths.iter().enumerate() {
        for b in &paths[at + 1..] {
            let (file_a, file_b) = (good.at(a), good.at(b));
            let [bytes_a, bytes_b] = [&file_a, &file_b].map(|f| std::fs::read(f).expect("stands"));
            let swap = |first: &[u8], second: &[u8]| {
                std::fs::write(&file_a, first).expect("written");
                std::fs::write(&file_b, second).expect("written");
            };
            swap(&bytes_b, &bytes_a);
            let found = good.verify(false).await.findings;
            swap(&bytes_a, &bytes_b);
            for path in [a, b] {
                let named = found.iter().any(|f| f.at == *path || f.message.contains(path));
                assert!(named, "{a} for {b}: {found:?}");
            }
        }
    }
    assert_eq!(good.verify(true).await.findings, [], "all was put back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_named_whatever_it_is_called() {
    let good = Good::new().await;
    let data = data_files(&good.lab.lake());
    let path = data.iter().find(|path| path.contains("-0000000001-1.parquet")).expect("run 1");
    let bytes = std::fs::read(good.at(path)).expect("it stands");
    let folder = path.rsplit_once('/').expect("a folder").0;
    for copy in [
        format!("{folder}/p-0000000001-77.parquet"),
        format!("{folder}/p-0000000003-1.parquet"),
        format!("{folder}/p-0000009999-1.parquet"),
        format!("{folder}/other-0000000001-1.parquet"),
        format!("{folder}/copy.parquet"),
        format!("t.hot/{}", path.rsplit('/').next().expect("a name")),
        "t.small/dt=2020-01-01/hr=00/p-0000000001-1.parquet".to_owned(),
        "elsewhere/p-0000000001-1.parquet".to_owned(),
    ] {
        named(&good, &copy, Some(&bytes), "copied").await;
    }
    named(&good, &format!("{folder}/notes.txt"), Some(b"what is this?"), "put there").await;
    for copy in ["0000000003.json", "0000000099.json", "0000000000.json", "copy.json"] {
        let manifest = std::fs::read(good.at("_runs/p/0000000002.json")).expect("it stands");
        named(&good, &format!("_runs/p/{copy}"), Some(&manifest), "copied").await;
    }
    for copy in ["0000000003.next.json", "0000000005.next.json", "0000000099.next.json"] {
        let layout = std::fs::read(good.at("_runs/p/0000000001.next.json")).expect("it stands");
        named(&good, &format!("_runs/p/{copy}"), Some(&layout), "copied").await;
    }
    assert_eq!(good.verify(true).await.findings, [], "all was put back");
}

/// Another pipeline's files in the same table, and what query engines pass over, are none of ours.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_keep_in_the_table_is_no_finding() {
    let mut good = Good::new().await;
    let folder = "t.hot/dt=2026-11-25/hr=00";
    for name in ["_SUCCESS", ".part.crc", "q-0000000001-1.parquet"] {
        let found = good.with(&format!("{folder}/{name}"), Some(b"theirs"), true).await;
        assert_eq!(found.findings, [], "{name}");
    }
    good.lab.set("pipeline", serde_json::json!("other"));
    good.lab.json(0, "run", &["--until-caught-up"]).await;
    assert!(data_files(&good.lab.lake()).iter().any(|path| path.contains("/other-")));
    good.lab.set("pipeline", serde_json::json!("p"));
    assert_eq!(good.verify(true).await.findings, []);
}

/// What is left in `_staging` by closed runs does no harm.
#[tokio::test(flavor = "multi_thread")]
async fn staged_files_of_closed_runs_are_a_note() {
    let good = Good::new().await;
    let left = "_staging/p/0000000002/0-1-000000000000000000000000000000ab-0.staged";
    let found = good.with(left, Some(b"left"), false).await;
    assert_eq!(found.findings, []);
    assert!(found.notes[0].message.starts_with("1 staged file of closed runs"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_named_by_a_deep_look() {
    let good = Good::new().await;
    let data = data_files(&good.lab.lake());
    for path in [&data[0], data.last().expect("files")] {
        let bytes = std::fs::read(good.at(path)).expect("it stands");
        // `shared/parquet` tries each byte of a file, with its footer.
        let footer = u32::from_le_bytes(*bytes[..bytes.len() - 4].last_chunk().expect("a footer"));
        let pages = bytes.len() - 8 - usize::try_from(footer).expect("small");
        for at in (0..pages).step_by(pages / 40) {
            let mut altered = bytes.clone();
            altered[at] ^= 0x10;
            let found = good.with(path, Some(&altered), true).await;
            let named = found.findings.iter().any(|finding| finding.at == *path);
            assert!(named, "{path}: byte {at} of {pages}: {:?}", found.findings);
        }
    }
}
