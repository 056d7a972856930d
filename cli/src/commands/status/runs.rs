//! The last runs, from their manifests.

use tidegate_core::documents::{self, Manifest};
use tidegate_core::error::Context;
use tidegate_core::names;
use tidegate_core::ports::{ObjectStore, ReadRange};
use tidegate_core::spec::units::time_text;
use tidegate_core::words::RunNumber;
use tidegate_core::{Error, Result};

use super::{RUNS_SHOWN, RunLine};
use crate::deployment::{Deployment, look_deadline};

/// The last runs that have a manifest, the newest first: each names the one before it.
pub(super) async fn last(at: &Deployment, newest: Option<RunNumber>) -> Result<Vec<RunLine>> {
    let mut lines = Vec::new();
    let mut next = newest;
    while let Some(run) = next
        && lines.len() < RUNS_SHOWN
    {
        let name = names::ManifestFile { pipeline: at.spec.pipeline.clone(), run }.to_string();
        let object = at.objects.read(&name, ReadRange::All, look_deadline()).await;
        let object = object.while_doing(|| format!("read manifest {name}"))?;
        let object = object.ok_or_else(|| {
            Error::corrupt(format!(
                "{name} is not there: the files of {} were moved",
                at.spec.pipeline
            ))
        })?;
        let manifest: Manifest = documents::decode(&object.bytes, &format!("manifest {name}"))?;
        // A chain that leads back would never end.
        next = manifest.previous.filter(|previous| *previous < run);
        lines.push(line(&manifest));
    }
    Ok(lines)
}

fn line(manifest: &Manifest) -> RunLine {
    let offsets = manifest.slices.iter().map(|slice| slice.reached.abs_diff(slice.start));
    let lost = manifest.losses.iter().map(|loss| loss.end.abs_diff(loss.start));
    RunLine {
        run: manifest.run,
        kind: manifest.kind.as_str(),
        reason: manifest.reason.clone(),
        planned_at: time_text(manifest.planned_at),
        laid_out_at: time_text(manifest.laid_out_at),
        rows: manifest.files.iter().map(|file| file.rows).sum(),
        offsets: offsets.sum(),
        files: manifest.files.len(),
        bytes: manifest.files.iter().map(|file| file.bytes).sum(),
        lost: lost.sum(),
        set_aside: manifest.set_aside.len(),
    }
}
