//! *Plan a run*: one tick of the schedule.

use super::observing::{LagReport, new_run, nothing_seen, observe, observe_lag};
use super::opening::{first_head, open_planned};
use super::roll_forward::{self, Rolled};
use super::starting::start_all;
use super::state::{LoadedHead, check_destination, load_head, swap_head};
use super::{CONFLICTS_MAX, Settings};
use crate::documents::{Head, LeftOut};
use crate::error::{Error, Result};
use crate::planning;
use crate::ports::{Cause, Clock, Invoker, LogSource, PlannerEvent, PlannerMode, StateStore};
use crate::spec::Spec;
use crate::time::{Deadline, Millis};
use crate::words::{RandomId, RunNumber};

/// What a planner works with. `holder` was made known with [`StateStore::hold`].
#[derive(Debug)]
pub struct PlannerPorts<'a, S, L, I, C> {
    /// The state.
    pub state: &'a S,
    /// Kafka.
    pub log: &'a L,
    /// Starts readers and finalizers.
    pub invoker: &'a I,
    /// Time and chance.
    pub clock: &'a C,
    /// Who plans: holds the reading lease.
    pub holder: RandomId,
    /// The function that observes Kafka for whoever cannot reach it, where there is one: it is
    /// kept in the head.
    pub observer: Option<&'a str>,
    /// The deployment's choices.
    pub settings: Settings,
}

/// What a tick came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TickOutcome {
    /// Nothing to do.
    Idle,
    /// A run is under way and needs no help.
    Busy {
        /// Which.
        run: RunNumber,
    },
    /// The operator gives the open run up: no run opens until that is done.
    Aborting {
        /// Which.
        run: RunNumber,
    },
    /// The operator paused the pipeline.
    Paused,
    /// A run was opened and its readers (or, without tasks, its finalizer) started.
    Opened {
        /// Its number.
        run: RunNumber,
        /// Its plan.
        plan: RandomId,
        /// How many tasks it has.
        tasks: u32,
    },
    /// An open run was helped on.
    RolledForward {
        /// Its number.
        run: RunNumber,
        /// Its plan.
        plan: RandomId,
        /// How many readers were started again.
        readers: u32,
        /// Whether a finalizer was started.
        finalizer: bool,
    },
}

/// A tick: what it did, and how far behind the pipeline is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickReport {
    /// What it did.
    pub outcome: TickOutcome,
    /// How far behind it found the pipeline; none if that could not be observed.
    pub lag: Option<LagReport>,
    /// When the run was opened that it found open; none if it found none.
    pub open_since: Option<Millis>,
    /// Topics and partitions that take no part, and why.
    pub left_out: Vec<LeftOut>,
    /// What failed, though the tick went on: the next one tries it again.
    pub troubles: Vec<Cause>,
}

/// One tick: rolls the open run forward, or opens one.
///
/// # Errors
/// `Config` for a spec that cannot be honoured; `Unavailable`, `Denied` where Kafka or the state
/// cannot be reached; `Corrupt` where the state is not what the protocol wrote; `Conflict` if
/// the head changes all the time.
pub async fn tick<S: StateStore, L: LogSource, I: Invoker, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    event: &PlannerEvent,
    deadline: Deadline,
) -> Result<TickReport> {
    let spec = Spec::from_value(&event.spec)?;
    for _ in 0..CONFLICTS_MAX {
        if let Some(report) = tick_once(ports, &spec, event, deadline).await? {
            return Ok(report);
        }
    }
    Err(Error::conflict(format!("the head of {} changes all the time", spec.pipeline)))
}

