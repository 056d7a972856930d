//! The chain of layouts and manifests.

use std::collections::BTreeMap;

use super::Finding;
use crate::documents::{Head, Layout, Manifest, ManifestKind};
use crate::words::RunNumber;

/// A manifest and its name.
#[derive(Clone, Debug)]
pub struct StandingManifest {
    /// Its name.
    pub path: String,
    /// What it says.
    pub manifest: Manifest,
}

/// A layout, its name and its hash.
#[derive(Clone, Debug)]
pub struct StandingRunLayout {
    /// Its name.
    pub path: String,
    /// The run of the layout before it, as its name says.
    pub after: RunNumber,
    /// What it says.
    pub layout: Layout,
    /// SHA-256 of its bytes.
    pub hash: String,
}

/// Follows the chain from the first layout to the one that the head names, and holds each
/// manifest against its layout. The layout of the open run may stand behind the last one.
pub fn check_chain(
    head: &Head,
    layouts: &[StandingRunLayout],
    manifests: &[StandingManifest],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let by_after: BTreeMap<RunNumber, &StandingRunLayout> =
        layouts.iter().map(|layout| (layout.after, layout)).collect();
    let mut by_run: BTreeMap<RunNumber, &StandingManifest> =
        manifests.iter().map(|standing| (standing.manifest.run, standing)).collect();
    let mut at = RunNumber(0);
    let mut before: Option<&StandingRunLayout> = None;
    let mut told = None;
    let mut followed = 0;
    while let Some(standing) = by_after.get(&at) {
        followed += 1;
        check_link(head, standing, before, &mut findings);
        if standing.layout.run <= at {
            let message = format!("it is of run {}, which is not after {at}", standing.layout.run);
            findings.push(Finding::new(&standing.path, message));
            return findings;
        }
        at = standing.layout.run;
        let committed = head.layout.as_ref().is_some_and(|last| at <= last.run);
        match by_run.remove(&at) {
            Some(manifest) => {
                check_manifest(standing, manifest, told, &mut findings);
                told = Some(at);
            }
            None if committed => {
                findings.push(Finding::new(&standing.path, format!("run {at} has no manifest")));
            }
            None => {}
        }
        before = Some(standing);
    }
    check_end(head, before, told, &mut findings);
    for stray in by_run.into_values() {
        let message = "it is the manifest of a run that has no layout in the chain";
        findings.push(Finding::new(&stray.path, message));
    }
    if followed < layouts.len() {
        let message = format!("{} layouts are not in the chain", layouts.len() - followed);
        findings.push(Finding::new(format!("_runs/{}", head.pipeline), message));
    }
    findings
}

fn check_link(
    head: &Head,
    standing: &StandingRunLayout,
    before: Option<&StandingRunLayout>,
    findings: &mut Vec<Finding>,
) {
    let layout = &standing.layout;
    let mut wrong = |message: String| findings.push(Finding::new(&standing.path, message));
    if layout.previous_layout.as_ref() != before.map(|before| &before.hash) {
        wrong("the layout before it is not the one that it follows".to_owned());
    }
    if layout.birth_id != head.birth_id || layout.pipeline != head.pipeline {
        wrong("it is of another pipeline, or of another one of this name".to_owned());
    }
}

/// A manifest follows from its layout, but for the sizes of its files.
fn check_manifest(
    layout: &StandingRunLayout,
    standing: &StandingManifest,
    previous: Option<RunNumber>,
    findings: &mut Vec<Finding>,
) {
    let manifest = &standing.manifest;
    let mut wrong = |message: String| findings.push(Finding::new(&standing.path, message));
    if manifest.previous != previous {
        wrong(format!(
            "\"previous\" is {:?}, and the one before is {previous:?}",
            manifest.previous
        ));
    }
    let mut sizes: Vec<u64> = manifest.files.iter().map(|file| file.bytes).collect();
    // A manifest that names fewer files than its layout is to be told so.
    sizes.resize(layout.layout.files.len(), 0);
    let expected = expected(layout, manifest, &sizes);
    let fields = |manifest: &Manifest| serde_json::to_value(manifest).unwrap_or_default();
    let (expected, found) = (fields(&expected), fields(manifest));
    let names = expected.as_object().into_iter().flat_map(|object| object.keys());
    for name in names.filter(|name| expected[name.as_str()] != found[name.as_str()]) {
        wrong(format!("\"{name}\" is not what the run's layout says"));
    }
}

/// What a manifest must be. That of an aborted run follows from the layout too, but for the
/// reason, and for the starts that it keeps, which follow from the checkpoint before.
fn expected(layout: &StandingRunLayout, manifest: &Manifest, sizes: &[u64]) -> Manifest {
    let of_layout = Manifest::of(&layout.layout, &layout.hash, sizes);
    match (manifest.kind, &manifest.reason) {
        (ManifestKind::Aborted, Some(reason)) if layout.layout.aborted.is_none() => {
            let starts = manifest.checkpoint.clone();
            Manifest { checkpoint: starts, ..of_layout.given_up(reason, &[]) }
        }
        (ManifestKind::Aborted | ManifestKind::Commit | ManifestKind::Reset, _) => of_layout,
    }
}

fn check_end(
    head: &Head,
    last: Option<&StandingRunLayout>,
    told: Option<RunNumber>,
    findings: &mut Vec<Finding>,
) {
    let named = head.layout.as_ref();
    let open = head.open.as_ref().map(|open| open.run);
    let reaches = match (last, named) {
        (Some(last), _) if Some(last.layout.run) == open => true,
        (Some(last), Some(named)) => last.layout.run == named.run && last.hash == named.hash,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if !reaches {
        let shown = |run: Option<RunNumber>| run.map_or("none".to_owned(), |run| run.to_string());
        let message = format!(
            "the chain of layouts ends with run {}, and the state names run {}",
            shown(last.map(|last| last.layout.run)),
            shown(named.map(|named| named.run))
        );
        findings.push(Finding::new(format!("_runs/{}", head.pipeline), message));
    }
    if told < head.manifest {
        let message =
            format!("the state names manifest {:?}, and the last is {told:?}", head.manifest);
        findings.push(Finding::new(format!("_runs/{}", head.pipeline), message));
    }
}
