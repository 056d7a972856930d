//! A reader's files in the making: rows go to the file of their table and directory; bytes leave
//! for the store while records still arrive; memory and the number of open files are bounded.

mod open_file;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use open_file::OpenFile;

use super::Settings;
use crate::columns::{Columns, timestamp_or_null};
use crate::documents::{PlannedSlice, StagedFile};
use crate::error::{Context, Result};
use crate::names::{self, DirectoryTemplate};
use crate::ports::{EncodeSettings, Encoder, FileEncoder, ObjectStore, ReaderEvent, Upload};
use crate::spec::{DirectoriesBy, Spec};
use crate::time::{Deadline, Millis};
use crate::words::RandomId;

/// The files of one pass over a task.
pub(super) struct Staging<'a, O: ObjectStore, E: Encoder> {
    objects: &'a O,
    encoder: &'a E,
    settings: &'a Settings,
    event: &'a ReaderEvent,
    reader: RandomId,
    slices: &'a [PlannedSlice],
    /// Per slice: the first slice that it shares files with.
    groups: Vec<u32>,
    directories: DirectoryTemplate,
    /// The time that the directories show, if it is not the record's.
    run_time: Option<Millis>,
    encode: EncodeSettings,
    target_bytes: u64,
    open: BTreeMap<FileKey, OpenFile<O::Upload, E::File>>,
    /// The open files, from the one that was used longest ago on.
    by_use: BTreeMap<u64, FileKey>,
    /// Heap bytes that the open files hold, as counted last.
    held_bytes: usize,
    /// How many of the open files have an upload under way.
    uploads: usize,
    /// Rises with each use of a file.
    uses: u64,
    next_number: u32,
    finished: Vec<StagedFile>,
}

/// Files of one group and directory follow each other; a group belongs to one table.
type FileKey = (u32, Option<i64>);

