use serde::{Deserialize, Serialize};

use super::{Abort, CheckpointRef};
use crate::time::Millis;
use crate::words::{PipelineName, RandomId, RunNumber};

/// The one record that decides. It names plan and checkpoint, so it stays small whatever the
/// number of partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format's version.
    pub format: u32,
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Random, made with the head: tells this pipeline from one of the same name that was
    /// deleted.
    pub birth_id: RandomId,
    /// Random, new at each swap: no two swaps write the same bytes, so a lost answer can be
    /// resolved.
    pub swap: RandomId,
    /// Where the files go, as the spec has it.
    pub destination: String,
    /// The current checkpoint; none before the first commit.
    pub checkpoint: Option<CheckpointRef>,
    /// The last layout; none before the first.
    pub layout: Option<LayoutRef>,
    /// The run of the last manifest.
    pub manifest: Option<RunNumber>,
    /// The highest number that a run ever had; 0 before the first.
    pub last_run: RunNumber,
    /// The open run. It is the lock.
    pub open: Option<OpenRun>,
    /// The newest spec, in its canonical form.
    pub spec: serde_json::Value,
    /// Whether the operator stopped the pipeline from opening runs.
    pub paused: bool,
    /// The function that observes Kafka for whoever cannot reach it (the command line, from
    /// outside the VPC); none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observer: Option<String>,
}

impl Head {
    /// The run `run`, if it is open with the plan `plan` and is not being aborted: only then may
    /// anything be started, published or committed for it.
    pub fn open_as(&self, run: RunNumber, plan: RandomId) -> Option<&OpenRun> {
        let open = self.open.as_ref()?;
        ((open.run, open.plan) == (run, plan) && open.aborting.is_none()).then_some(open)
    }
}

/// A layout, by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutRef {
    /// Its run.
    pub run: RunNumber,
    /// SHA-256 of its bytes.
    pub hash: String,
}

/// The run that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// Its number: the fencing token.
    pub run: RunNumber,
    /// Its plan.
    pub plan: RandomId,
    /// SHA-256 of the plan's header.
    pub plan_hash: String,
    /// When it was opened.
    pub opened_at: Millis,
    /// How many runs of the same tick came before.
    pub chain: u32,
    /// The attempt of each task that was started last, from 1.
    pub attempts: Vec<u32>,
    /// The tasks that read a quarantined partition.
    pub quarantined: Vec<u32>,
    /// Whoever started the readers, until their time is over.
    pub reading: Lease,
    /// Whoever finalizes.
    pub finalizing: Option<Lease>,
    /// How often a finalizer took the lease.
    pub finalizer_starts: u32,
    /// Set once an operator gives the run up: from then on nothing starts, publishes or commits
    /// it, and no run opens until the abort is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborting: Option<Abort>,
}

impl OpenRun {
    /// How many tasks the run has.
    pub fn tasks(&self) -> u32 {
        u32::try_from(self.attempts.len()).expect("a plan has at most 1,000 tasks")
    }
}

/// Saves work done twice; never needed for safety.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub holder: RandomId,
    /// When it ends.
    pub until: Millis,
}

impl Lease {
    /// Whether it still holds at `now`, as far as time can tell. A lease that ends later than
    /// the longest one could is the work of a clock that was wrong: it is over.
    pub fn holds(&self, now: Millis, longest: std::time::Duration) -> bool {
        now < self.until && self.until <= now.after(longest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn k11_a_lease_from_a_clock_far_ahead_is_over() {
        let lease = |until| Lease { holder: RandomId(1), until: Millis(until) };
        let longest = Duration::from_millis(100);
        assert!(lease(1_050).holds(Millis(1_000), longest));
        assert!(lease(1_100).holds(Millis(1_000), longest));
        assert!(!lease(1_101).holds(Millis(1_000), longest));
        assert!(!lease(1_000).holds(Millis(1_000), longest));
    }
}
