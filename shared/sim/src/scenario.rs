//! What a simulated pipeline is, and what happens to Kafka meanwhile.

use serde_json::{Value, json};
use tidegate_core::words::Isolation;

use crate::rng::Rng;
use crate::world::{State, World};

/// Something that happens to Kafka while the pipeline works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A few records, in one partition.
    Produce,
    /// A few records of a transaction, which is begun if none is open.
    Transaction,
    /// The open transaction ends, well or badly.
    EndTransaction,
    /// Retention, or DeleteRecords, passes some of the log, perhaps unread.
    Retention,
    /// Compaction takes a few records.
    Compaction,
    /// A leader is elected that has everything.
    Election,
    /// A leader is elected that lacks the end of the log.
    Cut,
    /// A topic is deleted and created anew, with records.
    Recreation,
    /// A topic gets one more partition.
    NewPartition,
    /// A partition loses its leader, or gets one again.
    Leaderless,
    /// The state table is backed up.
    Backup,
    /// The state table is put back to the last backup.
    Restore,
}

/// A pipeline and its surroundings.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// Fields of the spec beside the required ones.
    pub spec: Value,
    /// Topics, and how many partitions each has.
    pub topics: &'static [(&'static str, usize)],
    /// Records there at the beginning, over all partitions.
    pub records: u64,
    /// What happens meanwhile, each as likely as it is often named.
    pub changes: &'static [Change],
    /// How often something happens.
    pub changes_max: u64,
    /// Planners that the schedule starts at each tick.
    pub planners: usize,
    /// Events that arrive once more, whenever that is, while changes go on.
    pub strays: bool,
    /// Whether partitions may be stopped at the end.
    pub may_stop: bool,
    /// Whether the store knows if a holder lives, as a directory does.
    pub knows_holders: bool,
    /// How far clocks may be off, in milliseconds.
    pub skew_max: i64,
}

/// The topics' names are those of the scenarios below.
const PIPELINE: &str = "sim";

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

    /// All scenarios. The first five are small enough for every single fault.
    pub fn all() -> Vec<Self> {
        use Change::{
            Backup, Compaction, Cut, Election, EndTransaction, Leaderless, NewPartition, Produce,
            Recreation, Restore, Retention, Transaction,
        };
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

    /// The pipeline's whole spec.
    pub fn spec_json(&self) -> Value {
        let names: Vec<_> = self.topics.iter().map(|(name, _)| *name).collect();
        let mut spec = json!({
            "pipeline": PIPELINE,
            "kafka": {"bootstrap_servers": ["sim:9092"]},
            "topics": names,
            "destination": "file:///sim",
        });
        if let (Some(spec), Some(more)) = (spec.as_object_mut(), self.spec.as_object()) {
            spec.extend(more.clone());
        }
        spec
    }

    /// How the pipeline reads.
    pub fn isolation(&self) -> Isolation {
        match self.spec.pointer("/kafka/isolation_level").and_then(Value::as_str) {
            Some("read_uncommitted") => Isolation::ReadUncommitted,
            Some(_) | None => Isolation::ReadCommitted,
        }
    }

    /// Creates the topics and what they hold at the beginning.
    pub(crate) fn begin(&self, world: &World, rng: &mut Rng) {
        world.with(|state| {
            for (name, partitions) in self.topics {
                state.kafka.create_topic(name, *partitions);
            }
            for _ in 0..self.records {
                let (topic, partition) = any_partition(state, rng);
                let time = state.now - rng.millis(7_200_000);
                state.kafka.produce(&topic, partition, time, None);
            }
        });
    }

    /// One of the changes happens.
    pub(crate) fn change(&self, world: &World, rng: &mut Rng) {
        let Some(change) = self.changes.get(rng.index(self.changes.len())) else { return };
        world.with(|state| {
            let (topic, partition) = any_partition(state, rng);
            state.note([0xc4a, u64::from(topic.len() == 1), 0], || {
                format!("      -- {change:?} {topic}-{partition}")
            });
            happen(*change, state, (&topic, partition), rng);
        });
    }

    /// Everything that was held back is let go: transactions end, leaders are elected.
    pub(crate) fn settle(&self, world: &World) {
        world.with(|state| {
            let now = state.now;
            for (topic, partition) in partitions(state) {
                if let Some(log) = state.kafka.log_mut(&topic, partition) {
                    log.leaderless = false;
                    log.end_transaction(PRODUCER, true, now);
                }
            }
        });
    }
}

/// The producer of all transactions.
const PRODUCER: u64 = 7;

fn happen(change: Change, state: &mut State, at: (&str, i32), rng: &mut Rng) {
    let (topic, partition) = at;
    let (now, some) = (state.now, 1 + rng.below(4));
    match change {
        Change::Produce => (0..some).for_each(|_| state.kafka.produce(topic, partition, now, None)),
        Change::Transaction => {
            (0..some).for_each(|_| state.kafka.produce(topic, partition, now, Some(PRODUCER)));
        }
        Change::Recreation => {
            let count = state.kafka.topic(topic).map_or(1, |topic| topic.partitions.len());
            state.kafka.create_topic(topic, count);
            (0..some).for_each(|_| state.kafka.produce(topic, 0, now, None));
        }
        Change::NewPartition => {
            state.kafka.add_partition(topic);
            let added = state.kafka.topic(topic).map_or(0, |topic| topic.partitions.len() - 1);
            state.kafka.produce(topic, i32::try_from(added).unwrap_or(0), now, None);
        }
        Change::Backup => state.back_up(),
        Change::Restore => state.restore(),
        Change::EndTransaction
        | Change::Retention
        | Change::Compaction
        | Change::Election
        | Change::Cut
        | Change::Leaderless => {
            let Some(log) = state.kafka.log_mut(topic, partition) else { return };
            let any = rng.millis(log.high_watermark() + 1);
            match change {
                Change::EndTransaction => log.end_transaction(PRODUCER, rng.per_mille(500), now),
                Change::Retention => log.delete_before(any),
                Change::Compaction => log.compact(any),
                Change::Election => log.elect(),
                Change::Cut => log.cut(any),
                _ => log.leaderless = !log.leaderless,
            }
        }
    }
}

fn partitions(state: &State) -> Vec<(std::sync::Arc<str>, i32)> {
    let each = state.kafka.topics().flat_map(|(name, topic)| {
        (0..).zip(&topic.partitions).map(|(partition, _)| (std::sync::Arc::clone(name), partition))
    });
    each.collect()
}

fn any_partition(state: &State, rng: &mut Rng) -> (std::sync::Arc<str>, i32) {
    let partitions = partitions(state);
    partitions.get(rng.index(partitions.len())).cloned().unwrap_or_else(|| ("a".into(), 0))
}

/// One more record in every partition.
pub(crate) fn one_more_each(world: &World) {
    world.with(|state| {
        let now = state.now;
        for (topic, partition) in partitions(state) {
            state.kafka.produce(&topic, partition, now, None);
        }
    });
}
