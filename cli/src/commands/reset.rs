//! `reset`: an operator decides where partitions go on.

mod distinct;
mod show;
mod target;

use std::sync::Arc;

use tidegate_core::planning::{ResetChange, ResetScope};
use tidegate_core::ports::{Clock, StateStore};
use tidegate_core::use_cases::{ResetOutcome, ResetRequest, reset};
use tidegate_local::LocalInvoker;

use crate::args::ResetArgs;
use crate::deployment::Deployment;
use crate::driver::{self, Embedded, Named};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;

/// Resets, and shows what that changes.
pub(crate) async fn run(
    args: &ResetArgs,
    state: Option<&str>,
    json: bool,
) -> Result<Exit, Failure> {
    let Deployment { spec, state, objects, log } =
        Deployment::open_to_look(&args.spec.path, state).await?;
    let request = ResetRequest {
        scope: ResetScope {
            to: target::parse(&args.to)?,
            topics: args.topics.iter().map(|topic| Arc::from(topic.as_str())).collect(),
        },
        reason: args.reason.clone(),
        allow_duplicates: args.allow_duplicates,
        dry_run: args.dry_run,
    };
    let ports = Embedded::new(state, objects, log, 1);
    let holder = ports.clock.random_id();
    // A dry run takes no lease, and writes nothing: not even who holds it.
    let _hold = match args.dry_run {
        true => None,
        false => Some(ports.state.hold(&spec.pipeline, holder, ports.deadline()).await?),
    };
    let invoker = LocalInvoker::new();
    let planner = ports.planner(holder, &invoker);
    let outcome = Box::pin(reset(&planner, &spec, &request, ports.deadline())).await?;
    let pipeline = &spec.pipeline;
    match outcome {
        ResetOutcome::Nothing => show::nothing(pipeline, json),
        ResetOutcome::Planned(changes) => {
            show::changes(&changes, json);
            show::planned(pipeline, &changes, request.allow_duplicates, json);
        }
        ResetOutcome::Opened { run, plan, changes } => {
            let named = Named { pipeline, run, plan };
            let finished =
                driver::finish(&ports, named, holder, &invoker, &Progress::hidden()).await?;
            show::changes(&changes, json);
            show::done(pipeline, run, (&changes, finished.is_some()), json);
        }
    }
    Ok(Exit::Done)
}

/// Offsets that are passed over, and offsets that are read again.
fn sums(changes: &[ResetChange]) -> (u64, u64) {
    let sum = |of: fn(&ResetChange) -> u64| changes.iter().map(of).fold(0, u64::saturating_add);
    (sum(ResetChange::lost), sum(ResetChange::again))
}
