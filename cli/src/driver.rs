//! Planner, readers and finalizer in one process: what the functions are to AWS, generic over
//! the ports.

mod finish;
mod readers;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tidegate_core::Result;
use tidegate_core::documents::LeftOut;
use tidegate_core::ports::{
    Clock, Encoder, Joiner, LogSource, ObjectStore, PlannerEvent, PlannerMode, StateStore,
};
use tidegate_core::spec::Spec;
use tidegate_core::time::Deadline;
use tidegate_core::use_cases::{
    Committed, LagReport, PlannerPorts, Settings, TickOutcome, TickReport, tick,
};
use tidegate_core::words::RandomId;
use tidegate_local::{LocalInvoker, SystemClock};
use tidegate_parquet::{ParquetJoiner, RawEncoder};

use crate::progress::Progress;

pub(crate) use self::finish::{Named, finish};

/// How long a planner, a reader or a finalizer may take: as long as a Lambda function.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The ports of one process.
#[derive(Debug)]
pub(crate) struct Embedded<S, O, L, E, J, C> {
    /// The state.
    pub(crate) state: S,
    /// The destination.
    pub(crate) objects: O,
    /// Kafka.
    pub(crate) log: L,
    /// Makes files.
    pub(crate) encoder: E,
    /// Joins files.
    pub(crate) joiner: J,
    /// Time and chance.
    pub(crate) clock: C,
    /// Core's settings.
    pub(crate) settings: Settings,
    /// How many readers work side by side.
    pub(crate) readers: usize,
}

/// What a tick and the work that it started came to.
#[derive(Debug)]
pub(crate) struct Pass {
    /// What the tick did.
    pub(crate) outcome: TickOutcome,
    /// How far behind the tick found the pipeline.
    pub(crate) lag: Option<LagReport>,
    /// Topics and partitions that took no part, and why.
    pub(crate) left_out: Vec<LeftOut>,
    /// The run that this process committed.
    pub(crate) committed: Option<Committed>,
    /// How long it all took.
    pub(crate) took: Duration,
}

/// One tick, and whatever it starts: readers side by side, then the finalizer. `holder` was made
/// known with [`StateStore::hold`]; that a run's finalizer would start the next planner is left
/// to the caller.
///
/// # Errors
/// The first of a reader's, or the finalizer's. The run stays open then, and the next pass rolls
/// it forward.
pub(crate) async fn pass<S, O, L, E, J, C>(
    ports: &Arc<Embedded<S, O, L, E, J, C>>,
    spec: &Spec,
    holder: RandomId,
    progress: &Progress,
) -> Result<Pass>
where
    S: StateStore + 'static,
    O: ObjectStore<Upload: Sync> + 'static,
    L: LogSource + 'static,
    E: Encoder<File: Sync> + 'static,
    J: Joiner + 'static,
    C: Clock + 'static,
{
    let began = ports.clock.now();
    let invoker = LocalInvoker::new();
    let planner = ports.planner(holder, &invoker);
    let event = PlannerEvent { spec: spec.to_json(), mode: PlannerMode::Tick, chain: 0 };
    let ticked = Box::pin(tick(&planner, &event, ports.deadline())).await?;
    let TickReport { outcome, lag, left_out, troubles, open_since: _ } = ticked;
    troubles.iter().for_each(|trouble| tracing::warn!("{trouble}"));
    let committed = match outcome {
        TickOutcome::Idle
        | TickOutcome::Busy { .. }
        | TickOutcome::Aborting { .. }
        | TickOutcome::Paused => None,
        TickOutcome::Opened { run, plan, .. } | TickOutcome::RolledForward { run, plan, .. } => {
            let named = Named { pipeline: &spec.pipeline, run, plan };
            finish(ports, named, holder, &invoker, progress).await?
        }
    };
    let took = ports.clock.now().since(began);
    Ok(Pass { outcome, lag, left_out, committed, took })
}

impl<S, O, L> Embedded<S, O, L, RawEncoder, ParquetJoiner, SystemClock> {
    /// The ports of this process, with so many readers side by side.
    pub(crate) fn new(state: S, objects: O, log: L, readers: usize) -> Arc<Self> {
        Arc::new(Self {
            state,
            objects,
            log,
            encoder: RawEncoder::default(),
            joiner: ParquetJoiner,
            clock: SystemClock,
            settings: Settings::default(),
            readers,
        })
    }
}

impl<S, O, L, E, J, C: Clock> Embedded<S, O, L, E, J, C> {
    /// What a planner works with.
    pub(crate) fn planner<'a, I>(
        &'a self,
        holder: RandomId,
        invoker: &'a I,
    ) -> PlannerPorts<'a, S, L, I, C> {
        PlannerPorts {
            state: &self.state,
            log: &self.log,
            invoker,
            clock: &self.clock,
            holder,
            observer: None,
            settings: self.settings,
        }
    }

    /// When what begins now must have ended.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline(self.clock.now().after(TIMEOUT))
    }
}

#[cfg(test)]
mod tests;
