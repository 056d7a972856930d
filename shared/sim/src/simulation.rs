//! One history: actors are interleaved at their port calls, things go wrong and Kafka changes;
//! then nothing goes wrong any more, and everything must be caught up.

use std::fmt;

use serde_json::Value;
use tidegate_core::ports::{PlannerEvent, PlannerMode};

use crate::actor::Ports;
use crate::executor::{Step, Task, step};
use crate::functions;
use crate::mail::Event;
use crate::orders::Order;
use crate::replay::Replay;
use crate::rng::Rng;
use crate::scenario::{Scenario, one_more_each};
use crate::world::{Settings, State, World};

mod operator;

/// How often the schedule fires, in milliseconds.
const TICK: i64 = 300_000;
/// Ticks after which a history that does not come to rest is a finding.
const TICKS_MAX: u64 = 400;
/// Steps after which it is one.
const STEPS_MAX: u64 = 200_000;
/// Out of a thousand steps, so many are followed by a change of Kafka, or by a stray event.
const CHANGE_PER_MILLE: u64 = 60;

/// How far a history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Kafka changes, faults strike.
    Changing,
    /// Kafka is at rest: what is late arrives, and the pipeline catches up.
    Settling,
    /// One more record in every partition is to be copied. Nothing goes wrong any more: the run
    /// that copies them clears away whatever earlier ones left behind.
    OneMore {
        /// Port calls at its beginning.
        from: u64,
        /// Runs closed at its beginning.
        closed: usize,
    },
}

/// A history under way.
pub(crate) struct Course<'a> {
    replay: &'a Replay,
    scenario: &'a Scenario,
    spec: Value,
    world: World,
    rng: Rng,
    actors: Vec<(usize, Task)>,
    ticks: u64,
    next_tick: i64,
    changes: u64,
    /// What an operator is about to do: a reset waits until no run is open, an abort until one is.
    orders: Vec<Order>,
    phase: Phase,
}

impl<'a> Course<'a> {
    /// A history that begins.
    pub(crate) fn new(replay: &'a Replay, trace: bool) -> Self {
        let scenario = &replay.scenario;
        let mut rng = Rng::stream(replay.seed, 3);
        let world = World::new(Settings {
            seed: replay.seed,
            faults: replay.faults.clone(),
            sabotage: replay.sabotage,
            isolation: scenario.isolation(),
            from_earliest: scenario.starts_at_log_start(),
            knows_holders: scenario.knows_holders,
            stream: rng.per_mille(500),
            deadlines: rng.per_mille(500),
            skew_max: scenario.skew_max,
            trace,
            ..Settings::default()
        });
        scenario.begin(&world, &mut rng);
        Self {
            replay,
            scenario,
            spec: scenario.spec_json(),
            next_tick: world.with(|state| state.now),
            world,
            rng,
            actors: Vec::new(),
            ticks: 0,
            changes: 0,
            orders: Vec::new(),
            phase: Phase::Changing,
        }
    }

    /// The world that it takes place in.
    pub(crate) fn world(&self) -> World {
        self.world.clone()
    }
}

