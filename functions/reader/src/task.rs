//! Reading a task: the run's plan says from where and to where.

use tidegate_aws::function::Invocation;
use tidegate_aws::{DynamoState, S3Objects};
use tidegate_core::Result;
use tidegate_core::ports::ReaderEvent;
use tidegate_core::use_cases::{ReadOutcome, ReaderPorts, TaskSummary, read_task, run_of_task};
use tidegate_local::SystemClock;
use tidegate_parquet::RawEncoder;

use crate::Reader;

impl Reader {
    /// Reads a task; what became of it, in one word.
    pub(crate) async fn read(
        &self,
        event: &ReaderEvent,
        invocation: Invocation,
    ) -> Result<&'static str> {
        let by = invocation.deadline;
        let state = DynamoState::new(&self.clients, &self.environment.table);
        let Some(run) = run_of_task(&state, event, by).await? else {
            return Ok(told("stale", TaskSummary::default()));
        };
        let ports = ReaderPorts {
            state: &state,
            objects: &S3Objects::at(&self.clients, &run.spec().destination)?,
            log: &self.sources.of(run.spec())?,
            encoder: &RawEncoder::default(),
            clock: &SystemClock,
            settings: self.environment.settings(invocation.remaining),
        };
        Ok(match Box::pin(read_task(&ports, &run, event, by, |_, _| {})).await? {
            ReadOutcome::Written(done) => told("written", done),
            ReadOutcome::Exists => told("exists", TaskSummary::default()),
        })
    }
}

/// Logs what became of the task, and answers it in one word.
fn told(outcome: &'static str, done: TaskSummary) -> &'static str {
    let TaskSummary { rows, payload_bytes, files, file_bytes } = done;
    tracing::info!(outcome, rows, payload_bytes, files, file_bytes, "task");
    outcome
}
