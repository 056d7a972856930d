//! What an operator does in the simulation: a process of its own, as `tidegate reset` and
//! `tidegate abort` are.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use tidegate_core::error::Result;
use tidegate_core::planning::{ResetScope, ResetTo};
use tidegate_core::ports::FinalizerEvent;
use tidegate_core::spec::Spec;
use tidegate_core::time::{Deadline, Millis};
use tidegate_core::use_cases::{
    AbortPorts, PlannerPorts, ResetOutcome, ResetRequest, Settings, abort, abortable, reset,
};
use tidegate_core::words::RandomId;

use crate::actor::Ports;
use crate::file::SimEncoder;
use crate::rng::Rng;
use crate::sabotage::Sabotage;
use crate::world::State;

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// `tidegate reset`.
    Reset(ResetRequest),
    /// `tidegate abort` of whatever run is open.
    Abort,
}

/// An order and the pipeline's spec.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatorEvent {
    /// The spec.
    pub spec: Value,
    /// The order.
    pub order: Order,
}

impl fmt::Display for OperatorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operator {:?}", self.order)
    }
}

impl Order {
    /// A reset of everything, or of one topic, to any place, with permission or without.
    pub(crate) fn any_reset(state: &mut State, topic: &str, partition: i32, rng: &mut Rng) -> Self {
        let allow_duplicates = rng.per_mille(700);
        let to = match rng.below(4) {
            0 => ResetTo::Earliest,
            1 => ResetTo::Latest,
            2 => ResetTo::Time(Millis(state.now - rng.millis(7_200_000))),
            _ => {
                let end = state.kafka.log(topic, partition).map_or(0, |log| log.high_watermark());
                ResetTo::Offsets(vec![(Arc::from(topic), partition, rng.millis(end + 1))])
            }
        };
        let topics = if rng.per_mille(500) { vec![Arc::from(topic)] } else { Vec::new() };
        // Unlike all others, so that a manifest tells whose it is.
        let reason = format!("reset {}", rng.bits());
        if allow_duplicates {
            state.watch.permitted.insert(reason.clone());
        }
        let scope = ResetScope { to, topics };
        Self::Reset(ResetRequest { scope, reason, allow_duplicates, dry_run: false })
    }
}

/// Does what the operator wants; what came of it, in words. `finalize` does what the reset's
/// finalizer would, in a process that is alone.
pub(crate) async fn obey(
    ports: &Ports,
    holder: RandomId,
    settings: Settings,
    event: &OperatorEvent,
    deadline: Deadline,
) -> Result<(String, Option<FinalizerEvent>)> {
    let spec = Spec::from_value(&event.spec)?;
    match &event.order {
        Order::Abort => {
            let aborting = AbortPorts {
                state: ports,
                objects: ports,
                encoder: &SimEncoder,
                clock: ports,
                settings,
            };
            let Some(open) = abortable(&aborting, &spec, deadline).await? else {
                return Ok(("nothing to abort".to_owned(), None));
            };
            let done = abort(&aborting, &spec.pipeline, open.run, "given up", deadline).await?;
            Ok((format!("{done:?}"), None))
        }
        Order::Reset(request) => {
            let planner = PlannerPorts {
                state: ports,
                log: ports,
                invoker: ports,
                clock: ports,
                holder,
                observer: None,
                settings,
            };
            let broken = ports.world().with(|state| state.sabotaged(Sabotage::ResetAsksNobody));
            let allow_duplicates = request.allow_duplicates || broken;
            let request = ResetRequest { allow_duplicates, ..request.clone() };
            let done = reset(&planner, &spec, &request, deadline).await?;
            let event = match &done {
                ResetOutcome::Opened { run, plan, .. } => Some(FinalizerEvent {
                    pipeline: spec.pipeline,
                    run: *run,
                    plan: *plan,
                    set_aside: false,
                }),
                ResetOutcome::Nothing | ResetOutcome::Planned(_) => None,
            };
            Ok((format!("{done:?}"), event))
        }
    }
}
