//! Removing the documents of runs that are long over.

use std::io;
use std::path::{Path, PathBuf};

use tidegate_core::words::RunNumber;

use super::{Pipeline, documents};

/// A sweep is made with the plan of every so manieth run, and looks at that many of the oldest
/// runs times four: it catches up with whatever is written between two sweeps.
const EVERY: u64 = 64;
const LOOKED_AT: usize = 256;

/// Sweeps, if the plan of `run` is one to sweep with. What goes wrong is left to the next sweep:
/// the plan is written.
pub(super) fn with_plan_of(pipeline: &Pipeline, run: RunNumber) {
    if run.0.is_multiple_of(EVERY) {
        let _ = sweep(pipeline);
    }
}

/// Removes the oldest runs all of whose documents have expired.
pub(super) fn sweep(pipeline: &Pipeline) -> io::Result<()> {
    // Nobody writes meanwhile. If somebody does just now, the next sweep will do.
    let Some(_exclusive) = pipeline.try_lock_exclusive() else { return Ok(()) };
    let runs = pipeline.dir.join("run");
    let mut numbers: Vec<u64> = std::fs::read_dir(&runs)?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    for number in numbers.iter().take(LOOKED_AT) {
        let run = runs.join(number.to_string());
        for plan in std::fs::read_dir(&run)? {
            let plan = plan?.path();
            if all_expired(&plan)? {
                std::fs::remove_dir_all(&plan)?;
            }
        }
        // It stays as long as a plan is left in it.
        let _ = std::fs::remove_dir(&run);
    }
    Ok(())
}

/// Whether no document below `dir` lives.
fn all_expired(dir: &Path) -> io::Result<bool> {
    let mut dirs: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json")
                && !documents::expired(&path).unwrap_or(false)
            {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
