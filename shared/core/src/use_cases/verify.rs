//! *Verify a destination*: reads what stands and holds it against what the manifests say.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::SIDE_BY_SIDE;
use super::moving::read_footer;
use super::state::{load_checkpoint, load_head, no_state};
use crate::documents::{self, ManifestFile};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::names;
use crate::ports::{Joiner, ObjectStore, ReadRange, StateStore};
use crate::time::Deadline;
use crate::verify::{
    Finding, RowId, StandingManifest, StandingRunLayout, check_chain, check_checkpoint, check_file,
    check_offsets, check_rows, unknown_files,
};
use crate::words::{PipelineName, RunNumber};

/// What a verification works with.
#[derive(Debug)]
pub struct VerifyPorts<'a, S, O, J> {
    /// The state.
    pub state: &'a S,
    /// The destination.
    pub objects: &'a O,
    /// Reads footers.
    pub joiner: &'a J,
}

/// What a verification came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Manifests that were followed.
    pub manifests: u64,
    /// Data files that were looked at.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Where rows come from, read from the bytes of a data file.
pub type ReadRows<'a> = &'a (dyn Fn(Bytes) -> Result<Vec<RowId>> + Sync);

/// Verifies a pipeline's destination: all manifests, and the data files of run `since` and
/// later; with `read_rows`, their columns too.
///
/// # Errors
/// `Config` if the pipeline has no state; whatever keeps state or destination from being read.
/// What is wrong with what was read is a finding.
pub async fn verify<S: StateStore, O: ObjectStore, J: Joiner>(
    ports: &VerifyPorts<'_, S, O, J>,
    pipeline: &PipelineName,
    since: RunNumber,
    read_rows: Option<ReadRows<'_>>,
    deadline: Deadline,
) -> Result<Verified> {
    let loaded =
        load_head(ports.state, pipeline, deadline).await?.ok_or_else(|| no_state(pipeline))?;
    let head = &loaded.head;
    let checkpoint = load_checkpoint(ports.state, pipeline, head.checkpoint.as_ref(), deadline);
    let checkpoint = checkpoint.await?;
    let mut done = Verified::default();
    let (layouts, mut manifests) = records(ports, pipeline, &mut done.findings, deadline).await?;
    manifests.sort_by_key(|standing| standing.manifest.run);
    // The manifest of a run that is not committed yet proves nothing yet.
    manifests.retain(|standing| Some(standing.manifest.run) <= head.manifest);
    done.manifests = u64::try_from(manifests.len()).unwrap_or(u64::MAX);
    done.findings.extend(check_chain(head, &layouts, &manifests));
    done.findings.extend(check_offsets(&manifests));
    done.findings.extend(check_checkpoint(&checkpoint, &manifests));
    let open = head.open.as_ref().map(|open| open.run);
    let published: BTreeSet<&str> = layouts
        .iter()
        .filter(|standing| Some(standing.layout.run) == open)
        .flat_map(|standing| standing.layout.files.iter().map(|file| file.path.as_str()))
        .collect();
    let listed = list(ports.objects, "", deadline).await?;
    done.findings.extend(unknown_files(pipeline, &listed, &manifests, &published));
    for standing in manifests.iter().filter(|standing| standing.manifest.run >= since) {
        files(ports, standing, read_rows, &mut done, deadline).await?;
    }
    Ok(done)
}

/// All layouts and manifests of the pipeline. What cannot be read is a finding.
async fn records<S, O: ObjectStore, J>(
    ports: &VerifyPorts<'_, S, O, J>,
    pipeline: &PipelineName,
    findings: &mut Vec<Finding>,
    deadline: Deadline,
) -> Result<(Vec<StandingRunLayout>, Vec<StandingManifest>)> {
    let (mut layouts, mut manifests) = (Vec::new(), Vec::new());
    for path in list(ports.objects, &names::runs_prefix(pipeline), deadline).await? {
        let read = ports.objects.read(&path, ReadRange::All, deadline).await;
        let Some(object) = read.while_doing(|| format!("read {path}"))? else { continue };
        let bytes = object.bytes;
        let broken = |error: Error| Finding::new(&path, error.message());
        if let Some(name) = names::LayoutFile::parse(&path) {
            match documents::decode(&bytes, "it") {
                Ok(layout) => layouts.push(StandingRunLayout {
                    after: name.after,
                    layout,
                    hash: documents::hash(&bytes),
                    path,
                }),
                Err(error) => findings.push(broken(error)),
            }
        } else if names::ManifestFile::parse(&path).is_some() {
            match documents::decode(&bytes, "it") {
                Ok(manifest) => manifests.push(StandingManifest { path, manifest }),
                Err(error) => findings.push(broken(error)),
            }
        } else {
            findings.push(Finding::new(&path, "it is neither a layout nor a manifest"));
        }
    }
    Ok((layouts, manifests))
}

/// Checks the data files of a run.
async fn files<S, O: ObjectStore, J: Joiner>(
    ports: &VerifyPorts<'_, S, O, J>,
    standing: &StandingManifest,
    read_rows: Option<ReadRows<'_>>,
    done: &mut Verified,
    deadline: Deadline,
) -> Result<()> {
    let manifest = &standing.manifest;
    let before = done.findings.len();
    for some in manifest.files.chunks(SIDE_BY_SIDE) {
        let looks = some.iter().map(|file| async move {
            match read_footer(ports.objects, ports.joiner, &file.path, deadline).await {
                Ok(footer) => Ok(check_file(manifest, file, footer.as_ref())),
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    Ok(Some(Finding::new(&file.path, error.message())))
                }
                Err(error) => Err(error.while_doing(format!("look at {}", file.path))),
            }
        });
        done.findings.extend(try_join_all(looks).await?.into_iter().flatten());
    }
    done.files += u64::try_from(manifest.files.len()).unwrap_or(u64::MAX);
    done.rows += manifest.files.iter().map(|file| file.rows).sum::<u64>();
    let Some(read_rows) = read_rows.filter(|_| done.findings.len() == before) else {
        return Ok(());
    };
    let mut rows: Vec<(&ManifestFile, Vec<RowId>)> = Vec::new();
    for file in &manifest.files {
        let object = ports.objects.read(&file.path, ReadRange::All, deadline).await?;
        let Some(object) = object else { continue };
        match read_rows(object.bytes) {
            Ok(read) => rows.push((file, read)),
            Err(error) => done.findings.push(Finding::new(&file.path, error.message())),
        }
    }
    done.findings.extend(check_rows(manifest, &rows));
    Ok(())
}

/// All paths below a prefix.
async fn list(objects: &impl ObjectStore, prefix: &str, deadline: Deadline) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut after = None;
    loop {
        let page = objects.list(prefix, after.as_deref(), deadline).await;
        let page = page.while_doing(|| "list the destination".to_owned())?;
        paths.extend(page.objects.into_iter().map(|object| object.path));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(paths),
        }
    }
}
