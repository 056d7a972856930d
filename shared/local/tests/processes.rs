//! State and destination between processes, some of which are killed in the middle.
//!
//! The other processes are this test binary again, running the test [`child`] alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use tidegate_core::ports::{Clock, Created, ObjectStore, ReadRange, StateStore, Swapped, Upload};
use tidegate_core::time::Deadline;
use tidegate_core::words::{PipelineName, RandomId};
use tidegate_local::{DirectoryObjects, DirectoryState, SystemClock};

/// What the child is to do, where, and as who: words with a space between.
const ORDERS: &str = "TIDEGATE_TEST_CHILD";
/// In front of what a child says, to tell it from what the test harness says.
const SAID: &str = "@ ";

fn soon() -> Deadline {
    Deadline(SystemClock.now().after(Duration::from_secs(120)))
}

fn rides() -> PipelineName {
    PipelineName::try_from("rides".to_owned()).expect("a good name")
}

/// A process that is ended with the test, whatever becomes of it.
struct Other {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(role: &str, dir: &Path, who: usize) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this binary"))
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env(ORDERS, format!("{role} {who} {}", dir.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        Self { process, lines }
    }

    /// The next thing that it says; none when it has ended.
    fn says(&mut self) -> Option<String> {
        let said = |line: std::io::Result<String>| {
            let line = line.expect("text");
            // The harness does not end its own line before the test begins to speak.
            line.split_once(SAID).map(|(_, said)| said.to_owned())
        };
        self.lines.by_ref().find_map(said)
    }

    fn ends_well(mut self) -> Vec<String> {
        let said = std::iter::from_fn(|| self.says()).collect();
        assert!(self.process.wait().expect("it ended").success());
        said
    }

    /// Ends it as a power cut would, and answers what it had still said.
    fn kill(mut self) -> Vec<String> {
        self.process.kill().expect("it is ours");
        self.process.wait().expect("it was killed");
        std::iter::from_fn(|| self.says()).collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn say(what: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{SAID}{what}").and_then(|()| out.flush()).expect("the parent listens");
}

fn wait_to_be_killed() {
    let _ = std::io::stdin().read(&mut [0]);
}

#[tokio::test]
#[ignore = "it is the other process of the tests here"]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "the edge of this test binary")]
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let mut words = orders.splitn(3, ' ');
    let mut word = || words.next().expect("three words");
    let (role, who, dir) = (word(), word(), word());
    match role {
        "count" => count(dir, 50).await,
        "count-on" => count(dir, u64::MAX).await,
        "create" => create(dir, who).await,
        "upload-on" => upload_on(dir, who).await,
        "upload-half" => upload_half(dir).await,
        "hold" => hold(dir).await,
        other => unreachable!("no parent orders {other}"),
    }
}

/// Counts up in the head, and says each count that is its own.
async fn count(dir: &str, rounds: u64) {
    let store = DirectoryState::open(dir).expect("a directory");
    for _ in 0..rounds {
        let count = loop {
            let head = store.load_head(&rides(), soon()).await.expect("a disk");
            let version = head.as_ref().map(|head| head.version);
            let next = head.map_or(0, |head| count_of(&head.bytes)) + 1;
            let bytes = Bytes::from(format!("{next} {}", SystemClock.random_id()));
            let swapped = store.swap_head(&rides(), version, bytes, soon()).await;
            if swapped.expect("a disk") != Swapped::Conflict {
                break next;
            }
        };
        say(count);
    }
}

fn count_of(head: &Bytes) -> u64 {
    let head = String::from_utf8_lossy(head);
    head.split(' ').next().and_then(|count| count.parse().ok()).expect("a head that is whole")
}

async fn create(dir: &str, who: &str) {
    let store = DirectoryObjects::open(dir).expect("a directory");
    for number in 0..100 {
        let path = format!("t/{}/{number}", number % 5);
        let bytes = Bytes::from(who.repeat(10_000));
        if store.create(&path, bytes, &[], soon()).await.expect("a disk") == Created::Ours {
            say(&path);
        }
    }
}

/// Bytes of an object whose size and content say whether it is whole.
fn whole() -> Bytes {
    (0_u8..=255).cycle().take(1_500_000).collect::<Vec<u8>>().into()
}

async fn upload_on(dir: &str, who: &str) {
    let store = DirectoryObjects::open(dir).expect("a directory");
    for number in 0_u64.. {
        let path = format!("t/{who}-{number}");
        let mut upload = store.upload(&path, &[], soon()).await.expect("a disk");
        upload.write(whole(), soon()).await.expect("a disk");
        assert_eq!(upload.finish(soon()).await.expect("a disk"), Created::Ours);
        say(&path);
    }
}

async fn upload_half(dir: &str) {
    let store = DirectoryObjects::open(dir).expect("a directory");
    let mut upload = store.upload("t/x", &[], soon()).await.expect("a disk");
    upload.write(whole(), soon()).await.expect("a disk");
    say("half");
    wait_to_be_killed();
}

async fn hold(dir: &str) {
    let store = DirectoryState::open(dir).expect("a directory");
    let id = SystemClock.random_id();
    let _hold = store.hold(&rides(), id, soon()).await.expect("a lock");
    say(id);
    wait_to_be_killed();
}

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
    files
}

/// K01, K08
#[tokio::test]
async fn processes_lose_no_swap() {
    let dir = tempfile::tempdir().expect("a directory");
    let others: Vec<Other> = (0..4).map(|who| Other::start("count", dir.path(), who)).collect();
    let said: Vec<String> = others.into_iter().flat_map(Other::ends_well).collect();
    let counts: BTreeSet<u64> = said.iter().map(|count| count.parse().expect("a count")).collect();
    assert_eq!(counts, (1..=200).collect());
    let store = DirectoryState::open(dir.path()).expect("a directory");
    let head = store.load_head(&rides(), soon()).await.expect("a disk").expect("it was swapped");
    assert_eq!((head.version, count_of(&head.bytes)), (200, 200));
}

/// W16, K06
#[tokio::test]
async fn a_process_killed_in_a_swap_neither_loses_one_nor_stops_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut won = BTreeSet::new();
    let mut note = |count: String| {
        let count: u64 = count.parse().expect("a count");
        assert!(won.insert(count), "{count} was won twice");
    };
    for round in 0..6 {
        let mut victim = Other::start("count-on", dir.path(), 0);
        let mut other = Other::start("count-on", dir.path(), 1);
        for _ in 0..=round * 3 {
            note(victim.says().expect("it counts on"));
        }
        victim.kill().into_iter().for_each(&mut note);
        // It has said much that nobody listened to yet, until it meets one that is new.
        for _ in 0..20 {
            note(other.says().expect("it counts on"));
        }
        other.kill().into_iter().for_each(&mut note);
    }
    let store = DirectoryState::open(dir.path()).expect("a directory");
    let head = store.load_head(&rides(), soon()).await.expect("a disk").expect("it was swapped");
    assert_eq!(head.version, count_of(&head.bytes));
    // Who was killed may have won without having said so.
    assert!(Some(&head.version) >= won.last(), "{} was taken back", head.version);
    let chain: Vec<String> =
        files(dir.path()).into_iter().filter(|f| f.contains("head/")).collect();
    assert_eq!(files(dir.path()).len(), chain.len() + 1, "the chain and the lock: {chain:?}");
}