/// One try; none if somebody else swapped the head meanwhile.
async fn tick_once<S: StateStore, L: LogSource, I: Invoker, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    event: &PlannerEvent,
    deadline: Deadline,
) -> Result<Option<TickReport>> {
    let Some(loaded) = newest_spec(ports, spec, event.mode, deadline).await? else {
        return Ok(None);
    };
    if let Some((loaded, open)) = loaded.as_ref().and_then(|l| Some((l, l.head.open.as_ref()?))) {
        let Some(rolled) = roll_forward::roll_forward(ports, loaded, open, deadline).await? else {
            return Ok(None);
        };
        let mut troubles = Vec::new();
        let lag = match event.mode {
            PlannerMode::Tick => {
                let seen = observe_lag(ports, spec, Some(&loaded.head), deadline).await;
                seen.map_err(|error| troubles.push(Cause::from(&error))).ok()
            }
            PlannerMode::RollForward => None,
        };
        let outcome = match rolled {
            Rolled::Aborting => TickOutcome::Aborting { run: open.run },
            Rolled::Busy => TickOutcome::Busy { run: open.run },
            Rolled::On { readers, finalizer } => {
                TickOutcome::RolledForward { run: open.run, plan: open.plan, readers, finalizer }
            }
        };
        let open_since = Some(open.opened_at);
        let left_out = Vec::new();
        return Ok(Some(TickReport { outcome, lag, open_since, left_out, troubles }));
    }
    if event.mode == PlannerMode::RollForward {
        let outcome = TickOutcome::Idle;
        let (lag, open_since) = (None, None);
        let (left_out, troubles) = (Vec::new(), Vec::new());
        return Ok(Some(TickReport { outcome, lag, open_since, left_out, troubles }));
    }
    open_run(ports, spec, loaded, event.chain, deadline).await
}

/// Loads the head, and keeps in it the newest spec and observer (who only rolls forward may have
/// older ones). `Some(None)`: there is no head yet; none: somebody else swapped it.
async fn newest_spec<S: StateStore, L, I, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    mode: PlannerMode,
    deadline: Deadline,
) -> Result<Option<Option<LoadedHead>>> {
    let Some(mut loaded) = load_head(ports.state, &spec.pipeline, deadline).await? else {
        return Ok(Some(None));
    };
    check_destination(spec, &loaded.head)?;
    let standing = loaded.head.clone();
    let observer = ports.observer.map(str::to_owned).or_else(|| standing.observer.clone());
    let newest = Head { spec: spec.to_json(), observer, ..standing };
    if mode == PlannerMode::Tick && loaded.head != newest {
        loaded.head = newest;
        let expected = Some(loaded.version);
        let swapped =
            swap_head(ports.state, ports.clock, expected, &mut loaded.head, deadline).await?;
        let Some(version) = swapped else { return Ok(None) };
        loaded.version = version;
    }
    Ok(Some(Some(loaded)))
}

/// Opens a run, if there is anything to do; none if somebody else swapped the head.
async fn open_run<S: StateStore, L: LogSource, I: Invoker, C: Clock>(
    ports: &PlannerPorts<'_, S, L, I, C>,
    spec: &Spec,
    loaded: Option<LoadedHead>,
    chain: u32,
    deadline: Deadline,
) -> Result<Option<TickReport>> {
    let (version, head) = loaded.map(|l| (l.version, l.head)).unzip();
    let (checkpoint, seen) = observe(ports, spec, head.as_ref(), deadline).await?;
    let new = new_run(ports, head.as_ref());
    let planned = planning::plan(spec, &checkpoint, &seen, &new)?;
    let entries = checkpoint.with(&planned.plan.entries);
    let lag = Some(LagReport::new(entries, planned.plan.ends.clone(), new.now));
    let left_out = planned.plan.left_out.clone();
    let open_since = None;
    let report =
        |outcome, troubles| Ok(Some(TickReport { outcome, lag, open_since, left_out, troubles }));
    if head.as_ref().is_some_and(|head| head.paused) {
        return report(TickOutcome::Paused, Vec::new());
    }
    if let Some(error) = nothing_seen(&seen) {
        return Err(error);
    }
    if planned.is_idle() {
        return report(TickOutcome::Idle, Vec::new());
    }
    let (run, plan, tasks) = (new.run, new.plan, planned.plan.tasks);
    let head = head.unwrap_or_else(|| first_head(spec, ports.observer, new.birth_id));
    if !open_planned(ports, (version, head), &planned, chain, deadline).await? {
        return Ok(None);
    }
    let started = start_all(ports, spec, (run, plan), tasks, deadline).await;
    let troubles = started.err().iter().map(Cause::from).collect();
    report(TickOutcome::Opened { run, plan, tasks }, troubles)
}
