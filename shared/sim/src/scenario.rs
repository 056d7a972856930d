//! What a simulated pipeline is, and what happens to Kafka meanwhile.

use serde_json::{Value, json};
use tidegate_core::words::Isolation;

mod all;

use crate::orders::Order;
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
    /// An operator resets some of the pipeline.
    Reset,
    /// An operator aborts whatever run is open.
    Abort,
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

    /// Whether it starts at the log start.
    pub(crate) fn starts_at_log_start(&self) -> bool {
        self.spec.get("start").is_none()
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

    /// One of the changes happens; an operator's is to be started.
    pub(crate) fn change(&self, world: &World, rng: &mut Rng) -> Option<Order> {
        let change = self.changes.get(rng.index(self.changes.len()))?;
        world.with(|state| {
            let (topic, partition) = any_partition(state, rng);
            state.note([0xc4a, u64::from(topic.len() == 1), 0], || {
                format!("      -- {change:?} {topic}-{partition}")
            });
            match change {
                Change::Reset => Some(Order::any_reset(state, &topic, partition, rng)),
                Change::Abort => Some(Order::Abort),
                _ => {
                    happen(*change, state, (&topic, partition), rng);
                    None
                }
            }
        })
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
        Change::Reset | Change::Abort => {}
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
