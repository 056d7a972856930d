//! The finalizer on AWS Lambda: publishes and commits a run. The table's stream starts it once all
//! outputs stand, or the planner does. It has no path to Kafka.

use serde_json::{Value, json};
use tidegate_allocator as _;
use tidegate_aws::function::{self, Fatal, Invocation};
use tidegate_aws::{Clients, DynamoState, Environment, LambdaInvoker, S3Objects, events, metrics};
use tidegate_core::Result;
use tidegate_core::ports::{Clock, FinalizerEvent};
use tidegate_core::spec::Destination;
use tidegate_core::use_cases::{FinalizeOutcome, FinalizerPorts, finalize, load_head};
use tidegate_local::SystemClock;
use tidegate_parquet::ParquetJoiner;
use tracing::Span;
use tracing::field::Empty;

/// What outlives an invocation.
struct Finalizer {
    environment: Environment,
    clients: Clients,
}

#[tokio::main]
async fn main() -> Result<(), Fatal> {
    function::log();
    let environment = Environment::read()?;
    let finalizer = Finalizer { environment, clients: Clients::from_environment().await };
    let span = || tracing::info_span!("finalize", pipeline = Empty, run = Empty);
    let work = async |event, time| Box::pin(finalizer.finalize_all(event, time)).await;
    function::serve(span, work).await
}

impl Finalizer {
    /// Each of the runs, though one may fail: the first error is the answer.
    async fn finalize_all(&self, event: Value, invocation: Invocation) -> Result<Value> {
        let (mut outcomes, mut failed) = (Vec::new(), None);
        for event in events::finalizer_events(event)? {
            let span = Span::current();
            span.record("pipeline", event.pipeline.as_str()).record("run", event.run.0);
            match self.finalize(&event, invocation).await {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(json!({ "outcomes": outcomes })), Err)
    }

    async fn finalize(&self, event: &FinalizerEvent, invocation: Invocation) -> Result<Value> {
        let state = DynamoState::new(&self.clients, &self.environment.table);
        let head = load_head(&state, &event.pipeline, invocation.deadline).await?;
        let open = head.filter(|loaded| loaded.head.open_as(event.run, event.plan).is_some());
        let Some(loaded) = open else { return Ok(json!("stale")) };
        let destination = Destination::try_from(loaded.head.destination)?;
        let ports = FinalizerPorts {
            state: &state,
            objects: &S3Objects::at(&self.clients, &destination)?,
            joiner: &ParquetJoiner,
            invoker: &LambdaInvoker::new(&self.clients, &self.environment),
            clock: &SystemClock,
            holder: SystemClock.random_id(),
            settings: self.environment.settings(invocation.remaining),
        };
        let outcome = Box::pin(finalize(&ports, event, invocation.deadline)).await?;
        Ok(match outcome {
            FinalizeOutcome::Committed(done) => {
                function::print(&[metrics::of_commit(&event.pipeline, &done, SystemClock.now())]);
                if let Some(untidy) = &done.untidy {
                    tracing::warn!("not tidied up, the next run does: {untidy}");
                }
                json!({ "committed": { "rows": done.rows, "files": done.files } })
            }
            FinalizeOutcome::Stale => json!("stale"),
            FinalizeOutcome::Busy => json!("busy"),
            FinalizeOutcome::Incomplete { missing } => json!({ "incomplete": missing }),
            FinalizeOutcome::GoesOn { files } => json!({ "goes_on": files }),
        })
    }
}
