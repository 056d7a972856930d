//! The three functions as the simulation starts them: core's use cases over this world's ports.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidegate_core::error::Result;
use tidegate_core::ports::{Clock, FinalizerEvent, Invoker, PlannerEvent, ReaderEvent, StateStore};
use tidegate_core::spec::Spec;
use tidegate_core::time::Deadline;
use tidegate_core::use_cases::{
    FinalizerPorts, PlannerPorts, ReaderPorts, Settings, finalize, read_task, run_of_task, tick,
};
use tidegate_core::words::{PipelineName, RandomId};

use crate::actor::Ports;
use crate::file::{SimEncoder, SimJoiner};
use crate::mail::Event;
use crate::orders::{OperatorEvent, obey};
use crate::sabotage::Sabotage;

/// Timeouts, in seconds: the leases of [`Settings`] outlast them.
const PLANNER_SECS: u64 = 240;
const READER_SECS: u64 = 840;
const FINALIZER_SECS: u64 = 840;
/// Regions of so many bytes and more are copied inside the store.
const COPY_BYTES_MIN: u64 = 300;

/// Runs the function that `event` starts; what it came to, in words.
pub(crate) async fn run(ports: &Ports, event: Event) -> Result<String> {
    let holder = ports.random_id();
    let pipeline = pipeline_of(&event)?;
    let _hold = ports.hold(&pipeline, holder, within(ports, PLANNER_SECS)).await?;
    let in_process = ports.world().with(|state| state.settings.knows_holders);
    if in_process {
        return run_process(ports, holder, event).await;
    }
    run_one(ports, ports, holder, event).await
}

fn pipeline_of(event: &Event) -> Result<PipelineName> {
    Ok(match event {
        Event::Planner(PlannerEvent { spec, .. }) | Event::Operator(OperatorEvent { spec, .. }) => {
            Spec::from_value(spec)?.pipeline
        }
        Event::Reader(event) => event.pipeline.clone(),
        Event::Finalizer(event) => event.pipeline.clone(),
    })
}

/// As `tidegate run` does: one process for all three, and one holder as long as it lives.
async fn run_process(ports: &Ports, holder: RandomId, event: Event) -> Result<String> {
    let queue = InProcess(Mutex::new(VecDeque::from([event])));
    let mut outcomes = Vec::new();
    let mut last_read = None;
    while let Some(event) = queue.take(&mut last_read) {
        if let Event::Reader(ReaderEvent { pipeline, run, plan, .. }) = event.clone() {
            last_read = Some(FinalizerEvent { pipeline, run, plan, set_aside: false });
        }
        outcomes.push(run_one(ports, &queue, holder, event).await?);
    }
    Ok(outcomes.join(", "))
}

async fn run_one(
    ports: &Ports,
    invoker: &impl Invoker,
    holder: RandomId,
    event: Event,
) -> Result<String> {
    match event {
        Event::Planner(event) => plan(ports, invoker, holder, &event).await,
        Event::Reader(event) => read(ports, &event).await,
        Event::Finalizer(event) => publish(ports, invoker, holder, &event).await,
        Event::Operator(event) => operate(ports, invoker, holder, &event).await,
    }
}

/// An operator's command: a reset is rolled forward by the same process, and by whoever its event
/// starts.
async fn operate(
    ports: &Ports,
    invoker: &impl Invoker,
    holder: RandomId,
    event: &OperatorEvent,
) -> Result<String> {
    let deadline = within(ports, FINALIZER_SECS);
    let (told, finalizer) = obey(ports, holder, settings(), event, deadline).await?;
    if let Some(event) = finalizer {
        publish(ports, invoker, holder, &event).await?;
    }
    Ok(told)
}

/// Small numbers, so that small files already take the ways of large ones.
fn settings() -> Settings {
    Settings {
        open_files_max: 2,
        uploads_max: 1,
        staging_bytes_max: 2_000,
        row_group_bytes: 150,
        ..Settings::default()
    }
}

/// What a function came to, in words: only a trace wants to know.
fn told(ports: &Ports, outcome: impl FnOnce() -> String) -> String {
    let traced = ports.world().with(|state| state.settings.trace);
    if traced { outcome() } else { String::new() }
}

fn within(ports: &Ports, secs: u64) -> Deadline {
    Deadline(ports.now().after(Duration::from_secs(secs)))
}

async fn plan(
    ports: &Ports,
    invoker: &impl Invoker,
    holder: RandomId,
    event: &PlannerEvent,
) -> Result<String> {
    let deadline = within(ports, PLANNER_SECS);
    let settings = settings();
    let clock = ports;
    let (state, log, observer) = (ports, ports, None);
    let planner = PlannerPorts { state, log, invoker, clock, holder, observer, settings };
    let report = tick(&planner, event, deadline).await?;
    Ok(told(ports, || format!("{:?}, left out: {:?}", report.outcome, report.left_out)))
}

async fn read(ports: &Ports, event: &ReaderEvent) -> Result<String> {
    let deadline = within(ports, READER_SECS);
    let reader = ReaderPorts {
        state: ports,
        objects: ports,
        log: ports,
        encoder: &SimEncoder,
        clock: ports,
        settings: settings(),
    };
    let Some(run) = run_of_task(ports, event, deadline).await? else {
        return Ok(told(ports, || "stale".to_owned()));
    };
    let outcome = read_task(&reader, &run, event, deadline, |_, _| {}).await?;
    Ok(told(ports, || format!("{outcome:?}")))
}

async fn publish(
    ports: &Ports,
    invoker: &impl Invoker,
    holder: RandomId,
    event: &FinalizerEvent,
) -> Result<String> {
    let deadline = within(ports, FINALIZER_SECS);
    let random = ports.world().with(|state| state.sabotaged(Sabotage::JoinIsRandom));
    let salt = random.then(|| ports.random_id().0);
    let joiner = &SimJoiner { copy_bytes_min: Some(COPY_BYTES_MIN), salt };
    let finalizer = FinalizerPorts {
        state: ports,
        objects: ports,
        joiner,
        invoker,
        clock: ports,
        holder,
        settings: settings(),
    };
    let outcome = finalize(&finalizer, event, deadline).await?;
    Ok(told(ports, || format!("{outcome:?}")))
}

/// Starts what is to be started in this very process, one after another.
struct InProcess(Mutex<VecDeque<Event>>);

impl InProcess {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Event>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next event; once all tasks are read, the finalizer's.
    fn take(&self, last_read: &mut Option<FinalizerEvent>) -> Option<Event> {
        let next = self.queue().pop_front();
        next.or_else(|| last_read.take().map(Event::Finalizer))
    }
}

impl Invoker for InProcess {
    async fn start_reader(&self, event: &ReaderEvent, _deadline: Deadline) -> Result<()> {
        self.queue().push_back(Event::Reader(event.clone()));
        Ok(())
    }

    async fn start_finalizer(&self, event: &FinalizerEvent, _deadline: Deadline) -> Result<()> {
        self.queue().push_back(Event::Finalizer(event.clone()));
        Ok(())
    }

    async fn start_planner(&self, event: &PlannerEvent, _deadline: Deadline) -> Result<()> {
        self.queue().push_back(Event::Planner(event.clone()));
        Ok(())
    }
}
