//! Publishing: each data file is created if absent, the head checked before each.

use std::sync::atomic::Ordering;

use futures_util::future::try_join_all;

use super::finalizer::{FinalizerPorts, Work};
use super::layouts::StandingLayout;
use super::moving::{Gone, move_join, read_footer};
use super::state::load_head;
use super::{LAYOUT_KEY, PIPELINE_KEY, RUN_KEY};
use crate::documents::{self, DataFile, Layout, Manifest};
use crate::error::{Context, Error, Result};
use crate::names;
use crate::ports::{
    Clock, Created, JoinInput, JoinStats, Joiner, ObjectStore, ReadRange, StateStore,
    UPLOAD_PART_MIN, Upload,
};
use crate::time::Deadline;
use crate::words::{PipelineName, RunNumber};

/// How many data files are joined at once: memory is bounded by that many column chunks.
const FILES_SIDE_BY_SIDE: usize = 4;
/// Row groups into which small ones are spliced.
const ROW_GROUP_BYTES: u64 = 128 << 20;

/// What publishing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// All stand. Their sizes, in order.
    All(Vec<u64>),
    /// The run was closed meanwhile.
    Stale,
}

/// What one data file came to.
enum One {
    Stands(u64),
    Stale,
}

/// Publishes the data files of a layout.
pub(super) async fn publish<S: StateStore, O: ObjectStore, J: Joiner, I, C: Clock>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    standing: &StandingLayout,
    stats: &mut JoinStats,
    deadline: Deadline,
) -> Result<Published> {
    let mut sizes = Vec::with_capacity(standing.layout.files.len());
    for some in standing.layout.files.chunks(FILES_SIDE_BY_SIDE) {
        let published = some.iter().map(|file| async move {
            let published = publish_one(ports, work, standing, file, deadline).await;
            published.while_doing(|| format!("publish {}", file.path))
        });
        for (one, joined) in try_join_all(published).await? {
            match one {
                One::Stale => return Ok(Published::Stale),
                One::Stands(bytes) => sizes.push(bytes),
            }
            stats.row_groups_copied += joined.row_groups_copied;
            stats.pages_copied += joined.pages_copied;
            stats.rows_decoded += joined.rows_decoded;
        }
    }
    Ok(Published::All(sizes))
}

async fn publish_one<S: StateStore, O: ObjectStore, J: Joiner, I, C: Clock>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    standing: &StandingLayout,
    file: &DataFile,
    deadline: Deadline,
) -> Result<(One, JoinStats)> {
    let nothing = JoinStats::default();
    if standing.adopted
        && let Some(one) = look(ports, work, standing, file, deadline).await?
    {
        return Ok((one, nothing));
    }
    if !still_open(ports, work, deadline).await? {
        return Ok((One::Stale, nothing));
    }
    let stats = match join(ports, standing, file, deadline).await? {
        Ok((stats, Created::Ours)) => {
            work.published.fetch_add(1, Ordering::Relaxed);
            stats
        }
        Ok((stats, Created::Stands)) => stats,
        Err(Gone(staged)) => {
            // Whoever closes the run deletes what was staged; whoever published first, too.
            if !still_open(ports, work, deadline).await? {
                return Ok((One::Stale, nothing));
            }
            if let Some(one) = look(ports, work, standing, file, deadline).await? {
                return Ok((one, nothing));
            }
            return Err(Error::corrupt(format!(
                "staged file {staged} is gone, and the layout of run {} needs it: \
                 `tidegate abort` is the last resort",
                standing.layout.run
            )));
        }
    };
    let one = look(ports, work, standing, file, deadline)
        .await?
        .ok_or_else(|| Error::corrupt(format!("{} was published, and is not there", file.path)))?;
    Ok((one, stats))
}

/// Whether the run is still open with this plan, and not given up.
async fn still_open<S: StateStore, O, J, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    deadline: Deadline,
) -> Result<bool> {
    let loaded = load_head(ports.state, &work.plan.pipeline, deadline).await?;
    Ok(loaded.is_some_and(|l| l.head.open_as(work.plan.run, work.plan.plan).is_some()))
}

