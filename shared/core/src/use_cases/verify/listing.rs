//! What stands below the destination, by name.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::{Verified, VerifyPorts, VerifyScope};
use crate::documents::Head;
use crate::error::{Context, ErrorKind, Result};
use crate::names;
use crate::ports::{Joiner, ObjectInfo, ObjectStore};
use crate::time::Deadline;
use crate::use_cases::SIDE_BY_SIDE;
use crate::use_cases::moving::read_footer;
use crate::verify::{Finding, Stranger, Tables, judge_stranger};
use crate::words::{PipelineName, RunNumber, plural};

/// What was listed.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Objects that have the name of one of the pipeline's data files, with their sizes.
    ours: BTreeMap<String, (RunNumber, u64)>,
    /// Objects in the tables' folders that have none.
    others: Vec<String>,
    /// The pipeline's staged files: how many of each run; none: not a staged file's name.
    staged: BTreeMap<Option<RunNumber>, u64>,
}

impl Listing {
    /// Lists the destination.
    pub(super) async fn of(
        objects: &impl ObjectStore,
        head: &Head,
        tables: &Tables,
        deadline: Deadline,
    ) -> Result<Self> {
        let mut listing = Self::default();
        let pipeline = &head.pipeline;
        let staging = names::staging_prefix(pipeline);
        each(objects, "", deadline, |object| {
            if object.path.starts_with(&staging) {
                let run = names::StagedFile::parse(&object.path).map(|name| name.run);
                *listing.staged.entry(run).or_default() += 1;
                return;
            }
            match names::DataFile::parse(&object.path) {
                Some(name) if name.pipeline == *pipeline => {
                    listing.ours.insert(object.path, (name.run, object.bytes));
                }
                Some(_) | None if tables.hold(&object.path) => listing.others.push(object.path),
                Some(_) | None => {}
            }
        })
        .await?;
        Ok(listing)
    }

    /// The size of a data file as it was listed.
    pub(super) fn bytes(&self, path: &str) -> u64 {
        self.ours.get(path).map_or(0, |(_, bytes)| *bytes)
    }

    /// How many of these paths were listed.
    pub(super) fn standing<'a>(&self, paths: impl Iterator<Item = &'a String>) -> u64 {
        let standing = paths.filter(|path| self.ours.contains_key(*path)).count();
        u64::try_from(standing).unwrap_or(u64::MAX)
    }

    /// Files that have a name of ours, and that no manifest names, nor the layout of an open run.
    pub(super) fn check_ours(
        &self,
        named: &BTreeSet<String>,
        scope: VerifyScope,
        done: &mut Verified,
    ) {
        for (path, (run, _)) in &self.ours {
            if *run >= scope.since && !named.contains(path) {
                let message = format!(
                    "it has the name of a data file of run {run}, and no manifest names it"
                );
                done.findings.push(Finding::new(path, message));
            }
        }
    }

    /// Staged files of closed runs do no harm: queries pass over them.
    pub(super) fn note_staged(&self, head: &Head, done: &mut Verified) {
        let open = head.open.as_ref().map(|open| open.run);
        let left = self
            .staged
            .iter()
            .filter(|(run, _)| run.is_none_or(|run| Some(run) != open && run <= head.last_run));
        let left: u64 = left.map(|(_, count)| count).sum();
        if left > 0 {
            let message = format!(
                "{left} staged {} of closed runs: the next run that publishes deletes what is its \
                 own",
                plural(left, "file")
            );
            done.notes.push(Finding::new(names::staging_prefix(&head.pipeline), message));
        }
    }

    /// The files in the tables' folders that have no name of ours, with those in the folders that
    /// only a manifest names.
    pub(super) async fn strangers(
        &self,
        objects: &impl ObjectStore,
        named: &BTreeSet<String>,
        tables: &mut Tables,
        deadline: Deadline,
    ) -> Result<Vec<String>> {
        let mut strangers = self.others.clone();
        let added: Vec<String> =
            named.iter().filter_map(|path| tables.add_folder_of(path)).collect();
        for folder in added {
            each(objects, &folder, deadline, |object| {
                if tables.hold(&object.path) && !self.ours.contains_key(&object.path) {
                    strangers.push(object.path);
                }
            })
            .await?;
        }
        strangers.sort_unstable();
        strangers.dedup();
        Ok(strangers)
    }
}

/// Looks at the files that have no name of ours: whose they are, their metadata tells.
pub(super) async fn check_strangers<S, O: ObjectStore, J: Joiner, R>(
    ports: &VerifyPorts<'_, S, O, J, R>,
    pipeline: &PipelineName,
    strangers: &[String],
    done: &mut Verified,
    deadline: Deadline,
) -> Result<()> {
    for some in strangers.chunks(SIDE_BY_SIDE) {
        let looks = some.iter().map(|path| async move {
            let stranger = match read_footer(ports.objects, ports.joiner, path, deadline).await {
                Ok(None) => return Ok(None),
                Ok(Some(footer)) => Stranger::Parquet(footer),
                Err(error) if error.kind() == ErrorKind::Corrupt => Stranger::Other,
                Err(error) => return Err(error.while_doing(format!("look at {path}"))),
            };
            Ok(judge_stranger(pipeline, path, &stranger))
        });
        done.findings.extend(try_join_all(looks).await?.into_iter().flatten());
    }
    Ok(())
}

/// Gives all objects whose path begins with `prefix` on.
pub(super) async fn each(
    objects: &impl ObjectStore,
    prefix: &str,
    deadline: Deadline,
    mut take: impl FnMut(ObjectInfo),
) -> Result<()> {
    let mut after = None;
    loop {
        let page = objects.list(prefix, after.as_deref(), deadline).await;
        let page = page.while_doing(|| format!("list {prefix:?} in the destination"))?;
        page.objects.into_iter().for_each(&mut take);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
