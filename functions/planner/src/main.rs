//! The planner on AWS Lambda: one tick of a pipeline. It has no path to Kafka (the reader observes
//! for it) and none to the destination.

use serde_json::{Value, json};
use tidegate_allocator as _;
use tidegate_aws::function::{self, Fatal, Invocation};
use tidegate_aws::{Clients, DynamoState, Environment, LambdaInvoker, RemoteLog, events, metrics};
use tidegate_core::ports::Clock;
use tidegate_core::spec::Spec;
use tidegate_core::use_cases::{PlannerPorts, tick};
use tidegate_core::{Error as Failure, Result};
use tidegate_local::SystemClock;
use tracing::Span;
use tracing::field::Empty;

/// What outlives an invocation.
struct Planner {
    environment: Environment,
    clients: Clients,
    reader: String,
}

#[tokio::main]
async fn main() -> Result<(), Fatal> {
    function::log();
    let environment = Environment::read()?;
    let reader = environment.reader.clone();
    let reader = reader.ok_or_else(|| Failure::config("TIDEGATE_READER must name the reader"))?;
    let planner = Planner { environment, clients: Clients::from_environment().await, reader };
    let span = || tracing::info_span!("tick", pipeline = Empty, chain = Empty);
    function::serve(span, async |event, time| Box::pin(planner.plan(event, time)).await).await
}

impl Planner {
    async fn plan(&self, event: Value, invocation: Invocation) -> Result<Value> {
        let event = events::planner_event(event)?;
        let spec = Spec::from_value(&event.spec)?;
        let span = Span::current();
        span.record("pipeline", spec.pipeline.as_str()).record("chain", event.chain);
        let ports = PlannerPorts {
            state: &DynamoState::new(&self.clients, &self.environment.table),
            log: &RemoteLog::new(&self.clients, &self.reader, &spec),
            invoker: &LambdaInvoker::new(&self.clients, &self.environment),
            clock: &SystemClock,
            holder: SystemClock.random_id(),
            observer: Some(&self.reader),
            settings: self.environment.settings(invocation.remaining),
        };
        let report = Box::pin(tick(&ports, &event, invocation.deadline)).await?;
        report
            .troubles
            .iter()
            .for_each(|trouble| tracing::warn!(kind = %trouble.kind, "{trouble}"));
        function::print(&metrics::of_tick(&spec, &report, SystemClock.now()));
        Ok(json!({ "outcome": format!("{:?}", report.outcome) }))
    }
}