impl Course<'_> {
    /// Lets it happen.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            self.start_what_is_due();
            if self.phase != Phase::Changing && self.world.with(|state| state.watch.refused) {
                // A human is called: nothing was published twice, and nothing goes on.
                return Ok(());
            }
            if self.step_somebody()? {
                self.disturb();
            } else if self.at_rest() {
                match self.phase {
                    Phase::Changing => {
                        self.scenario.settle(&self.world);
                        self.phase = Phase::Settling;
                        self.ticks = 0;
                    }
                    Phase::OneMore { from, closed } if self.replay.faults.calm_from() <= from => {
                        return self.judge_rest(closed);
                    }
                    Phase::Settling | Phase::OneMore { .. } => {
                        one_more_each(&self.world);
                        let closed = self.world.with(|state| state.watch.closed.len());
                        self.phase = Phase::OneMore { from: self.calls(), closed };
                        self.ticks = 0;
                    }
                }
                self.next_tick = self.world.with(|state| state.now);
            } else {
                self.wait()?;
            }
        }
        Err(format!("{STEPS_MAX} steps were not enough to come to rest"))
    }

    fn calls(&self) -> u64 {
        self.world.with(|state| u64::try_from(state.calls.len()).unwrap_or(u64::MAX))
    }

    /// Starts the planners that the schedule starts, and what events start.
    fn start_what_is_due(&mut self) {
        let world = self.world.clone();
        self.actors.retain(|(actor, _)| !world.with(|state| state.actors[*actor].crashed));
        let now = self.world.with(|state| state.now);
        if self.next_tick <= now {
            self.ticks += 1;
            self.next_tick = now + TICK;
            for _ in 0..self.scenario.planners {
                let mode = match self.rng.per_mille(200) {
                    true if self.ticks > 2 => PlannerMode::RollForward,
                    _ => PlannerMode::Tick,
                };
                self.start(Event::Planner(PlannerEvent {
                    spec: self.spec.clone(),
                    mode,
                    chain: 0,
                }));
            }
            self.abort_again();
        }
        while let Some(event) = self.world.with(|state| state.mail.take(now)) {
            self.start(event);
        }
        self.world.with(|state| {
            let (due, later) =
                std::mem::take(&mut state.late).into_iter().partition(|(at, _)| *at <= now);
            state.late = later;
            let due: Vec<_> = due;
            for (_, effect) in due {
                state.note([0x1a7e, 0, 0], || "      -- something late takes place".to_owned());
                effect(state);
            }
        });
    }

    fn start(&mut self, event: Event) {
        let number = self.world.with(|state| state.actors.len());
        let name = match &event {
            Event::Planner(_) => format!("planner{number}"),
            Event::Reader(event) => format!("reader{number}.{}", event.task),
            Event::Finalizer(_) => format!("finalizer{number}"),
            Event::Operator(_) => format!("operator{number}"),
        };
        self.world.with(|state| {
            state.note([0x57a7, 0, 0], || format!("      -- {name} starts: {event}"));
        });
        let ports = Ports::of(&self.world, &name, Some(event.clone()));
        let (actor, world) = (ports.actor, self.world.clone());
        let task = Box::pin(async move {
            let ended = functions::run(&ports, event).await;
            world.with(|state| {
                state.note([0xe4d, 0, 0], || format!("      -- {name} ends: {ended:?}"));
                if let Err(error) = ended {
                    state.judge_error(&name, &error);
                }
            });
        });
        self.actors.push((actor, task));
    }

    /// Lets one actor take a step, if one can.
    fn step_somebody(&mut self) -> Result<bool, String> {
        let ready: Vec<_> = self.world.with(|state| {
            let awake = |actor: usize| state.actors[actor].wake_at <= state.now;
            (0..self.actors.len()).filter(|at| awake(self.actors[*at].0)).collect()
        });
        let Some(chosen) = ready.get(self.rng.index(ready.len())).copied() else {
            return Ok(false);
        };
        let stepped = step(&mut self.actors[chosen].1);
        let actor = self.actors[chosen].0;
        let (crashed, wrong) =
            self.world.with(|state| (state.actors[actor].crashed, state.watch.verdict().cloned()));
        if crashed || stepped != Step::Waits {
            drop(self.actors.swap_remove(chosen));
        }
        match (wrong, stepped) {
            (Some(wrong), _) => Err(wrong),
            (None, Step::Panicked(message)) => Err(format!("a panic: {message}")),
            (None, Step::Waits | Step::Ended) => Ok(true),
        }
    }

    /// Kafka changes, or an event arrives once more.
    fn disturb(&mut self) {
        if self.phase != Phase::Changing {
            return;
        }
        if self.changes < self.scenario.changes_max && self.rng.per_mille(CHANGE_PER_MILLE) {
            self.change();
        }
        self.perhaps_order();
        if self.scenario.strays && self.rng.per_mille(CHANGE_PER_MILLE / 4) {
            let stray = self.world.with(|state| state.mail.stray());
            if let Some(event) = stray {
                self.start(event);
            }
        }
    }

    /// Whether nothing is under way and nothing is left to copy.
    fn at_rest(&self) -> bool {
        let changed = self.phase != Phase::Changing || self.changes >= self.scenario.changes_max;
        let still = self.actors.is_empty()
            && self.world.with(|state| state.mail.next_at().is_none() && state.late.is_empty());
        let ordered = self.phase == Phase::Changing && self.due_order().is_some();
        still
            && !ordered
            && self.ticks > 1
            && (changed || self.ticks > TICKS_MAX / 2)
            && (self.phase == Phase::Changing || self.world.with(|state| state.caught_up()))
    }

    /// Nobody can go on: time passes until somebody can.
    fn wait(&mut self) -> Result<(), String> {
        if self.ticks > TICKS_MAX {
            let left = self.world.with(|state| state.left_to_do());
            return Err(format!("not caught up after {TICKS_MAX} ticks: {left}"));
        }
        if self.phase == Phase::Changing && self.changes < self.scenario.changes_max {
            self.change();
        }
        if self.order_at_last() {
            return Ok(());
        }
        let idle = self.world.with(|state| state.caught_up());
        let tick = self.next_tick;
        let next = self.world.with(|state| {
            let asleep = self.actors.iter().map(|(actor, _)| state.actors[*actor].wake_at);
            let late = state.late.iter().map(|(at, _)| *at);
            let mail = state.mail.next_at();
            let others = asleep.chain(late).chain(mail).min();
            // Ticks at which there is nothing to do are passed over.
            let next = match others {
                Some(at) if idle => at.max(tick),
                Some(at) => at.min(tick),
                None => tick,
            };
            state.now = state.now.max(next);
            next
        });
        self.next_tick = if idle { next } else { tick };
        Ok(())
    }

    /// At rest: nothing is left over, if there was a run that could clear it away (there is none
    /// where all partitions are stopped).
    fn judge_rest(&self, closed: usize) -> Result<(), String> {
        let may_stop = self.scenario.may_stop;
        self.world.with(|state| {
            let swept = state.watch.closed.len() > closed;
            state.judge_rest(may_stop, swept)
        })
    }
}

impl fmt::Debug for Course<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Course").field("ticks", &self.ticks).finish_non_exhaustive()
    }
}

impl State {
    /// Whether a function may end so: only the world's own faults are an excuse.
    fn judge_error(&mut self, name: &str, error: &tidegate_core::Error) {
        use tidegate_core::ErrorKind::{
            BadRecord, Config, Conflict, Corrupt, DataLoss, Denied, OutOfTime, Unavailable,
        };
        match error.kind() {
            Unavailable | OutOfTime | Conflict | DataLoss => {}
            Corrupt if self.watch.restored => self.watch.refused = true,
            // What an operator asks for may be what cannot be done.
            Config if name.starts_with("operator") => {}
            Corrupt | BadRecord | Denied | Config => {
                self.watch.violated(format!("{name}: {error:?}"));
            }
        }
    }
}
