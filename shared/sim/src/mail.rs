//! Events under way: asynchronous, at least once; twice, late or never where a fault says so.

use std::fmt;

use tidegate_core::ports::{FinalizerEvent, PlannerEvent, ReaderEvent};

use crate::orders::OperatorEvent;
use crate::rng::Rng;

/// What starts a function.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A planner.
    Planner(PlannerEvent),
    /// A reader.
    Reader(ReaderEvent),
    /// A finalizer.
    Finalizer(FinalizerEvent),
    /// An operator's command.
    Operator(OperatorEvent),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Planner(event) => write!(f, "planner {:?} chain {}", event.mode, event.chain),
            Self::Reader(event) => {
                write!(f, "reader run {} task {} attempt {}", event.run, event.task, event.attempt)
            }
            Self::Finalizer(event) => {
                let aside = if event.set_aside { ", all set aside" } else { "" };
                write!(f, "finalizer run {}{aside}", event.run)
            }
            Self::Operator(event) => event.fmt(f),
        }
    }
}

/// The events under way.
#[derive(Debug)]
pub(crate) struct Mail {
    waiting: Vec<(i64, Event)>,
    /// All that was ever delivered: strays are drawn from it.
    delivered: Vec<Event>,
    rng: Rng,
}

/// How long an event takes ordinarily, in milliseconds.
const TAKES_MAX: i64 = 500;

impl Mail {
    pub(crate) fn new(rng: Rng) -> Self {
        Self { waiting: Vec::new(), delivered: Vec::new(), rng }
    }

    /// Sends an event, to arrive soon after `at`.
    pub(crate) fn send(&mut self, at: i64, event: Event) {
        let due = at + self.rng.millis(TAKES_MAX);
        self.waiting.push((due, event));
    }

    /// Takes an event that has arrived by `now`: the one that arrived first.
    pub(crate) fn take(&mut self, now: i64) -> Option<Event> {
        let due = |(at, _): &&(i64, Event)| *at <= now;
        let first = self.waiting.iter().filter(due).map(|(at, _)| *at).min()?;
        let index = self.waiting.iter().position(|(at, _)| *at == first)?;
        let event = self.waiting.remove(index).1;
        self.delivered.push(event.clone());
        Some(event)
    }

    /// When the next event arrives.
    pub(crate) fn next_at(&self) -> Option<i64> {
        self.waiting.iter().map(|(at, _)| *at).min()
    }

    /// An event that was delivered before, whenever that was.
    pub(crate) fn stray(&mut self) -> Option<Event> {
        let index = self.rng.index(self.delivered.len());
        self.delivered.get(index).cloned()
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::ports::PlannerMode;

    use super::*;

    fn event(chain: u32) -> Event {
        let spec = serde_json::Value::Null;
        Event::Planner(PlannerEvent { spec, mode: PlannerMode::Tick, chain })
    }

    #[test]
    fn events_arrive_once_each_in_the_order_of_their_times() {
        let mut mail = Mail::new(Rng::new(1));
        mail.send(10_000, event(1));
        mail.send(0, event(0));
        assert_eq!(mail.stray(), None);
        assert_eq!(mail.take(-1), None);
        assert_eq!(mail.take(20_000), Some(event(0)));
        assert_eq!(mail.stray(), Some(event(0)));
        assert_eq!(mail.take(20_000), Some(event(1)));
        assert_eq!(mail.take(20_000), None);
        assert_eq!(mail.next_at(), None);
    }
}
