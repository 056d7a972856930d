//! Reading a task: the run's plan says from where and to where.

use tidegate_aws::function::Invocation;
use tidegate_aws::{DynamoState, S3Objects};
use tidegate_core::Result;
use tidegate_core::ports::ReaderEvent;
use tidegate_core::spec::Spec;
use tidegate_core::use_cases::{
    ReadOutcome, ReaderPorts, TaskSummary, load_head, load_plan, read_task,
};
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
        let loaded = load_head(&state, &event.pipeline, by).await?;
        let open = loaded.as_ref().and_then(|loaded| loaded.head.open_as(event.run, event.plan));
        let Some(open) = open else { return Ok(told(ReadOutcome::Stale)) };
        let plan = load_plan(&state, &event.pipeline, open, by).await?;
        let spec = Spec::from_value(&plan.spec)?;
        let ports = ReaderPorts {
            state: &state,
            objects: &S3Objects::at(&self.clients, &spec.destination)?,
            log: &self.sources.of(&spec)?,
            encoder: &RawEncoder::default(),
            clock: &SystemClock,
            settings: self.environment.settings(invocation.remaining),
        };
        Ok(told(Box::pin(read_task(&ports, event, by, |_, _| {})).await?))
    }
}

/// What became of the task, in one word.
fn told(outcome: ReadOutcome) -> &'static str {
    let (word, done) = match outcome {
        ReadOutcome::Written(done) => ("written", done),
        ReadOutcome::Exists => ("exists", TaskSummary::default()),
        ReadOutcome::Stale => ("stale", TaskSummary::default()),
    };
    let TaskSummary { rows, payload_bytes, files, file_bytes } = done;
    tracing::info!(outcome = word, rows, payload_bytes, files, file_bytes, "task");
    word
}
