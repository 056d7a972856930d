use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_core::Result;
use tidegate_core::ports::{FinalizerEvent, Invoker, PlannerEvent, ReaderEvent};
use tidegate_core::time::Deadline;

/// A function that is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// The planner, to catch up at once.
    Planner(PlannerEvent),
    /// A reader.
    Reader(ReaderEvent),
    /// The finalizer.
    Finalizer(FinalizerEvent),
}

/// The invoker of one process: it only keeps what is to be started, for the driver that owns
/// the tasks to [`take`](Self::take). Clones share one queue.
#[derive(Clone, Debug, Default)]
pub struct LocalInvoker {
    queue: Arc<Mutex<VecDeque<Invocation>>>,
}

impl LocalInvoker {
    /// An invoker with nothing to start.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what is to be started, the first first.
    pub fn take(&self) -> VecDeque<Invocation> {
        std::mem::take(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, invocation: Invocation) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(invocation);
    }
}

impl Invoker for LocalInvoker {
    async fn start_reader(&self, event: &ReaderEvent, _: Deadline) -> Result<()> {
        self.push(Invocation::Reader(event.clone()));
        Ok(())
    }

    async fn start_finalizer(&self, event: &FinalizerEvent, _: Deadline) -> Result<()> {
        self.push(Invocation::Finalizer(event.clone()));
        Ok(())
    }

    async fn start_planner(&self, event: &PlannerEvent, _: Deadline) -> Result<()> {
        self.push(Invocation::Planner(event.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::time::Millis;
    use tidegate_core::words::{PipelineName, RandomId, RunNumber};

    use super::*;

    #[tokio::test]
    async fn what_is_started_is_taken_once_and_in_order() {
        let invoker = LocalInvoker::new();
        let pipeline = PipelineName::try_from("rides".to_owned()).expect("a good name");
        let (run, plan, deadline) = (RunNumber(1), RandomId(7), Deadline(Millis(0)));
        let reader = ReaderEvent { pipeline: pipeline.clone(), run, plan, task: 3, attempt: 1 };
        let finalizer = FinalizerEvent { pipeline, run, plan, set_aside: false };
        invoker.start_reader(&reader, deadline).await.expect("a queue");
        invoker.clone().start_finalizer(&finalizer, deadline).await.expect("a queue");
        let taken = invoker.take();
        assert_eq!(taken, [Invocation::Reader(reader), Invocation::Finalizer(finalizer)]);
        assert!(invoker.take().is_empty());
    }
}
