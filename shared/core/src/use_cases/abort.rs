//! *Abort*: the last resort for a run whose layout cannot be published. From the mark in the head
//! on, nothing starts, publishes or commits the run; then every name that a late finalizer would
//! want is taken, and the run closes without progress. Each step may be done twice, so a second
//! call goes on where the first one died.

mod taking;

use self::taking::{take_layout, take_names};
use super::commit::delete_staged;
use super::layouts::{self, StandingLayout, reference};
use super::reset::check_reason;
use super::state::{
    LoadedHead, check_destination, load_checkpoint, load_head, no_state, swap_head,
};
use super::{CONFLICTS_MAX, Settings};
use crate::documents::{
    self, Abort, Checkpoint, CheckpointEntry, CheckpointRef, FORMAT, Head, Layout, Manifest,
    OpenRun,
};
use crate::error::{Context, Error, Result};
use crate::layout::starts;
use crate::names;
use crate::ports::{Clock, Document, Encoder, ObjectStore, StateStore};
use crate::spec::Spec;
use crate::time::Deadline;
use crate::words::{PipelineName, RunNumber};

/// What an abort works with.
#[derive(Debug)]
pub struct AbortPorts<'a, S, O, E, C> {
    /// The state.
    pub state: &'a S,
    /// The destination.
    pub objects: &'a O,
    /// Makes files without rows.
    pub encoder: &'a E,
    /// Time and chance.
    pub clock: &'a C,
    /// The deployment's choices.
    pub settings: Settings,
}

/// A run that can be aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abortable {
    /// Its number.
    pub run: RunNumber,
    /// How many tasks it has.
    pub tasks: u32,
    /// Why it is being aborted, if somebody has begun to.
    pub aborting: Option<Abort>,
    /// Its layout, if that stands: its data files are those that become empty.
    pub layout: Option<Layout>,
}

/// A run that was aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// Its number.
    pub run: RunNumber,
    /// The reason that its manifest gives: the first one that was given.
    pub reason: String,
    /// Data files that have no row now.
    pub files: u64,
    /// What they would have had: the next runs read it again.
    pub rows: u64,
    /// Starts that are kept.
    pub starts: Vec<CheckpointEntry>,
    /// What could not be tidied up; the next run does.
    pub untidy: Option<String>,
}

/// The open run; none if there is none.
///
/// # Errors
/// `Config` for a pipeline without state or another destination; `Corrupt` if the layout that
/// stands where this run's belongs is another's: then this state is not the one to decide.
pub async fn abortable<S: StateStore, O: ObjectStore, E, C>(
    ports: &AbortPorts<'_, S, O, E, C>,
    spec: &Spec,
    deadline: Deadline,
) -> Result<Option<Abortable>> {
    for _ in 0..CONFLICTS_MAX {
        let loaded = load_head(ports.state, &spec.pipeline, deadline).await?;
        let head = loaded.ok_or_else(|| no_state(&spec.pipeline))?.head;
        check_destination(spec, &head)?;
        let Some(open) = &head.open else { return Ok(None) };
        let (state, objects) = (ports.state, ports.objects);
        let found = layouts::find_while_open(state, objects, &head, open, deadline).await?;
        let Some(standing) = found else { continue };
        return Ok(Some(Abortable {
            run: open.run,
            tasks: open.tasks(),
            aborting: open.aborting.clone(),
            layout: standing.map(|standing| standing.layout),
        }));
    }
    Err(changes_all_the_time(&spec.pipeline))
}

/// Gives up `run`, which must be the open one; none if it is closed. May be called again after
/// whatever ended it, and goes on then.
///
/// # Errors
/// As [`abortable`]; `Conflict` if another run is open by now, or the head changes all the time;
/// whatever keeps state or destination from being written.
pub async fn abort<S: StateStore, O: ObjectStore, E: Encoder, C: Clock>(
    ports: &AbortPorts<'_, S, O, E, C>,
    pipeline: &PipelineName,
    run: RunNumber,
    reason: &str,
    deadline: Deadline,
) -> Result<Option<Aborted>> {
    let reason = check_reason(reason)?;
    let verb = || format!("abort run {run}");
    let marked = mark(ports, pipeline, run, reason, deadline).await.while_doing(verb)?;
    let Some((head, open, abort)) = marked else { return Ok(None) };
    finish(ports, &head, &open, &abort, deadline).await.while_doing(verb)
}

/// Marks the run in the head, unless that was done before; none if it is closed.
async fn mark<S: StateStore, O, E, C: Clock>(
    ports: &AbortPorts<'_, S, O, E, C>,
    pipeline: &PipelineName,
    run: RunNumber,
    reason: &str,
    deadline: Deadline,
) -> Result<Option<(Head, OpenRun, Abort)>> {
    for _ in 0..CONFLICTS_MAX {
        let loaded = load_head(ports.state, pipeline, deadline).await?;
        let LoadedHead { version, mut head } = loaded.ok_or_else(|| no_state(pipeline))?;
        let Some(mut open) = head.open.clone() else { return Ok(None) };
        if open.run != run {
            return Err(Error::conflict(format!("it is closed, and run {} is open now", open.run)));
        }
        if let Some(abort) = open.aborting.clone() {
            return Ok(Some((head, open, abort)));
        }
        let abort = Abort {
            reason: reason.to_owned(),
            since: ports.clock.now(),
            id: ports.clock.random_id(),
        };
        open.aborting = Some(abort.clone());
        head.open = Some(open.clone());
        let expected = Some(version);
        if swap_head(ports.state, ports.clock, expected, &mut head, deadline).await?.is_some() {
            return Ok(Some((head, open, abort)));
        }
    }
    Err(changes_all_the_time(pipeline))
}

