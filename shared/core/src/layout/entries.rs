//! Where the partitions stand after a run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::count::{Counted, PartitionResult};
use crate::documents::{Checkpoint, CheckpointEntry, PartitionState, Plan, Quarantine};
use crate::error::ErrorKind;
use crate::ports::Cause;
use crate::words::{RunNumber, TopicPartition};

/// How long a quarantined partition waits after its first failure at most; twice as long after
/// each further one.
const RETRY_AFTER: Duration = Duration::from_secs(300);
/// Doubling ends here: 2^8 runs, or 21 hours.
const DOUBLINGS_MAX: u32 = 8;

/// The entries that the run makes or changes.
pub(super) fn changed(plan: &Plan, base: &Checkpoint, counted: &Counted) -> Vec<CheckpointEntry> {
    let mut entries: BTreeMap<&TopicPartition, CheckpointEntry> =
        plan.entries.iter().map(|entry| (&entry.partition, entry.clone())).collect();
    for (partition, result) in &counted.partitions {
        let before = entries.get(partition).or_else(|| base.entry(partition));
        if let Some(before) = before {
            let after = after(plan, before, result);
            entries.insert(partition, after);
        }
    }
    let told = |entry: &CheckpointEntry| base.entry(&entry.partition) == Some(entry);
    entries.into_values().filter(|entry| !told(entry)).collect()
}

/// An entry after the run.
fn after(plan: &Plan, before: &CheckpointEntry, result: &PartitionResult) -> CheckpointEntry {
    let mut entry = before.clone();
    if let Some(reached) = result.reached {
        entry.offset = reached;
    }
    if let Some(last) = &result.last {
        entry.leader_epoch = last.leader_epoch;
        entry.last_timestamp = last.last_timestamp.or(before.last_timestamp);
        let offsets: u64 = result.slices.iter().map(|s| s.reached.abs_diff(s.start)).sum();
        let bytes: u64 = result.slices.iter().map(|slice| slice.payload_bytes).sum();
        entry.mean_bytes = Some((bytes / offsets.max(1)).max(1));
        entry.last_read = Some(plan.planned_at);
        entry.last_tried = None;
    } else if result.cause.is_some() {
        entry.last_tried = Some(plan.planned_at);
    }
    match result.cause.as_ref().filter(|cause| is_own(cause, result)) {
        Some(cause) => {
            entry.state = PartitionState::Quarantined(quarantine(plan, before, cause));
        }
        None if result.last.is_some() => entry.state = PartitionState::Fine,
        None => {}
    }
    entry
}

/// Whether a partition failed for a cause of its own: something that will fail again, whatever
/// becomes of brokers and rights. A slice that merely ran out of time is read on in the next
/// run.
fn is_own(cause: &Cause, result: &PartitionResult) -> bool {
    match cause.kind {
        ErrorKind::BadRecord | ErrorKind::Corrupt => true,
        ErrorKind::OutOfTime => result.reached.is_none(),
        ErrorKind::Unavailable
        | ErrorKind::Conflict
        | ErrorKind::DataLoss
        | ErrorKind::Denied
        | ErrorKind::Config => false,
    }
}

fn quarantine(plan: &Plan, before: &CheckpointEntry, cause: &Cause) -> Quarantine {
    let failures = match &before.state {
        PartitionState::Quarantined(quarantine) => quarantine.failures.saturating_add(1),
        PartitionState::Fine
        | PartitionState::Unresolved { .. }
        | PartitionState::Stopped { .. } => 1,
    };
    let factor = 1 << (failures - 1).min(DOUBLINGS_MAX);
    Quarantine {
        cause: cause.clone(),
        failures,
        retry_run: RunNumber(plan.run.0 + u64::from(factor)),
        retry_at: plan.planned_at.after(RETRY_AFTER * factor),
    }
}
