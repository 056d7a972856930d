//! One pass over the slices of a task: fetch, stage, count.

use std::collections::BTreeMap;

use super::reader::ReaderPorts;
use super::staging::Staging;
use crate::columns::{Columns, timestamp_or_null};
use crate::documents::{Accounting, PlannedSlice, SliceOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::{
    Cause, Clock, Encoder, FetchSlice, Fetched, LogFetch, LogSource, ObjectStore, Progress,
};
use crate::spec::Spec;
use crate::time::{Deadline, Millis};

/// One pass over the slices of a task.
pub(super) struct Pass<'a, O: ObjectStore, E: Encoder> {
    slices: &'a [PlannedSlice],
    /// The slices that are fetched, by their place in the fetch.
    fetched: Vec<usize>,
    pub(super) outputs: Vec<SliceOutput>,
    pub(super) staging: Staging<'a, O, E>,
}

impl<'a, O: ObjectStore, E: Encoder> Pass<'a, O, E> {
    pub(super) fn new(
        slices: &'a [PlannedSlice],
        void: &BTreeMap<usize, Cause>,
        staging: Staging<'a, O, E>,
    ) -> Self {
        let output = |(at, slice): (usize, &PlannedSlice)| SliceOutput {
            reached: slice.range.start(),
            accounting: Accounting::default(),
            payload_bytes: 0,
            leader_epoch: -1,
            last_timestamp: None,
            cause: void.get(&at).cloned(),
        };
        Self {
            slices,
            fetched: (0..slices.len()).filter(|at| !void.contains_key(at)).collect(),
            outputs: slices.iter().enumerate().map(output).collect(),
            staging,
        }
    }

    /// Fetches until all slices are read or ended, or time is up.
    pub(super) async fn fetch<S, L: LogSource, C: Clock>(
        &mut self,
        ports: &ReaderPorts<'_, S, O, L, E, C>,
        spec: &Spec,
        deadline: Deadline,
        progress: &mut (impl FnMut(u64, u64) + Send),
    ) -> Result<()> {
        if self.fetched.is_empty() {
            return Ok(());
        }
        let slices: Vec<_> = self.fetched.iter().map(|at| self.fetch_slice(*at)).collect();
        let isolation = spec.kafka.isolation_level;
        let stop = deadline.earlier_by(ports.settings.reader_margin);
        let mut fetch = ports.log.fetch(&slices, isolation, stop).await?;
        let mut rows = Columns::default();
        loop {
            let patience = Deadline(ports.clock.now().after(ports.settings.no_progress));
            let fetched = fetch.next(&mut rows, stop.min(patience)).await;
            match fetched {
                Ok(Fetched::Progress(step)) => {
                    let slice = self.fetched[step.slice];
                    let bytes = self.take(slice, step, &rows, deadline).await?;
                    progress(u64::try_from(rows.len()).expect("in memory"), bytes);
                    if self.is_full(slice) {
                        fetch.stop(step.slice);
                    }
                }
                Ok(Fetched::Ended { slice, error }) => {
                    self.outputs[self.fetched[slice]].cause = Some(Cause::from(&error));
                }
                Ok(Fetched::Done) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::OutOfTime => {
                    return self.out_of_time(&error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn fetch_slice(&self, at: usize) -> FetchSlice {
        let slice = &self.slices[at];
        FetchSlice { partition: slice.partition.clone(), range: slice.range }
    }

    /// Stages the rows of a step and counts what it crossed; answers the rows' payload bytes.
    async fn take(
        &mut self,
        slice: usize,
        step: Progress,
        rows: &Columns,
        deadline: Deadline,
    ) -> Result<u64> {
        let nulled = self.staging.append(slice, rows, deadline).await?;
        let bytes = rows.payload_bytes(0..rows.len());
        let output = &mut self.outputs[slice];
        output.reached = step.next;
        output.leader_epoch = step.leader_epoch;
        output.payload_bytes += bytes;
        let last = rows.timestamps().iter().rev().copied();
        let last = last.filter_map(timestamp_or_null).next();
        output.last_timestamp = last.map(Millis).or(output.last_timestamp);
        let accounting = &mut output.accounting;
        accounting.rows += u64::try_from(rows.len()).expect("in memory");
        accounting.markers += step.markers;
        accounting.aborted += step.aborted;
        accounting.compacted += step.compacted;
        accounting.timestamps_nulled += nulled;
        Ok(bytes)
    }

    /// Whether a slice has given as many bytes as its cap allows.
    fn is_full(&self, slice: usize) -> bool {
        let bytes = self.outputs[slice].payload_bytes;
        self.slices[slice].bytes_max.is_some_and(|max| bytes >= max)
    }

    /// Every slice that is not at its end says why. An attempt that crossed no offset at all has
    /// nothing to report: whatever is wrong is not a matter of time.
    fn out_of_time(&mut self, error: &Error) -> Result<()> {
        let started = |(slice, output): (&PlannedSlice, &SliceOutput)| {
            output.reached > slice.range.start() || output.cause.is_some()
        };
        if !self.slices.iter().zip(&self.outputs).any(started) {
            return Err(Error::unavailable(format!("nothing could be read: {error}")));
        }
        for (slice, output) in self.slices.iter().zip(&mut self.outputs) {
            if output.reached < slice.range.end() && output.cause.is_none() {
                output.cause = Some(Cause::from(error));
            }
        }
        Ok(())
    }
}
