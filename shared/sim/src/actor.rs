//! An actor's side of the ports: each call is an await point, and may go wrong.

use std::future::pending;

use tidegate_core::error::{Error, Result};
use tidegate_core::time::Deadline;

use crate::executor::give_way;
use crate::faults::{Class, Fault};
use crate::mail::Event;
use crate::rng::Rng;
use crate::world::{Actor, Settings, State, World};

/// Longer than any lease, and than Lambda keeps an event.
const PAUSE_MIN: i64 = 2 * HOUR;
const LATE_MAX: i64 = 8 * HOUR;
const HOUR: i64 = 3_600_000;
/// How long a call takes at most, in milliseconds.
const CALL_MAX: i64 = 40;

/// All ports of one actor.
#[derive(Clone, Debug)]
pub struct Ports {
    pub(crate) world: World,
    pub(crate) actor: usize,
}

/// What is called: for the fault that may strike and for the trace.
pub(crate) struct Call<D> {
    pub(crate) class: Class,
    pub(crate) op: &'static str,
    pub(crate) detail: D,
    pub(crate) deadline: Deadline,
}

impl Ports {
    /// The ports of a new actor in `world`.
    pub fn new(world: &World, name: &str) -> Self {
        Self::of(world, name, None)
    }

    /// The ports of the actor that `event` starts.
    pub(crate) fn of(world: &World, name: &str, event: Option<Event>) -> Self {
        let actor = world.with(|state| {
            let number = u64::try_from(state.actors.len()).unwrap_or(u64::MAX);
            let mut ids = Rng::stream(state.settings.seed, 1000 + number);
            let skew_max = state.settings.skew_max;
            let skew = ids.millis(2 * skew_max + 1) - skew_max;
            let name = name.to_owned();
            state.actors.push(Actor { name, event, skew, ids, wake_at: 0, crashed: false });
            state.actors.len() - 1
        });
        Self { world: world.clone(), actor }
    }

    /// The ports of an actor that is alone in a world without faults: for the contract suite.
    pub fn alone() -> Self {
        Self::new(&World::new(Settings { watched: false, ..Settings::default() }), "alone")
    }

    /// The world that they belong to.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// One port call: an await point, the fault if there is one, the effect. An effect may take
    /// place twice, or after the call was answered with an error.
    pub(crate) async fn call<T, D: Fn() -> String>(
        &self,
        call: Call<D>,
        effect: impl Fn(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let op = call.op;
        match self.gate(call).await? {
            None | Some(Fault::Lost | Fault::Pause) => self.world.with(&effect),
            Some(Fault::Twice) => self.world.with(|state| {
                let first = effect(state);
                // The adapter that tries again finds its own: the first answer is the right one.
                drop(effect(state));
                first
            }),
            Some(Fault::Late) => {
                self.world.with(|state| {
                    let due = state.now + late_by(&mut state.fault_rng);
                    state.late.push((due, Box::new(move |state| drop(effect(state)))));
                });
                Err(injected(op, "it will still take place"))
            }
            Some(Fault::CrashAfter) => {
                drop(self.world.with(&effect));
                self.crash().await
            }
            Some(Fault::ErrorAfter | Fault::ErrorBefore | Fault::CrashBefore) => {
                drop(self.world.with(&effect));
                Err(injected(op, "it took place"))
            }
        }
    }

    /// The await point of a call, and the faults before its effect. What is left of the fault
    /// is answered.
    pub(crate) async fn gate<D: Fn() -> String>(&self, call: Call<D>) -> Result<Option<Fault>> {
        let Call { class, op, detail, deadline } = call;
        give_way().await;
        let (late, fault) = self.world.with(|state| {
            let index = u64::try_from(state.calls.len()).unwrap_or(u64::MAX);
            state.calls.push(class);
            state.now += 1 + state.fault_rng.millis(CALL_MAX);
            let fault = state.settings.faults.at(index, class, &mut state.fault_rng);
            let fault = fault.filter(|fault| class.faults().contains(fault));
            let number = |at: usize| u64::try_from(at).unwrap_or(u64::MAX);
            let op_digest =
                op.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
            let name = state.actors[self.actor].name.clone();
            let struck = fault.map_or(0, |fault| 1 + number(fault.into_index()));
            state.note([number(self.actor), op_digest, struck], || {
                let struck = fault.map(|fault| format!("  <- {fault:?}")).unwrap_or_default();
                format!("#{index:<4} {name:<14} {op} {}{struck}", detail())
            });
            let now = state.now + state.actors[self.actor].skew;
            (state.settings.deadlines && deadline.0.0 < now, fault)
        });
        if late {
            return Err(Error::out_of_time(format!("{op}: the deadline has passed")));
        }
        match fault {
            Some(Fault::ErrorBefore) => Err(injected(op, "nothing happened")),
            Some(Fault::CrashBefore) => self.crash().await,
            Some(Fault::Pause) => {
                let until = self.world.with(|state| state.now + paused_for(&mut state.fault_rng));
                self.sleep_until(until).await;
                Ok(None)
            }
            other => Ok(other),
        }
    }

    /// Waits until the world's clock shows `until`: the whole actor does, with everything that
    /// it has under way.
    pub(crate) async fn sleep_until(&self, until: i64) {
        self.world.with(|state| {
            let wake_at = &mut state.actors[self.actor].wake_at;
            *wake_at = until.max(*wake_at);
        });
        while self.world.with(|state| state.now < until) {
            give_way().await;
        }
    }

    /// Dies: nothing after this is ever executed.
    pub(crate) async fn crash<T>(&self) -> T {
        self.world.with(|state| state.actors[self.actor].crashed = true);
        pending().await
    }
}

impl Fault {
    fn into_index(self) -> usize {
        Class::Invoke.faults().iter().position(|fault| *fault == self).unwrap_or(99)
    }
}

/// How late something is that comes late: at once to hours, the short ones often.
pub(crate) fn late_by(rng: &mut Rng) -> i64 {
    let bound = 1 + rng.millis(LATE_MAX);
    rng.millis(bound)
}

/// How long an actor stands still.
fn paused_for(rng: &mut Rng) -> i64 {
    PAUSE_MIN + rng.millis(LATE_MAX)
}

fn injected(op: &str, what: &str) -> Error {
    Error::unavailable(format!("{op}: a fault of the simulation; {what}"))
}