/// W05
#[tokio::test]
async fn of_many_processes_one_creates_an_object() {
    let dir = tempfile::tempdir().expect("a directory");
    let others: Vec<Other> = (0..4).map(|who| Other::start("create", dir.path(), who)).collect();
    let mut winners = BTreeMap::new();
    for (who, other) in others.into_iter().enumerate() {
        for path in other.ends_well() {
            assert_eq!(winners.insert(path, who), None);
        }
    }
    assert_eq!(winners.len(), 100);
    let store = DirectoryObjects::open(dir.path()).expect("a directory");
    for (path, who) in winners {
        let read = store.read(&path, ReadRange::All, soon()).await.expect("a disk");
        let content = read.map(|read| read.bytes);
        assert_eq!(content, Some(Bytes::from(who.to_string().repeat(10_000))), "{path}");
    }
    assert_eq!(files(dir.path()).len(), 100);
}

/// W16
#[tokio::test]
async fn a_process_killed_in_an_upload_leaves_whole_objects_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut said = Vec::new();
    for round in 0..5 {
        let mut victim = Other::start("upload-on", dir.path(), round);
        said.extend((0..=round).filter_map(|_| victim.says()));
        said.extend(victim.kill());
    }
    let found = files(dir.path());
    assert!(said.iter().all(|path| found.contains(path)), "{said:?} of {found:?}");
    for path in &found {
        let bytes = std::fs::read(dir.path().join(path)).expect("it stands");
        assert!(whole() == bytes, "{path} has {} bytes", bytes.len());
    }
}

/// W15, W17
#[tokio::test]
async fn an_upload_dies_with_its_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut victim = Other::start("upload-half", dir.path(), 0);
    assert_eq!(victim.says().as_deref(), Some("half"));
    let store = DirectoryObjects::open(dir.path()).expect("a directory");
    assert_eq!(store.list("", None, soon()).await.expect("a disk").objects, []);
    victim.kill();
    // Where the file system knows no files without a name, the next process sweeps.
    let store = DirectoryObjects::open(dir.path()).expect("a directory");
    assert_eq!(files(dir.path()), [""; 0]);
    let created = store.create("t/x", whole(), &[], soon()).await.expect("a disk");
    assert_eq!(created, Created::Ours);
}

/// K02
#[tokio::test]
async fn a_holder_dies_with_its_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = DirectoryState::open(dir.path()).expect("a directory");
    let mut victim = Other::start("hold", dir.path(), 0);
    let id = RandomId::try_from(victim.says().expect("it holds")).expect("an id");
    assert_eq!(store.holder_lives(&rides(), id, soon()).await.expect("a disk"), Some(true));
    victim.kill();
    assert_eq!(store.holder_lives(&rides(), id, soon()).await.expect("a disk"), Some(false));
}
