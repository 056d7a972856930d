//! Layouts and manifests, followed from run to run.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::data::{self, Run};
use super::listing::Listing;
use super::records::Records;
use super::specs::Specs;
use super::{Verified, VerifyPorts, VerifyScope, read_all};
use crate::documents::{self, Head, Manifest};
use crate::error::Result;
use crate::ports::{Joiner, ObjectStore, ReadBack, StateStore};
use crate::spec::Spec;
use crate::time::Deadline;
use crate::use_cases::SIDE_BY_SIDE;
use crate::verify::{
    Chain, Finding, Folders, Link, Positions, StandingLayout, StandingManifest, check_beyond,
    check_layout, check_manifest, check_strays, check_sums, layout_path, manifest_path,
};
use crate::words::{RunNumber, plural};

/// Follows the chain.
pub(super) struct Walk<'a, 'p, S, O, J, R> {
    ports: &'a VerifyPorts<'p, S, O, J, R>,
    head: &'a Head,
    scope: VerifyScope,
    listing: &'a Listing,
    specs: Specs,
    done: &'a mut Verified,
    positions: Positions,
    /// The data files that a manifest names, or the layout of a run that is not committed yet.
    named: BTreeSet<String>,
    /// The runs of the chain.
    runs: BTreeSet<RunNumber>,
    /// The first run whose spec is known no more, and how many there are.
    without_spec: Option<(RunNumber, u64)>,
}

impl<'a, 'p, S: StateStore, O: ObjectStore, J: Joiner, R: ReadBack> Walk<'a, 'p, S, O, J, R> {
    pub(super) fn new(
        ports: &'a VerifyPorts<'p, S, O, J, R>,
        spec: &Spec,
        head: &'a Head,
        scope: VerifyScope,
        listing: &'a Listing,
        done: &'a mut Verified,
    ) -> Self {
        Self {
            ports,
            head,
            scope,
            listing,
            specs: Specs::new(spec, &head.spec),
            done,
            positions: Positions::default(),
            named: BTreeSet::new(),
            runs: BTreeSet::new(),
            without_spec: None,
        }
    }

    /// Follows the chain of layouts, link by link, with a window of what is read side by side.
    pub(super) async fn follow(&mut self, records: &Records, deadline: Deadline) -> Result<()> {
        let from_start = self.scope.since <= RunNumber(1);
        let (layouts, told) = (records.layouts.clone(), records.manifests.clone());
        let mut chain = Chain::new(self.head, layouts, told, from_start);
        let mut waits: Option<Link> = None;
        let names: Vec<RunNumber> = records.layouts.iter().copied().collect();
        for some in names.chunks(SIDE_BY_SIDE) {
            let mut links = Vec::new();
            for standing in self.layouts(some, deadline).await? {
                links.extend(chain.admit(standing, &mut self.done.findings));
            }
            for link in self.with_manifests(links, records, deadline).await? {
                if let Some(before) = waits.take() {
                    self.judge(&before, Some(&link), deadline).await?;
                }
                waits = Some(link);
            }
        }
        let end = chain.end(&mut self.done.findings);
        for link in self.with_manifests(end.into_iter().collect(), records, deadline).await? {
            if let Some(before) = waits.take() {
                self.judge(&before, Some(&link), deadline).await?;
            }
            waits = Some(link);
        }
        if let Some(last) = waits {
            self.judge(&last, None, deadline).await?;
        }
        self.beyond(records, deadline).await?;
        self.strays(records);
        Ok(())
    }

    /// What was followed: where the partitions stand, and the files that are accounted for.
    pub(super) fn end(self) -> (Positions, BTreeSet<String>) {
        if let Some((run, count)) = self.without_spec {
            let message = format!(
                "the directories of {count} {} from this one on are not checked: the plans with \
                 their specs have expired",
                plural(count, "run"),
            );
            self.done.notes.push(Finding::new(format!("run {run}"), message));
        }
        (self.positions, self.named)
    }