/// What stands under a data file's name, if anything does. It is ours if it carries the layout's
/// hash; anything else is corrupt, unless the run was given up meanwhile: then an abort took the
/// name.
async fn look<S: StateStore, O: ObjectStore, J: Joiner, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    work: &Work,
    standing: &StandingLayout,
    file: &DataFile,
    deadline: Deadline,
) -> Result<Option<One>> {
    let footer = read_footer(ports.objects, ports.joiner, &file.path, deadline).await?;
    let Some(footer) = footer else { return Ok(None) };
    if footer.value(LAYOUT_KEY) == Some(&standing.hash) && footer.rows == file.rows {
        return Ok(Some(One::Stands(footer.file_bytes)));
    }
    if !still_open(ports, work, deadline).await? {
        return Ok(Some(One::Stale));
    }
    Err(Error::corrupt(format!(
        "{} stands, and is not of layout {}: something else writes to this destination under \
         this pipeline's names",
        file.path, standing.hash
    )))
}

/// Joins a data file and lets it appear, if none stands. An answer of the store that another
/// stands is judged by [`look`] afterwards.
async fn join<S, O: ObjectStore, J: Joiner, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    standing: &StandingLayout,
    file: &DataFile,
    deadline: Deadline,
) -> Result<Result<(JoinStats, Created), Gone>> {
    let mut inputs = Vec::with_capacity(file.staged.len());
    for staged in &file.staged {
        let footer = read_footer(ports.objects, ports.joiner, staged, deadline).await?;
        let Some(footer) = footer else { return Ok(Err(Gone(staged.clone()))) };
        inputs.push(JoinInput { footer });
    }
    let Layout { pipeline, run, .. } = &standing.layout;
    let metadata = data_file_metadata(pipeline, *run, file.number, &standing.hash);
    let mut join = ports.joiner.join(inputs, &metadata, UPLOAD_PART_MIN, ROW_GROUP_BYTES)?;
    let mut upload = ports.objects.upload(&file.path, &metadata, deadline).await?;
    let moved = move_join(ports.objects, &file.staged, &mut join, &mut upload, deadline).await;
    let failed = match moved {
        Ok(Ok(stats)) => return Ok(Ok((stats, upload.finish(deadline).await?))),
        Ok(Err(gone)) => Ok(Err(gone)),
        Err(error) => Err(error),
    };
    // What caused it matters; the store's lifecycle removes what is left.
    let _ = upload.abandon(deadline).await;
    failed
}

/// What a data file, the `number`th of its run, says of itself: in its footer, and where the
/// store keeps metadata of its own.
pub(crate) fn data_file_metadata(
    pipeline: &PipelineName,
    run: RunNumber,
    number: u32,
    layout_hash: &str,
) -> Vec<(String, String)> {
    vec![
        (PIPELINE_KEY.to_owned(), pipeline.to_string()),
        (RUN_KEY.to_owned(), run.to_string()),
        ("tidegate.number".to_owned(), number.to_string()),
        (LAYOUT_KEY.to_owned(), layout_hash.to_owned()),
    ]
}

/// Writes the manifest once. One that stands is ours if it carries the layout's hash.
pub(super) async fn write_manifest<S, O: ObjectStore, J, I, C>(
    ports: &FinalizerPorts<'_, S, O, J, I, C>,
    standing: &StandingLayout,
    sizes: &[u64],
    deadline: Deadline,
) -> Result<Manifest> {
    let manifest = Manifest::of(&standing.layout, &standing.hash, sizes);
    let name =
        names::ManifestFile { pipeline: manifest.pipeline.clone(), run: manifest.run }.to_string();
    let created = ports.objects.create(&name, documents::encode(&manifest), &[], deadline).await;
    if created.while_doing(|| format!("write manifest {name}"))? == Created::Ours {
        return Ok(manifest);
    }
    let stands = ports.objects.read(&name, ReadRange::All, deadline).await?;
    let stands: Option<Manifest> = stands
        .map(|object| documents::decode(&object.bytes, &format!("manifest {name}")))
        .transpose()?;
    stands.filter(|stands| stands.layout_hash == standing.hash).ok_or_else(|| {
        Error::corrupt(format!(
            "{name} stands, and is not of layout {}: something else writes to this destination",
            standing.hash
        ))
    })
}
