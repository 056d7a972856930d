//! The rows of a run, one by one (`verify --deep`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Folders;
use super::offset_set::OffsetSet;
use crate::documents::{Manifest, ManifestFile};
use crate::ports::RowRun;
use crate::words::plural;

/// So many faults are told of each file.
const FAULTS_MAX: usize = 8;

/// A partition, by topic and index.
type Place = (Arc<str>, i32);

/// What was seen of the rows of a run. Holds one bit per offset, and less where all were seen.
#[derive(Debug)]
pub(crate) struct RowsOfRun {
    slices: BTreeMap<Place, Vec<SeenSlice>>,
    /// Whether a file could not be read to its end.
    partial: bool,
}

#[derive(Debug)]
struct SeenSlice {
    start: i64,
    reached: i64,
    rows: u64,
    timestamps_null: u64,
    offsets: OffsetSet,
}

impl RowsOfRun {
    /// Nothing was seen yet.
    pub(crate) fn new(manifest: &Manifest) -> Self {
        let mut slices: BTreeMap<Place, Vec<SeenSlice>> = BTreeMap::new();
        for slice in &manifest.slices {
            let place = (Arc::clone(&slice.topic), slice.partition);
            slices.entry(place).or_default().push(SeenSlice {
                start: slice.start,
                reached: slice.reached,
                rows: 0,
                timestamps_null: 0,
                offsets: OffsetSet::default(),
            });
        }
        slices.values_mut().for_each(|slices| slices.sort_by_key(|slice| slice.start));
        Self { slices, partial: false }
    }

    /// A file could not be read to its end: rows cannot be summed up.
    pub(crate) fn skip(&mut self) {
        self.partial = true;
    }

    /// Checks that each slice has the rows that it accounts for.
    pub(crate) fn end(&self, manifest: &Manifest) -> Vec<String> {
        if self.partial {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for slice in &manifest.slices {
            let place = (Arc::clone(&slice.topic), slice.partition);
            let of_partition = self.slices.get(&place).into_iter().flatten();
            let mut of_slice = of_partition.filter(|seen| seen.start == slice.start);
            let Some(seen) = of_slice.next() else { continue };
            let accounting = &slice.accounting;
            let at = format!("{}-{} [{}, {})", place.0, place.1, slice.start, slice.reached);
            let mut check = |found: u64, said: u64, what: &str| {
                if found != said {
                    let what = format!("{}{what}", plural(found, "row"));
                    faults
                        .push(format!("{at}: {found} {what} in its files, it accounts for {said}"));
                }
            };
            check(seen.rows, accounting.rows, "");
            check(seen.timestamps_null, accounting.timestamps_nulled, " without a timestamp");
        }
        faults
    }
}

/// What was seen of one file.
#[derive(Debug)]
pub(crate) struct FileRows<'a> {
    file: &'a ManifestFile,
    folders: Option<Folders<'a>>,
    /// First offset, and the one behind the last.
    seen: BTreeMap<Place, (i64, i64)>,
    /// The bucket and topic that were looked at last, and belong here.
    right: Option<(Option<i64>, Arc<str>)>,
    faults: Vec<String>,
    more: usize,
}

impl<'a> FileRows<'a> {
    /// Nothing was seen yet. No folders: where rows belong is not known any more.
    pub(crate) fn new(file: &'a ManifestFile, folders: Option<Folders<'a>>) -> Self {
        Self { file, folders, seen: BTreeMap::new(), right: None, faults: Vec::new(), more: 0 }
    }

    fn fault(&mut self, fault: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Takes rows in the file's order.
    pub(crate) fn take(&mut self, run: &mut RowsOfRun, rows: RowRun<'_>) {
        let known = self.seen.keys().find(|place| *place.0 == *rows.topic);
        let topic = known.map_or_else(|| Arc::from(rows.topic), |place| Arc::clone(&place.0));
        let place = (topic, rows.partition);
        let slices = run.slices.get_mut(&place).map_or(&mut [][..], Vec::as_mut_slice);
        let mut range = self.seen.get(&place).copied();
        for (offset, timestamp) in rows.offsets.iter().zip(rows.timestamps) {
            let next = range.map_or(*offset, |(_, next)| next);
            if *offset < next {
                self.fault(format!(
                    "{}-{}: offset {offset} stands behind {}",
                    place.0,
                    place.1,
                    next - 1
                ));
            }
            let first = range.map_or(*offset, |(first, _)| first);
            range = Some((first.min(*offset), next.max(offset.saturating_add(1))));
            if let Some(fault) = count(slices, *offset, timestamp.is_none()) {
                self.fault(format!("{}-{}: offset {offset} {fault}", place.0, place.1));
            }
            self.place(&place.0, *offset, *timestamp);
        }
        if let Some(range) = range {
            self.seen.insert(place, range);
        }
    }

    /// Checks that a row stands in the folder of its time.
    fn place(&mut self, topic: &Arc<str>, offset: i64, timestamp: Option<i64>) {
        let Some(folders) = self.folders else { return };
        let bucket = folders.bucket(timestamp);
        if self.right.as_ref().is_some_and(|(right, of)| *right == bucket && Arc::ptr_eq(of, topic))
        {
            return;
        }
        match folders.misplaced(&self.file.path, topic, bucket) {
            Some(fault) => self.fault(format!("offset {offset} of {topic}: {fault}")),
            None => self.right = Some((bucket, Arc::clone(topic))),
        }
    }

    /// What is wrong with the file, all of whose rows were taken.
    pub(crate) fn end(mut self) -> Vec<String> {
        let told = self.file.slices.iter();
        let told: BTreeMap<Place, (i64, i64)> = told
            .map(|slice| ((Arc::clone(&slice.topic), slice.partition), (slice.start, slice.end)))
            .collect();
        let mut faults = Vec::new();
        for (place, seen) in &self.seen {
            if told.get(place) != Some(seen) {
                let said =
                    told.get(place).map_or("none".to_owned(), |(s, e)| format!("[{s}, {e})"));
                faults.push(format!(
                    "{}-{}: its rows are in [{}, {}), and its manifest says {said}",
                    place.0, place.1, seen.0, seen.1
                ));
            }
        }
        for place in told.keys().filter(|place| !self.seen.contains_key(*place)) {
            faults.push(format!("{}-{}: it has no rows of it", place.0, place.1));
        }
        faults.into_iter().for_each(|fault| self.fault(fault));
        if self.more > 0 {
            self.faults.push(format!("and {} more like these", self.more));
        }
        self.faults
    }
}

/// Counts a row in the slice that it is of; answers what is wrong with it.
fn count(slices: &mut [SeenSlice], offset: i64, timestamp_is_null: bool) -> Option<&'static str> {
    let behind = slices.partition_point(|slice| slice.start <= offset);
    let slice = behind.checked_sub(1).and_then(|at| slices.get_mut(at));
    let Some(slice) = slice.filter(|slice| offset < slice.reached) else {
        return Some("is in no slice of the run");
    };
    if !slice.offsets.insert(offset) {
        return Some("is there twice");
    }
    slice.rows += 1;
    slice.timestamps_null += u64::from(timestamp_is_null);
    None
}
