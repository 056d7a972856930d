//! What stands of each run, in the order of the chain.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Finding;
use crate::documents::{Head, Layout, Manifest, ManifestKind};
use crate::names;
use crate::words::RunNumber;

/// A layout as it stands.
#[derive(Clone, Debug)]
pub(crate) struct StandingLayout {
    /// The run of the layout before it, as its name says.
    pub(crate) after: RunNumber,
    /// SHA-256 of its bytes.
    pub(crate) hash: String,
    /// What it says, or why it cannot be read.
    pub(crate) layout: Result<Layout, String>,
}

/// A manifest as it stands: its fields and its JSON, or why it cannot be read.
pub(crate) type StandingManifest = Result<(Manifest, Value), String>;

/// A link of the chain: what stands of a run.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// The run.
    pub(crate) run: RunNumber,
    /// The run before it in the chain; 0 if it is the first.
    pub(crate) after: RunNumber,
    /// Its layout; none if it is gone.
    pub(crate) layout: Option<StandingLayout>,
    /// Its manifest; none if there is none.
    pub(crate) manifest: Option<StandingManifest>,
}

impl Link {
    /// The name of its layout.
    pub(super) fn layout_path(&self, head: &Head) -> String {
        layout_path(head, self.after)
    }

    /// The layout, if it can be read.
    pub(crate) fn readable(&self) -> Option<(&Layout, &str)> {
        let standing = self.layout.as_ref()?;
        standing.layout.as_ref().ok().map(|layout| (layout, standing.hash.as_str()))
    }

    /// The manifest as it must be: it follows from the layout, but for the sizes of its files.
    /// `size` says the size of a file that the standing manifest does not name. That of an aborted
    /// run takes its reason, and the starts that it keeps, which follow from the checkpoint before,
    /// from what stands too. None if the layout cannot be read.
    pub(crate) fn expected(&self, size: impl Fn(&str) -> u64) -> Option<Manifest> {
        let (layout, hash) = self.readable()?;
        let told = self.told().map(|(manifest, _)| manifest);
        let sizes: Vec<u64> = (0..)
            .zip(&layout.files)
            .map(|(at, file)| match told.and_then(|told| told.files.get(at)) {
                Some(told) => told.bytes,
                None => size(&file.path),
            })
            .collect();
        let of_layout = Manifest::of(layout, hash, &sizes);
        Some(match told.map(|told| (told.kind, &told.reason, &told.checkpoint)) {
            Some((ManifestKind::Aborted, Some(reason), starts)) if layout.aborted.is_none() => {
                Manifest { checkpoint: starts.clone(), ..of_layout.given_up(reason, &[]) }
            }
            Some(_) | None => of_layout,
        })
    }

    /// The manifest, if it can be read.
    pub(crate) fn told(&self) -> Option<&(Manifest, Value)> {
        self.manifest.as_ref()?.as_ref().ok()
    }
}

/// The name of the layout that follows a run's.
pub(crate) fn layout_path(head: &Head, after: RunNumber) -> String {
    names::LayoutFile { pipeline: head.pipeline.clone(), after }.to_string()
}

/// The name of a run's manifest.
pub(crate) fn manifest_path(head: &Head, run: RunNumber) -> String {
    names::ManifestFile { pipeline: head.pipeline.clone(), run }.to_string()
}

/// Makes links of the layouts up to that of the last committed run, which come in the order of
/// their names.
#[derive(Debug)]
pub(crate) struct Chain<'a> {
    head: &'a Head,
    /// All names of layouts: the runs before them.
    names: BTreeSet<RunNumber>,
    /// All runs that have a manifest.
    told: BTreeSet<RunNumber>,
    /// The name that the next layout must have; none if that is not known yet.
    expected: Option<RunNumber>,
}

impl<'a> Chain<'a> {
    /// A chain of the layouts `names` that begins with the first of them; `from_start`: that
    /// must be the first of all. `told`: the runs that have a manifest.
    pub(crate) fn new(
        head: &'a Head,
        names: BTreeSet<RunNumber>,
        told: BTreeSet<RunNumber>,
        from_start: bool,
    ) -> Self {
        Self { head, names, told, expected: from_start.then_some(RunNumber(0)) }
    }

    /// The last run that the state knows as laid out.
    fn last(&self) -> Option<RunNumber> {
        self.head.layout.as_ref().map(|layout| layout.run)
    }

    /// The links that end with this layout: more than one if layouts before it are gone.
    pub(crate) fn admit(
        &mut self,
        standing: StandingLayout,
        findings: &mut Vec<Finding>,
    ) -> Vec<Link> {
        let after = standing.after;
        let mut links = Vec::new();
        if let Some(expected) = self.expected.filter(|expected| *expected != after) {
            if after < expected || self.names.contains(&expected) {
                let path = layout_path(self.head, after);
                let message = format!("it is in no chain of layouts: no run {after} was laid out");
                findings.push(Finding::new(path, message));
                return links;
            }
            links.push(self.gone(expected, after, findings));
        }
        let run = self.run_of(&standing);
        self.expected = Some(run);
        links.push(Link { run, after, layout: Some(standing), manifest: None });
        links
    }

    /// The link to the last run, if its layout is gone.
    pub(crate) fn end(&mut self, findings: &mut Vec<Finding>) -> Option<Link> {
        let last = self.last()?;
        let expected = self.expected.unwrap_or_default();
        (expected < last).then(|| self.gone(expected, last, findings))
    }

    fn gone(&self, after: RunNumber, run: RunNumber, findings: &mut Vec<Finding>) -> Link {
        let message = format!(
            "it is gone: the chain of layouts breaks off after run {after}, and run {run} was \
             laid out"
        );
        findings.push(Finding::new(layout_path(self.head, after), message));
        Link { run, after, layout: None, manifest: None }
    }

    /// A layout's run: what it says, if its place in the chain agrees; else what its place says.
    fn run_of(&self, standing: &StandingLayout) -> RunNumber {
        let says = standing.layout.as_ref().ok().map(|layout| layout.run);
        let fits = |run: &RunNumber| {
            *run > standing.after
                && (self.names.contains(run)
                    || self.told.contains(run)
                    || Some(*run) == self.last())
        };
        let next = self.names.range(standing.after.next()..).next().copied();
        says.filter(fits).or(next).or(self.last()).unwrap_or(standing.after.next())
    }
}
