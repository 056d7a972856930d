//! Opening a run: its plan is written, then the head names it.

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::SIDE_BY_SIDE;
use super::planner::PlannerPorts;
use super::state::swap_head;
use crate::documents::{self, FORMAT, Head, Lease, OpenRun, Plan};
use crate::error::{Context, Error, Result};
use crate::planning::PlannedRun;
use crate::ports::{Clock, Document, StateStore, Written};
use crate::spec::Spec;
use crate::time::{Deadline, Millis};
use crate::words::{RandomId, RunNumber};

/// Writes a plan and opens its run in the head; false if somebody else swapped it.
pub(super) async fn open_planned<S: StateStore, L, I, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    (version, head): (Option<u64>, Head),
    planned: &PlannedRun,
    chain: u32,
    deadline: Deadline,
) -> Result<bool> {
    let plan_hash = write_plan(ports, planned, deadline).await?;
    let open = OpenRun {
        run: planned.plan.run,
        plan: planned.plan.plan,
        plan_hash,
        opened_at: planned.plan.planned_at,
        chain,
        attempts: vec![1; planned.tasks.len()],
        quarantined: planned.quarantined.clone(),
        reading: lease(ports),
        finalizing: None,
        finalizer_starts: 0,
        aborting: None,
    };
    let mut head = Head { last_run: open.run, open: Some(open), ..head };
    Ok(swap_head(ports.state, ports.clock, version, &mut head, deadline).await?.is_some())
}

/// The head of a pipeline that has none yet.
pub(super) fn first_head(spec: &Spec, observer: Option<&str>, birth_id: RandomId) -> Head {
    Head {
        format: FORMAT,
        pipeline: spec.pipeline.clone(),
        birth_id,
        swap: birth_id,
        destination: spec.destination.to_string(),
        checkpoint: None,
        layout: None,
        manifest: None,
        last_run: RunNumber(0),
        open: None,
        spec: spec.to_json(),
        paused: false,
        observer: observer.map(str::to_owned),
    }
}

/// A reading lease from now on.
pub(super) fn lease<S, L, I, C: Clock>(ports: &PlannerPorts<'_, S, L, I, C>) -> Lease {
    let until = ports.clock.now().after(ports.settings.reading_lease);
    Lease { holder: ports.holder, until }
}

/// Writes the tasks and then the plan that names them; answers the plan's hash.
async fn write_plan<S: StateStore, L, I, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    planned: &PlannedRun,
    deadline: Deadline,
) -> Result<String> {
    let plan = &planned.plan;
    let expires = Some(plan.planned_at.after(ports.settings.document_expiry));
    let (run, id) = (plan.run, plan.plan);
    let header = documents::encode(plan);
    let hash = documents::hash(&header);
    for some in planned.tasks.chunks(SIDE_BY_SIDE) {
        let writes = some.iter().map(|task| {
            let document = Document::Task(run, id, task.task);
            write_new(ports, plan, document, documents::encode(task), expires, deadline)
        });
        try_join_all(writes).await?;
    }
    write_new(ports, plan, Document::Plan(run, id), header, expires, deadline).await?;
    Ok(hash)
}

async fn write_new<S: StateStore, L, I, C>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    plan: &Plan,
    document: Document,
    bytes: Bytes,
    expires: Option<Millis>,
    deadline: Deadline,
) -> Result<()> {
    let written = ports.state.write(&plan.pipeline, document, bytes, expires, deadline).await;
    match written.while_doing(|| format!("write {document}"))? {
        Written::Ours => Ok(()),
        Written::Stands(_) => Err(Error::corrupt(format!(
            "{document} of {} stands already, though its id is new",
            plan.pipeline
        ))),
    }
}
