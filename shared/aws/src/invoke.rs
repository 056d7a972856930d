//! The other functions, behind Lambda's API.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde::Serialize;
use tidegate_core::ports::{FinalizerEvent, Invoker, PlannerEvent, ReaderEvent};
use tidegate_core::time::Deadline;
use tidegate_core::{Error, Result};

use crate::call::within;
use crate::clients::Clients;
use crate::environment::Environment;

/// Starts functions asynchronously: Lambda keeps the event and answers at once.
#[derive(Clone, Debug)]
pub struct LambdaInvoker {
    client: Client,
    reader: Option<String>,
    finalizer: Option<String>,
    planner: Option<String>,
}

impl LambdaInvoker {
    /// Starts the functions that the environment names.
    pub fn new(clients: &Clients, environment: &Environment) -> Self {
        Self {
            client: clients.lambda.clone(),
            reader: environment.reader.clone(),
            finalizer: environment.finalizer.clone(),
            planner: environment.planner.clone(),
        }
    }

    async fn start<E: Serialize>(
        &self,
        which: &str,
        function: Option<&String>,
        event: &E,
        by: Deadline,
    ) -> Result<()> {
        let Some(function) = function else {
            return Err(Error::config(format!(
                "start the {which}: this function does not know its name"
            )));
        };
        let payload = serde_json::to_vec(event).map_err(|error| {
            Error::corrupt(format!("the event of the {which} is no JSON")).with_source(error)
        })?;
        let invoke = self
            .client
            .invoke()
            .function_name(function)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload));
        within(by, &format!("start the {which} {function}"), invoke.send()).await?;
        Ok(())
    }
}

impl Invoker for LambdaInvoker {
    async fn start_reader(&self, event: &ReaderEvent, by: Deadline) -> Result<()> {
        self.start("reader", self.reader.as_ref(), event, by).await
    }

    async fn start_finalizer(&self, event: &FinalizerEvent, by: Deadline) -> Result<()> {
        self.start("finalizer", self.finalizer.as_ref(), event, by).await
    }

    async fn start_planner(&self, event: &PlannerEvent, by: Deadline) -> Result<()> {
        self.start("planner", self.planner.as_ref(), event, by).await
    }
}
