//! The reader on AWS Lambda: the one function that reaches Kafka. It observes for the planner and
//! reads tasks.

mod kafka;
mod task;

use serde_json::{Value, json};
use tidegate_allocator as _;
use tidegate_aws::events::{self, ReaderCall};
use tidegate_aws::function::{self, Fatal, Invocation};
use tidegate_aws::{Clients, Environment, ObserveAnswer, ObserveEvent};
use tidegate_core::ports::LogSource;
use tidegate_core::spec::Spec;
use tidegate_core::{Error as Failure, Result};
use tracing::Span;
use tracing::field::Empty;

use crate::kafka::Sources;

/// What outlives an invocation.
struct Reader {
    environment: Environment,
    clients: Clients,
    sources: Sources,
}

#[tokio::main]
async fn main() -> Result<(), Fatal> {
    function::log();
    let environment = Environment::read()?;
    let clients = Clients::from_environment().await;
    let reader = Reader { environment, sources: Sources::new(&clients), clients };
    let (pipeline, run, task, attempt) = (Empty, Empty, Empty, Empty);
    let span = || tracing::info_span!("read", pipeline, run, task, attempt);
    function::serve(span, async |event, time| Box::pin(reader.answer(event, time)).await).await
}

impl Reader {
    async fn answer(&self, event: Value, invocation: Invocation) -> Result<Value> {
        match events::reader_call(event)? {
            ReaderCall::Observe(event) => self.observe(&event, invocation).await,
            ReaderCall::Task(event) => {
                Span::current()
                    .record("pipeline", event.pipeline.as_str())
                    .record("run", event.run.0)
                    .record("task", event.task)
                    .record("attempt", event.attempt);
                let outcome = self.read(&event, invocation).await?;
                Ok(json!({ "outcome": outcome }))
            }
        }
    }

    async fn observe(&self, event: &ObserveEvent, invocation: Invocation) -> Result<Value> {
        let spec = Spec::from_value(&event.spec)?;
        Span::current().record("pipeline", spec.pipeline.as_str());
        let seen = async {
            let log = self.sources.of(&spec)?;
            Box::pin(log.observe(&event.request()?, invocation.deadline)).await
        }
        .await;
        serde_json::to_value(ObserveAnswer::of(&seen))
            .map_err(|error| Failure::corrupt("the answer is no JSON").with_source(error))
    }
}
