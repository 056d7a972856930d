//! *Verify a destination*: reads what stands and holds it against what the manifests say.
//!
//! A pipeline may be at work meanwhile. So the order of reading matters: the head first, then
//! the list of data files, then layouts and manifests. Each run that the head calls committed has
//! all its files in that list, and each file in the list has its layout by then.

mod data;
mod listing;
mod records;
mod specs;
mod walk;

use bytes::Bytes;

use super::state::{LoadedHead, load_checkpoint, load_head, no_state};
use crate::documents::{Checkpoint, Head};
use crate::error::{Error, ErrorKind, Result};
use crate::names::runs_prefix;
use crate::ports::{Joiner, ObjectStore, ReadBack, ReadRange, StateStore};
use crate::spec::Spec;
use crate::time::Deadline;
use crate::verify::{Finding, Tables, check_checkpoint};
use crate::words::{PipelineName, RunNumber};

/// How often what was found is looked at again with a newer head.
const LOOKS_MAX: u32 = 3;

/// What a verification works with.
#[derive(Debug)]
pub struct VerifyPorts<'a, S, O, J, R> {
    /// The state.
    pub state: &'a S,
    /// The destination.
    pub objects: &'a O,
    /// Reads footers.
    pub joiner: &'a J,
    /// Reads rows.
    pub reader: &'a R,
}

/// What is to be verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyScope {
    /// This run and later ones.
    pub since: RunNumber,
    /// Every row too, and not only the footers.
    pub deep: bool,
}

/// What a verification came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Runs whose layout, manifest and files were held against each other.
    pub runs: u64,
    /// Partitions that they tell of.
    pub partitions: u64,
    /// Offsets that their slices account for.
    pub offsets: u64,
    /// Data files that were looked at.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The run that is open.
    pub open: Option<RunNumber>,
    /// What is worth a word, and not wrong.
    pub notes: Vec<Finding>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    fn wrong(&mut self, at: &str, faults: impl IntoIterator<Item = String>) {
        self.findings.extend(faults.into_iter().map(|fault| Finding::new(at, fault)));
    }
}

/// Verifies a pipeline's destination.
///
/// # Errors
/// `Config` if the pipeline has no state, `Corrupt` if it must have had one; whatever keeps state or destination from being read.
/// What is wrong with what was read is a finding.
pub async fn verify<S: StateStore, O: ObjectStore, J: Joiner, R: ReadBack>(
    ports: &VerifyPorts<'_, S, O, J, R>,
    spec: &Spec,
    scope: VerifyScope,
    deadline: Deadline,
) -> Result<Verified> {
    let mut loaded = load(ports, &spec.pipeline, deadline).await?;
    for _ in 1..LOOKS_MAX {
        let done = look(ports, spec, &loaded.head, scope, deadline).await?;
        if done.is_whole() {
            return Ok(done);
        }
        let newer = load(ports, &spec.pipeline, deadline).await?;
        if newer.version == loaded.version {
            return Ok(done);
        }
        loaded = newer;
    }
    look(ports, spec, &loaded.head, scope, deadline).await
}

async fn load<S: StateStore, O: ObjectStore, J, R>(
    ports: &VerifyPorts<'_, S, O, J, R>,
    pipeline: &PipelineName,
    deadline: Deadline,
) -> Result<LoadedHead> {
    if let Some(loaded) = load_head(ports.state, pipeline, deadline).await? {
        return Ok(loaded);
    }
    let stands = ports.objects.list(&runs_prefix(pipeline), None, deadline).await?;
    Err(match stands.objects.first() {
        None => no_state(pipeline),
        Some(of_a_run) => Error::corrupt(format!(
            "pipeline {pipeline} has no state here, and {} stands in its destination: its state \
             was lost, or --state is another",
            of_a_run.path
        )),
    })
}

/// One look at everything.
async fn look<S: StateStore, O: ObjectStore, J: Joiner, R: ReadBack>(
    ports: &VerifyPorts<'_, S, O, J, R>,
    spec: &Spec,
    head: &Head,
    scope: VerifyScope,
    deadline: Deadline,
) -> Result<Verified> {
    let mut done =
        Verified { open: head.open.as_ref().map(|open| open.run), ..Verified::default() };
    let checkpoint = checkpoint(ports.state, head, &mut done, deadline).await?;
    let topics = checkpoint.iter().flat_map(|c| &c.entries).map(|entry| &entry.partition.topic);
    let mut tables = Tables::of(spec, topics);
    let listing = listing::Listing::of(ports.objects, head, &tables, deadline).await?;
    let records = records::Records::of(ports, head, scope, deadline).await?;
    let mut walk = walk::Walk::new(ports, spec, head, scope, &listing, &mut done);
    walk.follow(&records, deadline).await?;
    let (positions, named) = walk.end();
    done.partitions = u64::try_from(positions.partitions()).unwrap_or(u64::MAX);
    if let Some(checkpoint) = &checkpoint {
        let all = scope.since <= RunNumber(1);
        done.findings.extend(check_checkpoint(checkpoint, &positions, all));
    }
    listing.check_ours(&named, scope, &mut done);
    listing.note_staged(head, &mut done);
    let strangers = listing.strangers(ports.objects, &named, &mut tables, deadline).await?;
    listing::check_strangers(ports, &head.pipeline, &strangers, &mut done, deadline).await?;
    Ok(done)
}

/// The head's checkpoint. That it is not what the head names is a finding.
async fn checkpoint(
    state: &impl StateStore,
    head: &Head,
    done: &mut Verified,
    deadline: Deadline,
) -> Result<Option<Checkpoint>> {
    let loaded = load_checkpoint(state, &head.pipeline, head.checkpoint.as_ref(), deadline).await;
    match loaded {
        Ok(checkpoint) => Ok(Some(checkpoint)),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            done.wrong("the checkpoint", [error.message().to_owned()]);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The whole bytes of an object; none if it is not there.
async fn read_all(
    objects: &impl ObjectStore,
    path: &str,
    deadline: Deadline,
) -> Result<Option<Bytes>> {
    let read = objects.read(path, ReadRange::All, deadline).await;
    let read = read.map_err(|error| error.while_doing(format!("read {path}")))?;
    Ok(read.map(|object| object.bytes))
}
