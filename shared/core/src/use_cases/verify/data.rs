//! The data files of one run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::try_join_all;

use super::{Verified, VerifyPorts};
use crate::documents::{Manifest, ManifestFile};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{FileReadBack, Joiner, ObjectStore, ReadBack, ReadRange, StateStore};
use crate::time::Deadline;
use crate::use_cases::SIDE_BY_SIDE;
use crate::use_cases::moving::read_footer_of;
use crate::verify::{BoundsOfRun, FileRows, Folders, RowsOfRun, check_data_file};

/// How much of a data file's tail is read at first: its footer and page indexes, mostly.
const TAIL_BYTES: u64 = 64 * 1024;
/// How many files are read whole at once.
const READ_SIDE_BY_SIDE: usize = 4;

/// What is known of the rows of a run, shared by all who look at its files.
struct Seen<'a> {
    bounds: Mutex<BoundsOfRun<'a>>,
    rows: Mutex<RowsOfRun>,
}

/// A run, and what its files are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    /// Its manifest's name.
    pub(super) path: &'a str,
    /// Its manifest.
    pub(super) manifest: &'a Manifest,
    /// Where its rows belong; none if its spec is known no more.
    pub(super) folders: Option<Folders<'a>>,
    /// Whether every row is read.
    pub(super) deep: bool,
}

/// Checks the data files of a run.
pub(super) async fn check_run<S: StateStore, O: ObjectStore, J: Joiner, R: ReadBack>(
    ports: &VerifyPorts<'_, S, O, J, R>,
    run: Run<'_>,
    done: &mut Verified,
    deadline: Deadline,
) -> Result<()> {
    let seen = Seen {
        bounds: Mutex::new(BoundsOfRun::default()),
        rows: Mutex::new(RowsOfRun::new(run.manifest)),
    };
    let numbered: Vec<(u32, &ManifestFile)> = (1..).zip(&run.manifest.files).collect();
    let at_once = if run.deep { READ_SIDE_BY_SIDE } else { SIDE_BY_SIDE };
    for some in numbered.chunks(at_once) {
        let seen = &seen;
        let looks = some.iter().map(|(number, file)| async move {
            let faults = check_file(ports, run, *number, file, seen, deadline).await;
            faults.map_err(|error| error.while_doing(format!("look at {}", file.path)))
        });
        for ((_, file), faults) in some.iter().zip(try_join_all(looks).await?) {
            done.wrong(&file.path, faults);
        }
    }
    done.wrong(run.path, lock(&seen.bounds).check_run(run.manifest));
    if run.deep {
        done.wrong(run.path, lock(&seen.rows).end(run.manifest));
    }
    Ok(())
}

/// Nobody panics while holding it; if somebody did, what is there is still what was counted.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is wrong with a file.
async fn check_file<'a, S, O: ObjectStore, J: Joiner, R: ReadBack>(
    ports: &VerifyPorts<'_, S, O, J, R>,
    run: Run<'a>,
    number: u32,
    file: &'a ManifestFile,
    seen: &Seen<'a>,
    deadline: Deadline,
) -> Result<Vec<String>> {
    let faults = match look_at(ports, run, number, file, seen, deadline).await {
        Err(error) if error.kind() == ErrorKind::Corrupt => vec![error.to_string()],
        looked => looked?,
    };
    if !faults.is_empty() {
        lock(&seen.bounds).skip();
        lock(&seen.rows).skip();
    }
    Ok(faults)
}

async fn look_at<'a, S, O: ObjectStore, J: Joiner, R: ReadBack>(
    ports: &VerifyPorts<'_, S, O, J, R>,
    run: Run<'a>,
    number: u32,
    file: &'a ManifestFile,
    seen: &Seen<'a>,
    deadline: Deadline,
) -> Result<Vec<String>> {
    let read = read_footer_of(ports.objects, ports.joiner, &file.path, TAIL_BYTES, deadline);
    let footer = read.await?;
    let faults = check_data_file(run.path, run.manifest, number, file, footer.as_ref());
    let Some(footer) = footer.filter(|_| faults.is_empty()) else { return Ok(faults) };
    let mut open = ports.reader.open(&footer)?;
    let faults = lock(&seen.bounds).check_file(file, open.bounds(), run.folders.as_ref());
    if !faults.is_empty() || !run.deep {
        return Ok(faults);
    }
    let mut rows = FileRows::new(file, run.folders);
    while let Some(range) = open.wanted() {
        let bytes = range.end - range.start;
        let read = ports.objects.read(&file.path, ReadRange::Bytes(range), deadline).await?;
        let read = read.filter(|read| u64::try_from(read.bytes.len()) == Ok(bytes));
        let read = read.ok_or_else(|| Error::corrupt("it changed while it was read"))?;
        open.accept(&read.bytes, &mut |run| rows.take(&mut lock(&seen.rows), run))?;
    }
    Ok(rows.end())
}