    /// Reads layouts side by side. One that is gone meanwhile is left out.
    async fn layouts(&self, some: &[RunNumber], deadline: Deadline) -> Result<Vec<StandingLayout>> {
        let reads = some.iter().map(|after| async move {
            let path = layout_path(self.head, *after);
            let bytes = read_all(self.ports.objects, &path, deadline).await?;
            Ok(bytes.map(|bytes| StandingLayout {
                after: *after,
                hash: documents::hash(&bytes),
                layout: documents::decode(&bytes, "it").map_err(|e| e.message().to_owned()),
            }))
        });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    /// Reads the manifests of links side by side.
    async fn with_manifests(
        &self,
        links: Vec<Link>,
        records: &Records,
        deadline: Deadline,
    ) -> Result<Vec<Link>> {
        let reads = links.into_iter().map(|mut link| async move {
            if records.manifests.contains(&link.run) {
                link.manifest = self.manifest(link.run, deadline).await?;
            }
            Ok(link)
        });
        try_join_all(reads).await
    }

    async fn manifest(
        &self,
        run: RunNumber,
        deadline: Deadline,
    ) -> Result<Option<StandingManifest>> {
        let path = manifest_path(self.head, run);
        let bytes = read_all(self.ports.objects, &path, deadline).await?;
        Ok(bytes.map(|bytes| {
            let manifest = documents::decode(&bytes, "it").map_err(|e| e.message().to_owned())?;
            let fields = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
            Ok((manifest, fields))
        }))
    }

    /// Holds a run's layout, manifest and files against each other, and against the runs before.
    async fn judge(&mut self, link: &Link, next: Option<&Link>, deadline: Deadline) -> Result<()> {
        self.runs.insert(link.run);
        let believed = check_layout(self.head, link, next, &mut self.done.findings);
        if link.run < self.scope.since {
            return Ok(());
        }
        let size = |path: &str| self.listing.bytes(path);
        let expected = if believed { link.expected(size) } else { None };
        check_manifest(self.head, link, expected.as_ref(), &mut self.done.findings);
        let told = link.told().map(|(manifest, _)| manifest);
        let Some(manifest) = expected.or_else(|| told.cloned()) else {
            self.positions.forget();
            return Ok(());
        };
        let path = manifest_path(self.head, link.run);
        self.done.findings.extend(check_sums(&path, &manifest));
        self.done.findings.extend(self.positions.follow(&path, &manifest));
        self.named.extend(manifest.files.iter().map(|file| file.path.clone()));
        self.count(&manifest);
        let layout = link.readable().filter(|_| believed).map(|(layout, _)| layout);
        let spec = match layout {
            Some(layout) => self.specs.of(self.ports.state, layout, deadline).await?,
            None => None,
        };
        if spec.is_none() && layout.is_some() {
            let (_, count) = self.without_spec.get_or_insert((link.run, 0));
            *count += 1;
        }
        let planned_at = manifest.planned_at;
        let run = Run {
            path: &path,
            manifest: &manifest,
            folders: spec.map(|spec| Folders { spec, planned_at }),
            deep: self.scope.deep,
        };
        data::check_run(self.ports, run, self.done, deadline).await
    }

    fn count(&mut self, manifest: &Manifest) {
        let done = &mut *self.done;
        done.runs += 1;
        let offsets = manifest.slices.iter().map(|slice| slice.reached.abs_diff(slice.start));
        done.offsets = offsets.fold(done.offsets, u64::saturating_add);
        for file in &manifest.files {
            done.files += 1;
            done.rows = done.rows.saturating_add(file.rows);
            done.bytes = done.bytes.saturating_add(file.bytes);
        }
    }

    /// The layouts of runs that are not committed, or were not when the walk began. Their files
    /// may stand.
    async fn beyond(&mut self, records: &Records, deadline: Deadline) -> Result<()> {
        let names: Vec<RunNumber> = records.beyond.iter().copied().collect();
        let mut open = None;
        for standing in self.layouts(&names, deadline).await? {
            let fault = check_beyond(self.head, &records.newest, &standing);
            self.done.findings.extend(fault);
            let Ok(layout) = &standing.layout else { continue };
            self.runs.insert(layout.run);
            self.named.extend(layout.files.iter().map(|file| file.path.clone()));
            if Some(layout.run) == self.done.open {
                let files = u64::try_from(layout.files.len()).unwrap_or(u64::MAX);
                let stand = self.listing.standing(layout.files.iter().map(|file| &file.path));
                open = Some((files, stand));
            }
        }
        if let Some(run) = self.done.open {
            let what = match open {
                None => "it has no layout yet".to_owned(),
                Some((files, stand)) => {
                    let what = plural(files, "file");
                    format!("its layout names {files} {what}, {stand} of which stood")
                }
            };
            let given_up = self.head.open.as_ref().is_some_and(|open| open.aborting.is_some());
            let verb = if given_up { "abort" } else { "run" };
            let message = format!("it is open: {what}. `tidegate {verb}` finishes it");
            self.done.notes.push(Finding::new(format!("run {run}"), message));
        }
        Ok(())
    }

    /// Manifests without a layout, and what does not belong there. A run that was opened since
    /// the walk began is passed over.
    fn strays(&mut self, records: &Records) {
        let of_no_run = records.manifests.iter().copied().filter(|run| {
            let since = *run > self.head.last_run && *run <= records.newest.last_run;
            !since && !self.runs.contains(run)
        });
        check_strays(self.head, of_no_run, &mut self.done.findings);
        let others = records.others.iter();
        let what = "it is neither a layout nor a manifest";
        self.done.findings.extend(others.map(|path| Finding::new(path, what)));
    }
}
