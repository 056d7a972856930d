//! The layout of a run: found in the chain, or written there once.

use futures_util::future::try_join_all;

use super::finalizer::{FinalizerPorts, Work};
use super::moving::read_footer;
use super::state::load_head;
use super::{SIDE_BY_SIDE, staging};
use crate::documents::{self, Head, Layout, LayoutRef, OpenRun};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::layout::{self, Aside, Fault, Situation, TaskResult};
use crate::names;
use crate::ports::{
    Cause, Clock, Created, Joiner, ObjectStore, ReadRange, ReaderEvent, StateStore,
};
use crate::spec::Spec;
use crate::time::Deadline;
use crate::words::RunNumber;

/// A layout and its hash.
#[derive(Clone, Debug)]
pub(super) struct StandingLayout {
    pub(super) layout: Layout,
    pub(super) hash: String,
    /// Whether it stood already, so that some of its files may stand too.
    pub(super) adopted: bool,
}

/// The layout of the run `open`, if it stands.
pub(super) async fn find(
    objects: &impl ObjectStore,
    head: &Head,
    open: &OpenRun,
    deadline: Deadline,
) -> Result<Option<StandingLayout>> {
    let path = path(head);
    let read = objects.read(&path, ReadRange::All, deadline).await;
    let stands = read.while_doing(|| format!("look for layout {path}"))?;
    stands.map(|stands| adopt(head, open, &path, &stands.bytes)).transpose()
}

/// As [`find`], for those who may be late; none if the run was closed meanwhile: then what stands
/// may be the layout of a later one.
pub(super) async fn find_while_open(
    state: &impl StateStore,
    objects: &impl ObjectStore,
    head: &Head,
    open: &OpenRun,
    deadline: Deadline,
) -> Result<Option<Option<StandingLayout>>> {
    match find(objects, head, open, deadline).await {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            let now = load_head(state, &head.pipeline, deadline).await?;
            let still = now.and_then(|now| now.head.open);
            let still = still.is_some_and(|s| (s.run, s.plan) == (open.run, open.plan));
            if still { Err(error) } else { Ok(None) }
        }
        found => found.map(Some),
    }
}

/// Creates the layout of the run `open`; one that stands meanwhile is adopted.
pub(super) async fn create(
    objects: &impl ObjectStore,
    head: &Head,
    open: &OpenRun,
    layout: Layout,
    deadline: Deadline,
) -> Result<StandingLayout> {
    let path = path(head);
    let bytes = documents::encode(&layout);
    let hash = documents::hash(&bytes);
    let created = objects.create(&path, bytes, &[], deadline).await;
    match created.while_doing(|| format!("write layout {path}"))? {
        Created::Ours => Ok(StandingLayout { layout, hash, adopted: false }),
        Created::Stands => find(objects, head, open, deadline)
            .await?
            .ok_or_else(|| Error::unavailable(format!("layout {path} stands, and cannot be read"))),
    }
}

/// Writes the layout of this run; if one stands meanwhile, it is adopted.
pub(super) async fn write<S: StateStore, O: ObjectStore, J: Joiner, I, C: Clock>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    set_aside: bool,
    deadline: Deadline,
) -> Result<StandingLayout> {
    let results = checked(ports, work, set_aside, deadline).await?;
    let spec = Spec::from_value(&work.plan.spec)?;
    let situation = Situation {
        previous_layout: work.head.layout.as_ref(),
        previous_manifest: work.head.manifest,
        now: ports.clock.now(),
        target_bytes: spec.files.target_bytes.get(),
    };
    let layout = layout::lay_out(&work.plan, &work.base, &results, &situation);
    create(ports.objects, &work.head, &work.open, layout, deadline).await
}

/// The layout's name: the successor of the one before it.
fn path(head: &Head) -> String {
    let after = head.layout.as_ref().map_or(RunNumber(0), |layout| layout.run);
    names::LayoutFile { pipeline: head.pipeline.clone(), after }.to_string()
}

/// A layout that stands is ours if it is of this run's plan.
fn adopt(head: &Head, open: &OpenRun, path: &str, bytes: &[u8]) -> Result<StandingLayout> {
    let layout: Layout = documents::decode(bytes, &format!("layout {path}"))?;
    if (layout.run, layout.plan, layout.birth_id) == (open.run, open.plan, head.birth_id) {
        return Ok(StandingLayout { hash: documents::hash(bytes), layout, adopted: true });
    }
    Err(Error::corrupt(format!(
        "{path} is the layout of another plan (run {}, plan {}): this state is not the one that \
         the destination was written with, or two pipelines named {} write there; nothing was \
         published by run {}",
        layout.run, layout.plan, head.pipeline, open.run
    )))
}

/// The tasks' results, with those set aside that cannot be believed.
async fn checked<S, O: ObjectStore, J: Joiner, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    set_aside: bool,
    deadline: Deadline,
) -> Result<Vec<TaskResult>> {
    let mut results = work.results.clone();
    for result in &mut results {
        let TaskResult { task, output, set_aside: aside } = result;
        if set_aside && output.abandoned.is_none() {
            let message = "the run could not be laid out three times".to_owned();
            let cause = Cause { kind: ErrorKind::Unavailable, message };
            *aside = Some(Aside { cause, slices: Vec::new() });
            continue;
        }
        let fault = layout::check_output(&work.plan.pipeline, work.plan.run, task, output).err();
        *aside = match fault {
            Some(Fault { slice, message }) => {
                let cause = Cause { kind: ErrorKind::Corrupt, message };
                Some(Aside { cause, slices: slice.into_iter().collect() })
            }
            None => {
                let fault = staged_fault(ports, work, task.task, output, deadline).await?;
                fault.map(|message| {
                    let cause = Cause { kind: ErrorKind::Unavailable, message };
                    Aside { cause, slices: Vec::new() }
                })
            }
        };
    }
    Ok(results)
}

/// What is wrong with a task's staged files, if anything is.
async fn staged_fault<S, O: ObjectStore, J: Joiner, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    task: u32,
    output: &documents::Output,
    deadline: Deadline,
) -> Result<Option<String>> {
    let expected = staging::metadata(&ReaderEvent {
        pipeline: work.plan.pipeline.clone(),
        run: work.plan.run,
        plan: work.plan.plan,
        task,
        attempt: output.attempt,
    });
    for some in output.files.chunks(SIDE_BY_SIDE) {
        let footers = some.iter().map(|file| async {
            let read = read_footer(ports.objects, ports.joiner, &file.path, deadline).await;
            match read {
                Ok(footer) => Ok(layout::check_footer(file, footer.as_ref(), &expected).err()),
                Err(error) if error.kind() == ErrorKind::Corrupt => Ok(Some(error.to_string())),
                Err(error) => Err(error.while_doing(format!("check staged file {}", file.path))),
            }
        });
        if let Some(fault) = try_join_all(footers).await?.into_iter().flatten().next() {
            return Ok(Some(fault));
        }
    }
    Ok(None)
}

/// The reference that the head keeps.
pub(super) fn reference(standing: &StandingLayout) -> LayoutRef {
    LayoutRef { run: standing.layout.run, hash: standing.hash.clone() }
}