fn changes_all_the_time(pipeline: &PipelineName) -> Error {
    Error::conflict(format!("the head of {pipeline} changes all the time: try again"))
}

/// Everything behind the mark.
async fn finish<S: StateStore, O: ObjectStore, E: Encoder, C: Clock>(
    ports: &AbortPorts<'_, S, O, E, C>,
    head: &Head,
    open: &OpenRun,
    abort: &Abort,
    deadline: Deadline,
) -> Result<Option<Aborted>> {
    let base =
        load_checkpoint(ports.state, &head.pipeline, head.checkpoint.as_ref(), deadline).await?;
    let standing = take_layout(ports, head, open, abort, &base, deadline).await?;
    let starts = starts(&standing.layout, &base);
    let sizes = take_names(ports, &standing, deadline).await?;
    let manifest = Manifest::of(&standing.layout, &standing.hash, &sizes);
    let manifest = manifest.given_up(&abort.reason, &starts);
    let name =
        names::ManifestFile { pipeline: manifest.pipeline.clone(), run: manifest.run }.to_string();
    // One that stands says that the run was committed, or is this one.
    let replaced = ports.objects.replace(&name, documents::encode(&manifest), &[], deadline).await;
    replaced.while_doing(|| format!("write manifest {name}"))?;
    let checkpoint = keep(ports, (head, open, abort), &standing.layout, (&base, &starts), deadline);
    let checkpoint = checkpoint.await?;
    close(ports, head, open, (&standing, checkpoint.as_ref()), deadline).await?;
    let tidied = delete_staged(ports.objects, &head.pipeline, open.run, deadline).await;
    Ok(Some(Aborted {
        run: open.run,
        reason: abort.reason.clone(),
        files: u64::try_from(sizes.len()).expect("they were counted"),
        rows: standing.layout.files.iter().map(|file| file.rows).sum(),
        starts,
        untidy: tidied.err().map(|error| error.to_string()),
    }))
}

/// Writes the checkpoint that keeps the starts which the run resolved; none if there is nothing to
/// keep. After the first run there always is: what it did not find appears later.
async fn keep<S: StateStore, O, E, C>(
    ports: &AbortPorts<'_, S, O, E, C>,
    (head, open, abort): (&Head, &OpenRun, &Abort),
    layout: &Layout,
    (base, starts): (&Checkpoint, &[CheckpointEntry]),
    deadline: Deadline,
) -> Result<Option<CheckpointRef>> {
    if starts.is_empty() && head.checkpoint.is_some() {
        return Ok(None);
    }
    let checkpoint = Checkpoint {
        format: FORMAT,
        pipeline: head.pipeline.clone(),
        run: open.run,
        cluster_id: layout.cluster_id.clone(),
        entries: base.with(starts),
    };
    let document = Document::Checkpoint(open.run, abort.id);
    let bytes = documents::encode(&checkpoint);
    let hash = documents::hash(&bytes);
    let written = ports.state.write(&head.pipeline, document, bytes, None, deadline).await;
    // Whoever came before wrote the same: it follows from layout and base alone.
    written.while_doing(|| format!("write {document}"))?;
    Ok(Some(CheckpointRef { run: open.run, plan: abort.id, hash }))
}

/// Closes the run without progress, unless another abort was faster.
async fn close<S: StateStore, O, E, C: Clock>(
    ports: &AbortPorts<'_, S, O, E, C>,
    marked: &Head,
    was: &OpenRun,
    (standing, checkpoint): (&StandingLayout, Option<&CheckpointRef>),
    deadline: Deadline,
) -> Result<()> {
    let pipeline = &marked.pipeline;
    for _ in 0..CONFLICTS_MAX {
        let loaded = load_head(ports.state, pipeline, deadline).await?;
        let Some(LoadedHead { version, mut head }) = loaded else { return Ok(()) };
        if head.open.as_ref().map(|open| (open.run, open.plan)) != Some((was.run, was.plan)) {
            return Ok(());
        }
        head.layout = Some(reference(standing));
        head.manifest = Some(was.run);
        if let Some(checkpoint) = checkpoint {
            head.checkpoint = Some(checkpoint.clone());
        }
        head.open = None;
        let expected = Some(version);
        if swap_head(ports.state, ports.clock, expected, &mut head, deadline).await?.is_none() {
            continue;
        }
        if let (Some(_), Some(before)) = (checkpoint, &marked.checkpoint) {
            let at = ports.clock.now().after(ports.settings.document_expiry);
            let document = Document::Checkpoint(before.run, before.plan);
            ports.state.expire(pipeline, document, at, deadline).await?;
        }
        return Ok(());
    }
    Err(changes_all_the_time(pipeline))
}
