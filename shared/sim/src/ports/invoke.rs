use tidegate_core::error::{Error, Result};
use tidegate_core::ports::{FinalizerEvent, Invoker, PlannerEvent, ReaderEvent};
use tidegate_core::time::Deadline;

use crate::actor::{Call, Ports, late_by};
use crate::faults::{Class, Fault};
use crate::mail::Event;

impl Ports {
    async fn start(&self, op: &'static str, event: Event, deadline: Deadline) -> Result<()> {
        let detail = || event.to_string();
        let fault = self.gate(Call { class: Class::Invoke, op, detail, deadline }).await?;
        self.world.with(|state| {
            let now = state.now;
            match fault {
                Some(Fault::Lost) => {}
                Some(Fault::Late) => {
                    let due = now + late_by(&mut state.fault_rng);
                    state.mail.send(due, event.clone());
                }
                Some(Fault::Twice) => {
                    state.mail.send(now, event.clone());
                    state.mail.send(now, event.clone());
                }
                _ => state.mail.send(now, event.clone()),
            }
        });
        match fault {
            Some(Fault::CrashAfter) => self.crash().await,
            Some(Fault::ErrorAfter) => {
                Err(Error::unavailable(format!("{op}: a fault of the simulation; it was accepted")))
            }
            _ => Ok(()),
        }
    }
}

impl Invoker for Ports {
    async fn start_reader(&self, event: &ReaderEvent, deadline: Deadline) -> Result<()> {
        self.start("start_reader", Event::Reader(event.clone()), deadline).await
    }

    async fn start_finalizer(&self, event: &FinalizerEvent, deadline: Deadline) -> Result<()> {
        self.start("start_finalizer", Event::Finalizer(event.clone()), deadline).await
    }

    async fn start_planner(&self, event: &PlannerEvent, deadline: Deadline) -> Result<()> {
        self.start("start_planner", Event::Planner(event.clone()), deadline).await
    }
}
