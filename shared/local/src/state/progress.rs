//! A run's hints: empty files, whose names say it all. Not fsynced, since nothing relies on them.

use std::fs::OpenOptions;
use std::io;

use serde::Deserialize;
use serde::de::value::{self, StrDeserializer};
use tidegate_core::ports::{Mark, Marks};
use tidegate_core::words::{RandomId, RunNumber};
use tidegate_core::{ErrorKind, Result};

use super::Pipeline;
use crate::failure::failed;

/// Leaves a hint, once or more than once.
pub(super) fn mark(pipeline: &Pipeline, run: RunNumber, plan: RandomId, mark: Mark) -> Result<()> {
    let dir = pipeline.plan_dir(run, plan).join("progress");
    pipeline.tree.make_dir(&dir)?;
    let path = dir.join(name_of(mark));
    let made = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    made.map(drop).map_err(|error| failed("mark", &path, error))
}

/// All hints of a run.
pub(super) fn load(pipeline: &Pipeline, run: RunNumber, plan: RandomId) -> Result<Marks> {
    let dir = pipeline.plan_dir(run, plan).join("progress");
    let broken = |error| failed("list", &dir, error);
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Marks::default()),
        Err(error) => return Err(broken(error)),
    };
    let mut marks = Marks::default();
    for entry in entries {
        let name = entry.map_err(broken)?.file_name();
        marks.marks.extend(mark_of(&name.to_string_lossy()));
    }
    Ok(marks)
}

fn name_of(mark: Mark) -> String {
    match mark {
        Mark::Done { task } => format!("done.{task}"),
        Mark::Begun { task, attempt } => format!("begun.{task}.{attempt}"),
        Mark::Failed { task, attempt, kind } => format!("failed.{task}.{attempt}.{kind}"),
    }
}

/// None for a name that is no hint's: it is a hint, and may be of a newer version.
fn mark_of(name: &str) -> Option<Mark> {
    let mut words = name.split('.');
    let mark = match words.next()? {
        "done" => Mark::Done { task: words.next()?.parse().ok()? },
        "begun" => {
            Mark::Begun { task: words.next()?.parse().ok()?, attempt: words.next()?.parse().ok()? }
        }
        "failed" => Mark::Failed {
            task: words.next()?.parse().ok()?,
            attempt: words.next()?.parse().ok()?,
            kind: ErrorKind::deserialize(StrDeserializer::<value::Error>::new(words.next()?))
                .ok()?,
        },
        _ => return None,
    };
    words.next().is_none().then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_it_all() {
        let failed = Mark::Failed { task: u32::MAX, attempt: 2, kind: ErrorKind::OutOfTime };
        assert_eq!(name_of(failed), "failed.4294967295.2.out_of_time");
        for mark in [Mark::Done { task: 7 }, Mark::Begun { task: 7, attempt: 3 }, failed] {
            assert_eq!(mark_of(&name_of(mark)), Some(mark));
        }
        for other in
            ["", "done", "done.x", "done.1.2", "begun.1", "failed.1.2", "failed.1.2.x", "go.1"]
        {
            assert_eq!(mark_of(other), None, "{other}");
        }
    }
}
