use serde_json::json;

use super::{Change, Scenario};

impl Scenario {
    /// A pipeline over `topics` with no more than the required fields.
    fn plain(name: &'static str) -> Self {
        Self {
            name,
            spec: json!({}),
            topics: &[("a", 2), ("b", 1)],
            records: 8,
            changes: &[Change::Produce],
            changes_max: 3,
            planners: 1,
            strays: false,
            may_stop: false,
            knows_holders: false,
            skew_max: 0,
        }
    }

    /// All scenarios. The first five, "resets" and "aborts" are small enough for every single
    /// fault, "smallest" for every pair.
    pub fn all() -> Vec<Self> {
        let mut all = Self::well_behaved();
        all.extend(Self::troubled());
        all.extend(Self::operated());
        all.push(Self {
            topics: &[("a", 1)],
            records: 3,
            changes_max: 1,
            ..Self::plain("smallest")
        });
        all
    }

    /// Nothing is ever lost.
    fn well_behaved() -> Vec<Self> {
        use Change::{Compaction, Election, EndTransaction, Produce, Transaction};
        vec![
            Self::plain("plain"),
            Self {
                planners: 2,
                spec: json!({"limits": {"records_per_run": 6, "readers": 2}}),
                ..Self::plain("capped, two planners")
            },
            Self {
                topics: &[("a", 1)],
                records: 9,
                spec: json!({"limits": {"readers": 3, "bytes_per_task": 150},
                             "files": {"target_bytes": 400}}),
                knows_holders: true,
                ..Self::plain("one partition split, on a directory")
            },
            Self {
                changes: &[Produce, Transaction, Transaction, EndTransaction, Compaction, Election],
                changes_max: 8,
                skew_max: 240_000,
                ..Self::plain("transactions and holes, clocks apart")
            },
        ]
    }

    /// Logs lose something, or the state does; and everything at once.
    fn troubled() -> Vec<Self> {
        use Change::{
            Backup, Compaction, Cut, Election, EndTransaction, Leaderless, NewPartition, Produce,
            Recreation, Restore, Retention, Transaction,
        };
        vec![
            Self {
                changes: &[Produce, Retention, NewPartition, Leaderless],
                changes_max: 6,
                spec: json!({"on_data_loss": "skip", "limits": {"records_per_partition": 3}}),
                strays: true,
                ..Self::plain("retention passes, losses skipped")
            },
            Self {
                changes: &[Produce, Produce, Retention, Cut, Recreation, Transaction],
                changes_max: 8,
                may_stop: true,
                strays: true,
                planners: 2,
                ..Self::plain("logs lost, cut and made anew")
            },
            Self {
                changes: &[Produce, Produce, Backup, Restore],
                changes_max: 12,
                strays: true,
                spec: json!({"limits": {"records_per_run": 5}}),
                ..Self::plain("a backup of the state is restored")
            },
            Self {
                topics: &[("a", 3)],
                records: 12,
                changes: &[Produce, Produce, Leaderless, Leaderless, Election, NewPartition],
                changes_max: 12,
                spec: json!({"start": "latest"}),
                ..Self::plain("latest, leaders come and go")
            },
            Self {
                topics: &[("a", 3), ("b", 2), ("c", 1)],
                records: 40,
                changes: &[
                    Produce,
                    Produce,
                    Produce,
                    Transaction,
                    EndTransaction,
                    Compaction,
                    Election,
                    NewPartition,
                    Leaderless,
                ],
                changes_max: 30,
                planners: 2,
                strays: true,
                skew_max: 240_000,
                spec: json!({"limits": {"records_per_run": 15, "readers": 3,
                                        "bytes_per_task": 400},
                             "files": {"target_bytes": 600}}),
                ..Self::plain("everything that goes well")
            },
        ]
    }

    /// An operator resets and aborts.
    fn operated() -> Vec<Self> {
        use Change::{Abort, Cut, Produce, Recreation, Reset, Retention};
        vec![
            Self {
                changes: &[Produce, Reset, Reset],
                changes_max: 4,
                spec: json!({"limits": {"records_per_run": 5}}),
                strays: true,
                ..Self::plain("resets")
            },
            Self {
                changes: &[Produce, Abort, Abort],
                changes_max: 4,
                spec: json!({"limits": {"records_per_run": 6, "readers": 2},
                             "files": {"target_bytes": 300}}),
                strays: true,
                ..Self::plain("aborts")
            },
            Self {
                topics: &[("a", 2), ("b", 1), ("c", 1)],
                records: 20,
                changes: &[
                    Produce, Produce, Reset, Reset, Abort, Abort, Retention, Cut, Recreation,
                ],
                changes_max: 20,
                planners: 2,
                strays: true,
                may_stop: true,
                skew_max: 240_000,
                spec: json!({"limits": {"records_per_run": 9, "readers": 3,
                                        "bytes_per_task": 400},
                             "files": {"target_bytes": 400}}),
                ..Self::plain("resets and aborts among losses")
            },
        ]
    }
}
