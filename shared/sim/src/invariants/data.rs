//! Data files, layouts and manifests, as they appear.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidegate_core::documents::{self, Layout, Manifest, ManifestKind};
use tidegate_core::names;
use tidegate_core::words::RunNumber;

use crate::file::{FileContent, FileRow};
use crate::kafka::Identity;
use crate::world::State;

impl State {
    /// A layout is the successor of the one before it, and of a run that the head had.
    pub(super) fn check_layout(&mut self, file: &names::LayoutFile, bytes: &Bytes) {
        let watch = &mut self.watch;
        let layout: Layout = match documents::decode(bytes, "the layout") {
            Ok(layout) => layout,
            Err(error) => return watch.violated(error.to_string()),
        };
        let run = layout.run;
        let last = watch.layouts.last_key_value();
        let last_run = last.map_or(RunNumber(0), |(run, _)| *run);
        let last_hash = last.map(|(_, (_, hash))| hash.clone());
        if file.after != last_run || layout.previous_layout != last_hash {
            return watch.violated(format!("the layout of run {run} does not follow {last_run}"));
        }
        if !watch.opened.contains(&(run, layout.plan)) {
            return watch.violated(format!("run {run} was laid out before it was open"));
        }
        watch.layouts.insert(run, (layout, documents::hash(bytes)));
    }

    /// A data file holds what its layout says, and no record that is in another.
    pub(super) fn check_data_file(&mut self, path: &str, name: &names::DataFile, bytes: &Bytes) {
        if let Err(wrong) = self.judge_data_file(path, name, bytes) {
            self.watch.violated(format!("{path}: {wrong}"));
        }
    }

    fn judge_data_file(
        &mut self,
        path: &str,
        name: &names::DataFile,
        bytes: &Bytes,
    ) -> Result<(), String> {
        let content = FileContent::read(bytes).map_err(|error| error.to_string())?;
        if self.watch.aborted.contains(&name.run) && self.watch.closed.contains(&name.run) {
            return Err("its run was aborted, and the name was free".to_owned());
        }
        let (layout, hash) =
            self.watch.layouts.get(&name.run).ok_or("it is published before its layout")?;
        let planned = layout.files.iter().find(|file| file.path == path);
        let planned = planned.ok_or("its layout does not name it")?;
        if usize::try_from(planned.rows) != Ok(content.rows.len()) {
            return Err(format!("{} rows, not {}", content.rows.len(), planned.rows));
        }
        if !content.metadata.iter().any(|(_, value)| value == hash) {
            return Err("it does not carry its layout's hash".to_owned());
        }
        let mut last = BTreeMap::new();
        let mut rows = Vec::with_capacity(content.rows.len());
        for row in &content.rows {
            let before = last.insert((row.topic.clone(), row.partition), row.offset);
            if before.is_some_and(|before| before >= row.offset) {
                return Err(format!("offset {} is not in order", row.offset));
            }
            rows.push(self.judge_row(layout, row)?);
        }
        for id in rows {
            let key = (id.topic_id, id.partition, id.offset);
            if let Some((_, run)) = self.watch.published.insert(key, (id.seq, name.run)) {
                let Identity { partition, offset, .. } = id;
                return Err(format!("partition {partition} offset {offset}: also in run {run}"));
            }
        }
        Ok(())
    }

    /// A row is a record that stood there, that a consumer sees, and that its layout counts.
    fn judge_row(&self, layout: &Layout, row: &FileRow) -> Result<Identity, String> {
        let FileRow { topic, partition, offset, key } = row;
        let at = format!("{topic}-{partition} offset {offset}");
        let id = key.as_deref().and_then(Identity::from_key);
        let id = id.ok_or_else(|| format!("{at}: it is no record of this Kafka"))?;
        if (id.partition, id.offset) != (*partition, *offset) {
            return Err(format!("{at}: it is the record of offset {}", id.offset));
        }
        let log = self.kafka.log_by_id(id.topic_id, *partition);
        if !log.is_some_and(|log| log.ever_visible(*offset, id.seq, self.watch.isolation)) {
            return Err(format!("{at}: no consumer ever saw this record"));
        }
        let counted = layout.slices.iter().any(|slice| {
            *slice.partition.topic == **topic
                && slice.partition.partition == *partition
                && slice.topic_id == Some(id.topic_id)
                && (slice.start..slice.reached).contains(offset)
        });
        if counted { Ok(id) } else { Err(format!("{at}: no slice of the layout counts it")) }
    }

    /// A manifest follows the one before it, and names files that stand.
    pub(super) fn check_manifest(&mut self, file: &names::ManifestFile, bytes: &Bytes) {
        let manifest: Manifest = match documents::decode(bytes, "the manifest") {
            Ok(manifest) => manifest,
            Err(error) => return self.watch.violated(error.to_string()),
        };
        if let Err(wrong) = self.judge_manifest(file, &manifest) {
            return self.watch.violated(format!("the manifest of run {}: {wrong}", file.run));
        }
        self.watch.manifests.insert(file.run, manifest);
    }

    pub(super) fn judge_manifest(
        &self,
        file: &names::ManifestFile,
        manifest: &Manifest,
    ) -> Result<(), String> {
        let last = self.watch.manifests.range(..file.run).next_back().map(|(run, _)| *run);
        if manifest.run != file.run || manifest.previous != last {
            return Err(format!(
                "it names {:?} as the one before, not {last:?}",
                manifest.previous
            ));
        }
        let layout = self.watch.layouts.get(&file.run);
        let (layout, hash) = layout.ok_or("it was written before its layout")?;
        if manifest.layout_hash != *hash || manifest.files.len() != layout.files.len() {
            return Err("it is not that of its layout".to_owned());
        }
        if self.watch.aborted.contains(&file.run) && manifest.kind != ManifestKind::Aborted {
            // A finalizer that knows nothing of it yet: the abort replaces what it wrote.
            return Ok(());
        }
        for file in &manifest.files {
            let stands = self.objects.get(&file.path);
            if stands.and_then(|bytes| u64::try_from(bytes.len()).ok()) != Some(file.bytes) {
                return Err(format!("{} does not stand with {} bytes", file.path, file.bytes));
            }
        }
        Ok(())
    }
}
