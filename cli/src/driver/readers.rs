//! Readers side by side.

use std::sync::Arc;

use tidegate_core::Result;
use tidegate_core::ports::{Clock, Encoder, LogSource, ObjectStore, ReaderEvent, StateStore};
use tidegate_core::use_cases::{ReadOutcome, ReaderPorts, TaskSummary, read_task, run_of_task};
use tokio::task::JoinSet;

use super::Embedded;
use crate::exit;
use crate::progress::Progress;

/// Reads tasks, at most as many at once as the ports allow. One that fails does not stop the
/// others, whose outputs count; the first error is answered at the end.
pub(super) async fn read_all<S, O, L, E, J, C>(
    ports: &Arc<Embedded<S, O, L, E, J, C>>,
    events: Vec<ReaderEvent>,
    progress: &Progress,
) -> Result<()>
where
    S: StateStore + 'static,
    O: ObjectStore<Upload: Sync> + 'static,
    L: LogSource + 'static,
    E: Encoder<File: Sync> + 'static,
    J: Send + Sync + 'static,
    C: Clock + 'static,
{
    let mut waiting = events.into_iter();
    let mut reading = JoinSet::new();
    let mut failed = None;
    loop {
        while reading.len() < ports.readers.max(1)
            && let Some(event) = waiting.next()
        {
            reading.spawn(read(Arc::clone(ports), event, progress.clone()));
        }
        let Some(ended) = reading.join_next().await else { break };
        let ended = ended.unwrap_or_else(|error| Err(exit::bug("a reader", &error)));
        if let Err(error) = ended {
            match &failed {
                None => failed = Some(error),
                Some(_) => tracing::warn!("{error}"),
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn read<S, O, L, E, J, C>(
    ports: Arc<Embedded<S, O, L, E, J, C>>,
    event: ReaderEvent,
    progress: Progress,
) -> Result<()>
where
    S: StateStore,
    O: ObjectStore,
    L: LogSource,
    E: Encoder,
    C: Clock,
{
    let reader = ReaderPorts {
        state: &ports.state,
        objects: &ports.objects,
        log: &ports.log,
        encoder: &ports.encoder,
        clock: &ports.clock,
        settings: ports.settings,
    };
    let deadline = ports.deadline();
    let of_task = run_of_task(&ports.state, &event, deadline).await?;
    let read = match &of_task {
        Some(run) => {
            let told = |rows, bytes| progress.read(rows, bytes);
            Some(Box::pin(read_task(&reader, run, &event, deadline, told)).await?)
        }
        None => None,
    };
    tell(&event, read);
    Ok(())
}

/// Logs what became of a task.
fn tell(event: &ReaderEvent, read: Option<ReadOutcome>) {
    let (run, task) = (event.run, event.task);
    let (outcome, done) = match read {
        Some(ReadOutcome::Written(done)) => ("task read", done),
        Some(ReadOutcome::Exists) => ("task was read before", TaskSummary::default()),
        None => ("the run was closed meanwhile", TaskSummary::default()),
    };
    let TaskSummary { rows, payload_bytes, files, file_bytes } = done;
    tracing::info!(%run, task, rows, payload_bytes, files, file_bytes, "{outcome}");
}
