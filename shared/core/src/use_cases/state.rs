//! Head and documents, typed and checked.

use crate::documents::{
    self, Checkpoint, CheckpointRef, FORMAT, Head, OpenRun, Output, Plan, Task,
};
use crate::error::{Context, Error, Result};
use crate::ports::{Clock, Document, StateStore, Swapped};
use crate::spec::Spec;
use crate::time::Deadline;
use crate::words::{PipelineName, RandomId, RunNumber};

/// The head and the version that a swap is conditional on.
#[derive(Clone, Debug)]
pub struct LoadedHead {
    /// The store's version.
    pub version: u64,
    /// The head.
    pub head: Head,
}

/// The head of a pipeline; none if it has none.
pub async fn load_head(
    state: &impl StateStore,
    pipeline: &PipelineName,
    deadline: Deadline,
) -> Result<Option<LoadedHead>> {
    let stored =
        state.load_head(pipeline, deadline).await.while_doing(|| "load the head".into())?;
    let Some(stored) = stored else { return Ok(None) };
    let head: Head = documents::decode(&stored.bytes, &format!("the head of {pipeline}"))?;
    if head.pipeline != *pipeline {
        return Err(Error::corrupt(format!(
            "the head of {pipeline} is that of {}: two pipelines share a state",
            head.pipeline
        )));
    }
    Ok(Some(LoadedHead { version: stored.version, head }))
}

/// Swaps the head; the new version, or none if somebody was faster.
pub(super) async fn swap_head(
    state: &impl StateStore,
    clock: &impl Clock,
    expected: Option<u64>,
    head: &mut Head,
    deadline: Deadline,
) -> Result<Option<u64>> {
    head.swap = clock.random_id();
    let bytes = documents::encode(head);
    let swapped = state
        .swap_head(&head.pipeline, expected, bytes, deadline)
        .await
        .while_doing(|| "swap the head".into())?;
    Ok(match swapped {
        Swapped::Ours { version } => Some(version),
        Swapped::Conflict => None,
    })
}

/// Refuses a spec whose destination is not the head's: half of the files would be elsewhere.
pub fn check_destination(spec: &Spec, head: &Head) -> Result<()> {
    let destination = spec.destination.to_string();
    if head.destination == destination {
        return Ok(());
    }
    Err(Error::config(format!(
        "destination: {destination} is not where pipeline {} writes, which is {}: change it \
         back, or give the pipeline another name (this version cannot move one)",
        spec.pipeline, head.destination
    )))
}

/// What a pipeline without a head is told.
pub(super) fn no_state(pipeline: &PipelineName) -> Error {
    Error::config(format!(
        "pipeline {pipeline} has no state here: it never ran, or --state is another"
    ))
}

/// Sets or lifts the pause. A pipeline without a head has nothing to pause: `Config`.
pub async fn set_paused(
    state: &impl StateStore,
    clock: &impl Clock,
    pipeline: &PipelineName,
    paused: bool,
    deadline: Deadline,
) -> Result<()> {
    for _ in 0..super::CONFLICTS_MAX {
        let Some(LoadedHead { version, mut head }) = load_head(state, pipeline, deadline).await?
        else {
            return Err(no_state(pipeline));
        };
        if head.paused == paused {
            return Ok(());
        }
        head.paused = paused;
        if swap_head(state, clock, Some(version), &mut head, deadline).await?.is_some() {
            return Ok(());
        }
    }
    Err(Error::conflict(format!("the head of {pipeline} changes all the time: try again")))
}

/// The plan of the open run.
pub async fn load_plan(
    state: &impl StateStore,
    pipeline: &PipelineName,
    open: &OpenRun,
    deadline: Deadline,
) -> Result<Plan> {
    let document = Document::Plan(open.run, open.plan);
    let bytes = load_named(state, pipeline, document, &open.plan_hash, deadline).await?;
    documents::decode(&bytes, &format!("{document} of {pipeline}"))
}

/// A task of a plan.
pub async fn load_task(
    state: &impl StateStore,
    plan: &Plan,
    task: u32,
    deadline: Deadline,
) -> Result<Task> {
    let document = Document::Task(plan.run, plan.plan, task);
    let hash = usize::try_from(task).ok().and_then(|at| plan.task_hashes.get(at));
    let hash = hash.ok_or_else(|| {
        Error::corrupt(format!("run {} has {} tasks, and no task {task}", plan.run, plan.tasks))
    })?;
    let bytes = load_named(state, &plan.pipeline, document, hash, deadline).await?;
    documents::decode(&bytes, &format!("{document} of {}", plan.pipeline))
}

/// A checkpoint; the empty one for none.
pub async fn load_checkpoint(
    state: &impl StateStore,
    pipeline: &PipelineName,
    named: Option<&CheckpointRef>,
    deadline: Deadline,
) -> Result<Checkpoint> {
    let Some(named) = named else {
        return Ok(Checkpoint {
            format: FORMAT,
            pipeline: pipeline.clone(),
            run: RunNumber(0),
            cluster_id: None,
            entries: Vec::new(),
        });
    };
    let document = Document::Checkpoint(named.run, named.plan);
    Checkpoint::decode(&load_named(state, pipeline, document, &named.hash, deadline).await?)
}

/// The output of a task; none if it is not there yet.
pub(super) async fn load_output(
    state: &impl StateStore,
    pipeline: &PipelineName,
    (run, plan): (RunNumber, RandomId),
    task: u32,
    deadline: Deadline,
) -> Result<Option<Output>> {
    let document = Document::Output(run, plan, task);
    let bytes = state
        .load(pipeline, document, deadline)
        .await
        .while_doing(|| format!("load {document}"))?;
    bytes.map(|b| documents::decode(&b, &format!("{document} of {pipeline}"))).transpose()
}

/// A document that another names, with its hash. Missing is corrupt, never "there is none".
async fn load_named(
    state: &impl StateStore,
    pipeline: &PipelineName,
    document: Document,
    hash: &str,
    deadline: Deadline,
) -> Result<bytes::Bytes> {
    let bytes = state
        .load(pipeline, document, deadline)
        .await
        .while_doing(|| format!("load {document}"))?;
    let bytes = bytes.ok_or_else(|| {
        Error::corrupt(format!(
            "{document} of {pipeline} is missing, though the state names it: the state was \
             damaged or put back to an earlier point, or the run is open for longer than its \
             documents are kept; `tidegate abort` gives an open run up"
        ))
    })?;
    let found = documents::hash(&bytes);
    if found == hash {
        return Ok(bytes);
    }
    Err(Error::corrupt(format!(
        "{document} of {pipeline} has hash {found}, and the state names {hash}: it was changed"
    )))
}