impl<'a, O: ObjectStore, E: Encoder> Staging<'a, O, E> {
    pub(super) fn new(
        (objects, encoder, settings): (&'a O, &'a E, &'a Settings),
        spec: &Spec,
        planned_at: Millis,
        event: &'a ReaderEvent,
        reader: RandomId,
        slices: &'a [PlannedSlice],
    ) -> Self {
        Self {
            objects,
            encoder,
            settings,
            event,
            reader,
            slices,
            groups: groups(slices),
            directories: spec.directories.clone(),
            run_time: (spec.directories_by == DirectoriesBy::Run).then_some(planned_at),
            encode: EncodeSettings {
                codec: spec.files.compression,
                row_group_bytes: settings.row_group_bytes,
            },
            target_bytes: spec.files.target_bytes.get(),
            open: BTreeMap::new(),
            by_use: BTreeMap::new(),
            held_bytes: 0,
            uploads: 0,
            uses: 0,
            next_number: 0,
            finished: Vec::new(),
        }
    }

    /// Appends rows of a slice; answers how many timestamps were written as null.
    pub(super) async fn append(
        &mut self,
        slice: usize,
        rows: &Columns,
        deadline: Deadline,
    ) -> Result<u64> {
        for (bucket, ranges) in self.by_directory(rows) {
            self.append_to((self.groups[slice], bucket), slice, rows, &ranges, deadline).await?;
        }
        let nulled = rows.timestamps().iter().filter(|t| timestamp_or_null(**t).is_none()).count();
        Ok(u64::try_from(nulled).expect("no more than the rows"))
    }

    /// The rows of each directory.
    fn by_directory(&self, rows: &Columns) -> BTreeMap<Option<i64>, Vec<Range<usize>>> {
        let mut ranges: BTreeMap<Option<i64>, Vec<Range<usize>>> = BTreeMap::new();
        if let Some(time) = self.run_time {
            if !rows.is_empty() {
                let all = std::iter::once(0..rows.len()).collect();
                ranges.insert(self.directories.bucket(time.0), all);
            }
            return ranges;
        }
        let mut start = 0;
        // A timestamp that is written as null is sorted as one that is missing.
        let bucket = |at: usize| {
            self.directories.bucket(timestamp_or_null(rows.timestamps()[at]).unwrap_or(-1))
        };
        while start < rows.len() {
            let first = bucket(start);
            let end = (start + 1..rows.len()).find(|at| bucket(*at) != first);
            let end = end.unwrap_or(rows.len());
            ranges.entry(first).or_default().push(start..end);
            start = end;
        }
        ranges
    }

    async fn append_to(
        &mut self,
        key: FileKey,
        slice: usize,
        rows: &Columns,
        ranges: &[Range<usize>],
        deadline: Deadline,
    ) -> Result<()> {
        if !self.open.contains_key(&key) {
            let file = self.begin()?;
            self.open.insert(key, file);
        }
        self.uses += 1;
        let file = self.open.get_mut(&key).expect("it was put there");
        self.by_use.remove(&file.used);
        self.by_use.insert(self.uses, key);
        file.used = self.uses;
        let partition = &self.slices[slice].partition;
        file.encoder.append(&partition.topic, partition.partition, rows, ranges)?;
        file.note(u32::try_from(slice).expect("a task has few slices"), rows, ranges);
        self.send_ready(key, deadline).await?;
        if self.open[&key].encoder.file_bytes() >= self.target_bytes {
            self.finish(key, deadline).await?;
        }
        self.keep_bounds(deadline).await
    }

    fn begin(&mut self) -> Result<OpenFile<O::Upload, E::File>> {
        let number = self.next_number;
        self.next_number += 1;
        let path = names::StagedFile {
            pipeline: self.event.pipeline.clone(),
            run: self.event.run,
            task: self.event.task,
            attempt: self.event.attempt,
            reader: self.reader,
            number,
        };
        Ok(OpenFile::new(self.encoder.open(self.encode)?, path.to_string(), number))
    }

    /// Sends what is ready, and counts what is held.
    async fn send_ready(&mut self, key: FileKey, deadline: Deadline) -> Result<()> {
        let file = self.open.get_mut(&key).expect("only open files are sent");
        let ready = file.encoder.take_ready();
        if !ready.is_empty() {
            let before = usize::from(file.upload.is_some());
            file.send(self.objects, ready, deadline).await?;
            self.uploads += usize::from(file.upload.is_some()) - before;
        }
        let held = file.held_bytes();
        self.held_bytes = self.held_bytes - file.held + held;
        file.held = held;
        Ok(())
    }

    /// Ends files until memory, number and uploads of those that are open are within bounds: the one
    /// that was used longest ago first. A single one gives its row group away instead.
    async fn keep_bounds(&mut self, deadline: Deadline) -> Result<()> {
        while let Some(key) = self.one_too_many() {
            if self.open.len() == 1 {
                let file = self.open.get_mut(&key).expect("it was found there");
                file.encoder.close_row_group()?;
                return self.send_ready(key, deadline).await;
            }
            self.finish(key, deadline).await?;
        }
        Ok(())
    }

    /// The file to be ended next, if there is too much of anything.
    fn one_too_many(&self) -> Option<FileKey> {
        let settings = self.settings;
        let mut oldest_first = self.by_use.values().copied();
        if self.held_bytes > settings.staging_bytes_max || self.open.len() > settings.open_files_max
        {
            return oldest_first.next();
        }
        if self.uploads > settings.uploads_max {
            return oldest_first.find(|key| self.open[key].upload.is_some());
        }
        None
    }

    async fn finish(&mut self, key: FileKey, deadline: Deadline) -> Result<()> {
        let mut file = self.open.remove(&key).expect("only open files are ended");
        self.by_use.remove(&file.used);
        self.held_bytes -= file.held;
        self.uploads -= usize::from(file.upload.is_some());
        let path = file.path.clone();
        let rows = file.encoder.rows();
        let number = file.number;
        let (group, bucket) = key;
        let table = &self.slices[usize::try_from(group).expect("an index")].table;
        let metadata = metadata(self.event);
        let slices = std::mem::take(&mut file.slices);
        let bytes = file
            .finish(self.objects, &metadata, deadline)
            .await
            .while_doing(|| format!("write staged file {path}"))?;
        self.finished.push(StagedFile {
            number,
            path,
            bytes,
            rows,
            table: Arc::clone(table),
            directory: self.directories.name(bucket),
            fingerprint: self.encoder.fingerprint(),
            group,
            slices: slices.into_values().collect(),
        });
        Ok(())
    }

    /// Ends all files; answers them.
    pub(super) async fn close(mut self, deadline: Deadline) -> Result<Vec<StagedFile>> {
        while let Some(key) = self.open.keys().next().copied() {
            self.finish(key, deadline).await?;
        }
        self.finished.sort_by_key(|file| file.number);
        Ok(self.finished)
    }

    /// Ends open uploads, as far as that can be had. Files that stand are deleted with the run's
    /// staging: a reader may not delete.
    pub(super) async fn give_up(self, deadline: Deadline) {
        for upload in self.open.into_values().filter_map(|file| file.upload) {
            // What matters is why it gives up, not that an upload stays for the store to remove.
            let _ = upload.abandon(deadline).await;
        }
    }
}

/// Per slice: the first slice that it shares files with. Slices that lead share the files of
/// their table; any other has files of its own, since it counts only if all before it was read.
fn groups(slices: &[PlannedSlice]) -> Vec<u32> {
    let mut first: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    let group = |(at, slice): (u32, &PlannedSlice)| match slice.leads {
        true => *first.entry(Arc::clone(&slice.table)).or_insert(at),
        false => at,
    };
    (0..).zip(slices).map(group).collect()
}

/// What a staged file tells of itself, in its footer: the finalizer checks it.
pub(super) fn metadata(event: &ReaderEvent) -> Vec<(String, String)> {
    vec![
        ("tidegate.pipeline".to_owned(), event.pipeline.to_string()),
        ("tidegate.run".to_owned(), event.run.to_string()),
        ("tidegate.plan".to_owned(), event.plan.to_string()),
        ("tidegate.task".to_owned(), event.task.to_string()),
    ]
}
