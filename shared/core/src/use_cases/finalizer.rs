//! *Finalize a run*: lay it out, publish it, commit it, tidy up.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;

use super::commit::{commit, delete_staged, give_back, go_on, write_checkpoint};
use super::committed::{Committed, summary};
use super::layouts::{self, StandingLayout, reference};
use super::lease::{Holder, holder};
use super::publish::{Published, publish, write_manifest};
use super::state::{
    LoadedHead, load_checkpoint, load_head, load_output, load_plan, load_task, swap_head,
};
use super::{CONFLICTS_MAX, SIDE_BY_SIDE, Settings};
use crate::documents::{Checkpoint, CheckpointEntry, FORMAT, Head, Lease, OpenRun, Plan};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::layout::{Settled, TaskResult, settle};
use crate::planning::{Lag, lag};
use crate::ports::{Clock, FinalizerEvent, Invoker, Joiner, ObjectStore, StateStore};
use crate::time::Deadline;
use crate::words::RandomId;

/// What a finalizer works with. `holder` was made known with [`StateStore::hold`].
#[derive(Debug)]
pub struct FinalizerPorts<'a, S, O, J, I, C> {
    /// The state.
    pub state: &'a S,
    /// The destination.
    pub objects: &'a O,
    /// Joins files.
    pub joiner: &'a J,
    /// Starts the next run, or this finalizer again.
    pub invoker: &'a I,
    /// Time and chance.
    pub clock: &'a C,
    /// Who finalizes: holds the finalizing lease.
    pub holder: RandomId,
    /// The deployment's choices.
    pub settings: Settings,
}

/// How finalizing ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalizeOutcome {
    /// The run is committed.
    Committed(Box<Committed>),
    /// The run is closed already or given up, or goes by another plan: nothing was done.
    Stale,
    /// Another finalizer is at work.
    Busy,
    /// Outputs are missing.
    Incomplete {
        /// How many.
        missing: usize,
    },
    /// Its time was up when it had published some of the files: another was started, to go on.
    GoesOn {
        /// How many it published.
        files: u64,
    },
}

/// An open run, ready to be settled.
#[derive(Debug)]
pub(super) struct Work {
    /// The head whose finalizing lease is ours.
    pub(super) head: Head,
    pub(super) open: OpenRun,
    pub(super) plan: Plan,
    pub(super) base: Checkpoint,
    pub(super) results: Vec<TaskResult>,
    /// Data files that this finalizer made appear.
    pub(super) published: AtomicU64,
}

/// Finalizes a run.
///
/// # Errors
/// `Corrupt` where state or destination are not what the protocol wrote: nothing is published
/// then. Anything else is tried again by the next tick; the lease is given back.
pub async fn finalize<S, O, J, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    event: &FinalizerEvent,
    deadline: Deadline,
) -> Result<FinalizeOutcome>
where
    S: StateStore,
    O: ObjectStore,
    J: Joiner,
    I: Invoker,
    C: Clock,
{
    let verb = || format!("finalize run {}", event.run);
    let work = match begin(ports, event, deadline).await.while_doing(verb)? {
        Ok(work) => work,
        Err(outcome) => return Ok(outcome),
    };
    let work_by = deadline.earlier_by(ports.settings.last_word);
    match settle_run(ports, &work, event.set_aside, work_by).await {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            // The lease only saves money: that giving it back fails costs a wait.
            let _ = give_back(ports, event, deadline).await;
            let files = work.published.load(Ordering::Relaxed);
            // A port that was cut off by the deadline may say that its peer did not answer.
            let late = match error.kind() {
                ErrorKind::OutOfTime => true,
                ErrorKind::Unavailable => ports.clock.now() >= work_by.0,
                _ => false,
            };
            if late && files > 0 {
                ports.invoker.start_finalizer(event, deadline).await?;
                return Ok(FinalizeOutcome::GoesOn { files });
            }
            Err(error.while_doing(verb()))
        }
    }
}

/// Loads what the run is made of and takes the finalizing lease.
async fn begin<S: StateStore, O, J, I, C: Clock>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    event: &FinalizerEvent,
    deadline: Deadline,
) -> Result<Result<Work, FinalizeOutcome>> {
    let ask = |lease| {
        let (state, clock, settings) = (ports.state, ports.clock, &ports.settings);
        holder(state, clock, settings, &event.pipeline, lease, deadline)
    };
    for _ in 0..CONFLICTS_MAX {
        let loaded = load_head(ports.state, &event.pipeline, deadline).await?;
        let Some((LoadedHead { version, mut head }, open)) = loaded.and_then(|l| ours(l, event))
        else {
            return Ok(Err(FinalizeOutcome::Stale));
        };
        if let Some(lease) = open.finalizing
            && lease.holder != ports.holder
            && ask(lease).await? == Holder::Lives
        {
            return Ok(Err(FinalizeOutcome::Busy));
        }
        let plan = load_plan(ports.state, &event.pipeline, &open, deadline).await?;
        let results = match load_results(ports, &plan, deadline).await? {
            Ok(results) => results,
            Err(missing) => return Ok(Err(FinalizeOutcome::Incomplete { missing })),
        };
        let base =
            load_checkpoint(ports.state, &event.pipeline, plan.base.as_ref(), deadline).await?;
        let until = ports.clock.now().after(ports.settings.finalizing_lease);
        let open = OpenRun {
            finalizing: Some(Lease { holder: ports.holder, until }),
            finalizer_starts: open.finalizer_starts + 1,
            ..open
        };
        head.open = Some(open.clone());
        let swapped =
            swap_head(ports.state, ports.clock, Some(version), &mut head, deadline).await?;
        if swapped.is_some() {
            return Ok(Ok(Work { head, open, plan, base, results, published: AtomicU64::new(0) }));
        }
    }
    Err(Error::conflict(format!("the head of {} changes all the time", event.pipeline)))
}

