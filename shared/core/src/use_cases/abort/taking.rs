//! Taking the names that a late finalizer would want.

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::AbortPorts;
use crate::documents::{Abort, Checkpoint, DataFile, Head, Layout, OpenRun, Plan};
use crate::error::{Context, ErrorKind, Result};
use crate::layout::give_up;
use crate::ports::{Codec, EncodeSettings, Encoder, FileEncoder, ObjectStore, StateStore};
use crate::time::Deadline;
use crate::use_cases::SIDE_BY_SIDE;
use crate::use_cases::layouts::{self, StandingLayout};
use crate::use_cases::publish::data_file_metadata;
use crate::use_cases::state::load_plan;

/// The run's layout; where it has none, one that sets everything aside takes the name, so that
/// the layout of a late finalizer cannot.
pub(super) async fn take_layout<S: StateStore, O: ObjectStore, E, C>(
    ports: &AbortPorts<'_, S, O, E, C>,
    head: &Head,
    open: &OpenRun,
    abort: &Abort,
    base: &Checkpoint,
    deadline: Deadline,
) -> Result<StandingLayout> {
    if let Some(standing) = layouts::find(ports.objects, head, open, deadline).await? {
        return Ok(standing);
    }
    let plan: Option<Plan> = match load_plan(ports.state, &head.pipeline, open, deadline).await {
        Ok(plan) => Some(plan),
        // That may be what is wrong with the run. Only the starts it resolved are lost with it.
        Err(error) if error.kind() == ErrorKind::Corrupt => None,
        Err(error) => return Err(error),
    };
    let layout = give_up((head, open, abort), plan.as_ref(), base);
    layouts::create(ports.objects, head, open, layout, deadline).await
}

/// Puts a file without rows under every name of the layout; answers their sizes.
pub(super) async fn take_names<S, O: ObjectStore, E: Encoder, C>(
    ports: &AbortPorts<'_, S, O, E, C>,
    standing: &StandingLayout,
    deadline: Deadline,
) -> Result<Vec<u64>> {
    let mut sizes = Vec::with_capacity(standing.layout.files.len());
    for some in standing.layout.files.chunks(SIDE_BY_SIDE) {
        let taken = some.iter().map(|file| async {
            let taken = take_name(ports, standing, file, deadline).await;
            taken.while_doing(|| format!("empty {}", file.path))
        });
        sizes.extend(try_join_all(taken).await?);
    }
    Ok(sizes)
}

async fn take_name<S, O: ObjectStore, E: Encoder, C>(
    ports: &AbortPorts<'_, S, O, E, C>,
    standing: &StandingLayout,
    file: &DataFile,
    deadline: Deadline,
) -> Result<u64> {
    let Layout { pipeline, run, .. } = &standing.layout;
    let metadata = data_file_metadata(pipeline, *run, file.number, &standing.hash);
    let row_group_bytes = ports.settings.row_group_bytes;
    let empty = ports.encoder.open(EncodeSettings { codec: Codec::None, row_group_bytes })?;
    let bytes = Bytes::from(empty.finish(&metadata)?.concat());
    let size = u64::try_from(bytes.len()).expect("it is in memory");
    ports.objects.replace(&file.path, bytes, &metadata, deadline).await?;
    Ok(size)
}
