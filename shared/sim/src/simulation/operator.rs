//! When an operator comes, and does what.

use super::{Course, Phase};
use crate::mail::Event;
use crate::orders::{OperatorEvent, Order};

/// Out of a thousand steps at which an operator could act, so many at which one does.
const ORDER_PER_MILLE: u64 = 60;

impl Course<'_> {
    /// Kafka changes, or an operator comes.
    pub(super) fn change(&mut self) {
        self.changes += 1;
        self.orders.extend(self.scenario.change(&self.world, &mut self.rng));
    }

    /// The first order whose time has come: no run is open, or one is.
    pub(super) fn due_order(&self) -> Option<usize> {
        let head = self.world.with(|state| state.watch.head.clone())?;
        let due = |order: &Order| match order {
            Order::Reset(_) => head.open.is_none(),
            Order::Abort => head.open.is_some(),
        };
        self.orders.iter().position(due)
    }

    /// An order whose time has come is given, sooner or later.
    pub(super) fn perhaps_order(&mut self) {
        if let Some(due) = self.due_order()
            && self.rng.per_mille(ORDER_PER_MILLE)
        {
            let order = self.orders.remove(due);
            self.order(order);
        }
    }

    /// Nobody is at work: an order whose time has come is given now. Whether there was one.
    pub(super) fn order_at_last(&mut self) -> bool {
        let due = self.due_order().filter(|_| self.phase == Phase::Changing);
        let order = due.map(|due| self.orders.remove(due));
        order.map(|order| self.order(order)).is_some()
    }

    /// At a tick: an abort that died is called again, sooner or later, perhaps beside the first.
    pub(super) fn abort_again(&mut self) {
        let aborting = self.world.with(|state| {
            let open = state.watch.head.as_ref().and_then(|head| head.open.as_ref());
            open.is_some_and(|open| open.aborting.is_some())
        });
        if aborting && (self.phase != Phase::Changing || self.rng.per_mille(500)) {
            self.order(Order::Abort);
        }
    }

    fn order(&mut self, order: Order) {
        let spec = self.spec.clone();
        self.start(Event::Operator(OperatorEvent { spec, order }));
    }
}
