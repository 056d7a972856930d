use tidegate_core::ports::Clock;
use tidegate_core::time::Millis;
use tidegate_core::words::RandomId;

use crate::actor::Ports;

impl Clock for Ports {
    fn now(&self) -> Millis {
        self.world.with(|state| Millis(state.now + state.actors[self.actor].skew))
    }

    fn random_id(&self) -> RandomId {
        self.world.with(|state| RandomId(state.actors[self.actor].ids.wide()))
    }
}
