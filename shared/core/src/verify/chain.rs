//! The chain of layouts, and the manifest of each: every field of them.

use super::difference::differences;
use super::{Finding, Link, StandingLayout, layout_path, manifest_path};
use crate::documents::{Head, Layout, Manifest};
use crate::names;
use crate::words::RunNumber;

/// Checks a layout against those that name it: the state, the layout behind it, its manifest.
/// Answers whether it can be believed.
pub(crate) fn check_layout(
    head: &Head,
    link: &Link,
    next: Option<&Link>,
    findings: &mut Vec<Finding>,
) -> bool {
    let Some(standing) = &link.layout else { return false };
    let path = link.layout_path(head);
    let before = findings.len();
    let mut wrong = |message: String| findings.push(Finding::new(&path, message));
    let layout = match &standing.layout {
        Ok(layout) => layout,
        Err(message) => {
            wrong(message.clone());
            return false;
        }
    };
    match named_by_others(head, link, next) {
        Some((who, hash)) if *hash != standing.hash => {
            wrong(format!("its bytes are not those that were written: {who} names another hash"));
            return false;
        }
        Some(_) | None => {}
    }
    layout_faults(head, link, layout).into_iter().for_each(&mut wrong);
    if let Some(next) = next
        && let Some((follower, _)) = next.readable()
        && follower.previous_layout.as_ref() != Some(&standing.hash)
    {
        let message = format!("the layout before it, {path}, is not the one that it follows");
        findings.push(Finding::new(next.layout_path(head), message));
    }
    findings.len() == before
}

/// The hash that a layout must have, and who says so. Where its own manifest and the layout
/// behind it disagree, the manifest is asked: it was written with it.
fn named_by_others<'a>(
    head: &'a Head,
    link: &'a Link,
    next: Option<&'a Link>,
) -> Option<(&'static str, &'a String)> {
    if let Some(last) = head.layout.as_ref().filter(|last| last.run == link.run) {
        return Some(("the state", &last.hash));
    }
    let standing = link.layout.as_ref()?;
    let manifest = link.told().map(|(manifest, _)| &manifest.layout_hash);
    let follower = next.and_then(Link::readable);
    let follower = follower.and_then(|(layout, _)| layout.previous_layout.as_ref());
    match (manifest, follower) {
        (Some(hash), _) if *hash == standing.hash => Some(("its manifest", hash)),
        (_, Some(hash)) => Some(("the layout behind it", hash)),
        (Some(hash), None) => Some(("its manifest", hash)),
        (None, None) => None,
    }
}

/// What must hold of a layout whatever its run did.
fn layout_faults(head: &Head, link: &Link, layout: &Layout) -> Vec<String> {
    let mut faults = Vec::new();
    if layout.pipeline != head.pipeline || layout.birth_id != head.birth_id {
        faults.push("it is of another pipeline, or of another one of this name".to_owned());
    }
    if layout.run != link.run || layout.run <= link.after {
        faults.push(format!(
            "it is of run {}, and stands in the place of run {}",
            layout.run, link.run
        ));
    }
    let before = (link.after > RunNumber(0)).then_some(link.after);
    if layout.previous_manifest != before || layout.previous_layout.is_some() != before.is_some() {
        faults.push(format!("it does not follow run {}", link.after));
    }
    for (number, file) in (1..).zip(&layout.files) {
        let name = names::DataFile::parse(&file.path);
        let ours = name.is_some_and(|name| {
            (&name.pipeline, name.run, name.number) == (&head.pipeline, layout.run, number)
        });
        if !ours || file.number != number {
            faults.push(format!("{} is no name of its file {number}", file.path));
        }
    }
    faults
}

/// Checks a run's manifest: against the one that is expected, if its layout can be believed
/// ([`Link::expected`]).
pub(crate) fn check_manifest(
    head: &Head,
    link: &Link,
    expected: Option<&Manifest>,
    findings: &mut Vec<Finding>,
) {
    let path = manifest_path(head, link.run);
    let mut wrong = |message: String| findings.push(Finding::new(&path, message));
    let (manifest, found) = match &link.manifest {
        None => return wrong(format!("it is gone: run {} has no manifest", link.run)),
        Some(Err(message)) => return wrong(message.clone()),
        Some(Ok(read)) => (&read.0, &read.1),
    };
    let Some(expected) = expected else {
        if manifest.pipeline != head.pipeline || manifest.birth_id != head.birth_id {
            wrong("it is of another pipeline, or of another one of this name".to_owned());
        }
        if manifest.run != link.run {
            wrong(format!("it is of run {}", manifest.run));
        }
        return;
    };
    let expected = serde_json::to_value(expected).unwrap_or_default();
    differences(&expected, found, "its layout").into_iter().for_each(&mut wrong);
}

/// Checks a layout that stands behind the last one that `head` names. `newest`: the head as it
/// is when all layouts were listed. Only the open run may have one, and runs that were committed
/// meanwhile.
pub(crate) fn check_beyond(
    head: &Head,
    newest: &Head,
    standing: &StandingLayout,
) -> Option<Finding> {
    let wrong = |message: String| Some(Finding::new(layout_path(head, standing.after), message));
    let last = |head: &Head| head.layout.as_ref().map_or(RunNumber(0), |layout| layout.run);
    let after = standing.after;
    if after > last(newest) {
        return wrong(format!("it is in no chain of layouts: no run {after} was laid out"));
    }
    let layout = match &standing.layout {
        Ok(layout) => layout,
        Err(message) => return wrong(message.clone()),
    };
    let run = layout.run;
    let before = head.layout.as_ref().filter(|_| after == last(head)).map(|layout| &layout.hash);
    if run <= after || (before.is_some() && layout.previous_layout.as_ref() != before) {
        return wrong(format!("it is of run {run}, and does not follow run {after}"));
    }
    match &newest.open {
        _ if run <= last(newest) => None,
        Some(open) if (open.run, open.plan) == (run, layout.plan) => None,
        Some(open) if open.run == run => {
            wrong(format!("it is the layout of another plan of run {run}, which is open"))
        }
        Some(_) | None => wrong(format!("the state knows of no run {run} with a layout")),
    }
}

/// The manifests that no layout of the chain belongs to.
pub(crate) fn check_strays(
    head: &Head,
    manifests: impl IntoIterator<Item = RunNumber>,
    findings: &mut Vec<Finding>,
) {
    findings.extend(manifests.into_iter().map(|run| {
        Finding::new(manifest_path(head, run), format!("no layout in the chain is of run {run}"))
    }));
}