/// The open run that the event names.
pub(super) fn ours(loaded: LoadedHead, event: &FinalizerEvent) -> Option<(LoadedHead, OpenRun)> {
    let open = loaded.head.open_as(event.run, event.plan)?.clone();
    Some((loaded, open))
}

/// Tasks and outputs; the number of missing outputs, if there are any.
async fn load_results<S: StateStore, O, J, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    plan: &Plan,
    deadline: Deadline,
) -> Result<Result<Vec<TaskResult>, usize>> {
    let mut results = Vec::new();
    let mut missing = 0;
    let tasks: Vec<u32> = (0..plan.tasks).collect();
    for some in tasks.chunks(SIDE_BY_SIDE) {
        let loads = some.iter().map(|task| async {
            let run = (plan.run, plan.plan);
            let output = load_output(ports.state, &plan.pipeline, run, *task, deadline).await?;
            let Some(output) = output else { return Ok(None) };
            let task = load_task(ports.state, plan, *task, deadline).await?;
            Ok(Some(TaskResult { task, output, set_aside: None }))
        });
        let loaded: Vec<Option<TaskResult>> = try_join_all(loads).await?;
        missing += loaded.iter().filter(|result| result.is_none()).count();
        results.extend(loaded.into_iter().flatten());
    }
    Ok(if missing == 0 { Ok(results) } else { Err(missing) })
}

async fn settle_run<S, O, J, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    set_aside: bool,
    deadline: Deadline,
) -> Result<FinalizeOutcome>
where
    S: StateStore,
    O: ObjectStore,
    J: Joiner,
    I: Invoker,
    C: Clock,
{
    let mut done = summary(work);
    let Some(standing) = standing(ports, work, set_aside, deadline).await? else {
        return Ok(FinalizeOutcome::Stale);
    };
    let (entries, cluster_id) = match &standing {
        Ok(standing) => {
            let joined = &mut done.joined;
            let published = publish(ports, work, standing, joined, deadline).await?;
            let Published::All(sizes) = published else { return Ok(FinalizeOutcome::Stale) };
            let manifest = write_manifest(ports, standing, &sizes, deadline).await?;
            done.told(standing, manifest.files.iter().map(|file| file.bytes).sum());
            (standing.layout.entries.clone(), standing.layout.cluster_id.clone())
        }
        Err(entries) => (entries.clone(), work.plan.cluster_id.clone()),
    };
    let checkpoint = Checkpoint {
        format: FORMAT,
        pipeline: work.plan.pipeline.clone(),
        run: work.plan.run,
        cluster_id,
        entries: work.base.with(&entries),
    };
    done.lag = lag(&checkpoint.entries, &work.plan.ends, ports.clock.now())
        .into_values()
        .fold(Lag::default(), Lag::and);
    done.entries = entries;
    let named = write_checkpoint(ports, work, &checkpoint, deadline).await?;
    let reference = standing.as_ref().ok().map(reference);
    let committed = commit(ports, work, &named, reference.as_ref(), deadline).await?;
    let Some(spec) = committed else { return Ok(FinalizeOutcome::Stale) };
    let mut tidied = go_on(ports, work, &done, &spec, deadline).await;
    if reference.is_some() {
        let (pipeline, run) = (&work.plan.pipeline, work.plan.run);
        tidied = tidied.and(delete_staged(ports.objects, pipeline, run, deadline).await);
    }
    done.untidy = tidied.err().map(|error| error.to_string());
    Ok(FinalizeOutcome::Committed(Box::new(done)))
}

/// The run's layout, found or written; the entries of a run that needs none; nothing if the run was
/// closed meanwhile.
async fn standing<S: StateStore, O: ObjectStore, J: Joiner, I, C: Clock>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    set_aside: bool,
    deadline: Deadline,
) -> Result<Option<Result<StandingLayout, Vec<CheckpointEntry>>>> {
    let (state, objects) = (ports.state, ports.objects);
    let found = layouts::find_while_open(state, objects, &work.head, &work.open, deadline).await;
    Ok(Some(match (found, settle(&work.plan, &work.base, &work.results)) {
        (Ok(None), _) => return Ok(None),
        // What stands counts, whatever this version of the code would have made of the run.
        (Ok(Some(Some(standing))), _) => Ok(standing),
        // A destination that will answer later is asked again: a layout may stand there, of which
        // a state that was restored knows nothing. And with another's this state must not go on.
        (Err(error), Settled::Nothing { .. })
            if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Corrupt) =>
        {
            return Err(error);
        }
        // A wrong destination or a right that is missing must not keep such a run open.
        (Ok(Some(None)) | Err(_), Settled::Nothing { entries }) => Err(entries),
        (found, Settled::NeedsLayout) => {
            found?;
            Ok(layouts::write(ports, work, set_aside, deadline).await?)
        }
    }))
}
