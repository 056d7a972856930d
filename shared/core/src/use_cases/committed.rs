//! What a run came to, as whoever finalized it tells.

use super::finalizer::Work;
use super::layouts::StandingLayout;
use crate::documents::{CheckpointEntry, Loss, SetAside};
use crate::error::ErrorKind;
use crate::layout::TaskResult;
use crate::planning::Lag;
use crate::ports::{Cause, JoinStats};
use crate::words::{RunNumber, TopicPartition};

/// A run that this finalizer committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The run.
    pub run: RunNumber,
    /// Rows published.
    pub rows: u64,
    /// Key, value and header bytes of what was read and counts.
    pub bytes_read: u64,
    /// Data files published.
    pub files: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// Offsets that were passed over.
    pub losses: Vec<Loss>,
    /// How far behind the pipeline is now, up to the ends that the plan knew.
    pub lag: Lag,
    /// Tasks whose output did not count, and why.
    pub set_aside: Vec<SetAside>,
    /// The checkpoint's entries that the run made or changed.
    pub entries: Vec<CheckpointEntry>,
    /// Offsets by which partitions moved on, losses included.
    pub moved: u64,
    /// Whether caps left a backlog.
    pub backlog: bool,
    /// What joining did.
    pub joined: JoinStats,
    /// What could not be tidied up; the next run does.
    pub untidy: Option<String>,
    /// Slices that were not read to their end, and why.
    pub unfinished: Vec<Unfinished>,
}

/// A slice that was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The partition.
    pub partition: TopicPartition,
    /// The offset to be read next.
    pub reached: i64,
    /// Where it was planned to end.
    pub end: i64,
    /// Why.
    pub cause: Cause,
}

/// What can be told before the layout.
pub(super) fn summary(work: &Work) -> Committed {
    Committed {
        run: work.plan.run,
        // What an operator chose to skip is in the manifest, and no cause for alarm.
        losses: work.plan.reset.as_ref().map_or(work.plan.losses.clone(), |_| Vec::new()),
        backlog: work.plan.backlog || work.results.iter().any(stopped_early),
        unfinished: work.results.iter().flat_map(unfinished).collect(),
        ..Committed::default()
    }
}

/// Whether a slice of the task was left by its cap or for want of time, so that there is more.
fn stopped_early(result: &TaskResult) -> bool {
    let slices = result.task.slices.iter().zip(&result.output.slices);
    let mut early = slices.filter(|(slice, read)| read.reached < slice.range.end());
    early.any(|(_, read)| read.cause.as_ref().is_none_or(|c| c.kind == ErrorKind::OutOfTime))
}

fn unfinished(result: &TaskResult) -> impl Iterator<Item = Unfinished> {
    let slices = result.task.slices.iter().zip(&result.output.slices);
    slices.filter_map(|(slice, read)| {
        let cause = read.cause.clone()?;
        let (partition, reached) = (slice.partition.clone(), read.reached);
        Some(Unfinished { partition, reached, end: slice.range.end(), cause })
    })
}

impl Committed {
    pub(super) fn told(&mut self, standing: &StandingLayout, bytes_written: u64) {
        let layout = &standing.layout;
        self.rows = layout.files.iter().map(|file| file.rows).sum();
        let crossed = layout.slices.iter().map(|slice| slice.reached.abs_diff(slice.start));
        let lost = layout.losses.iter().map(|loss| loss.end.abs_diff(loss.start));
        self.moved = crossed.chain(lost).sum();
        self.files = u64::try_from(layout.files.len()).expect("they were counted");
        self.bytes_written = bytes_written;
        self.set_aside = layout.set_aside.clone();
        self.bytes_read = layout.slices.iter().map(|slice| slice.payload_bytes).sum();
    }
}
