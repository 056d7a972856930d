//! What is not there, or cannot be seen: topics and partitions that take no part for that reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::documents::{Checkpoint, CheckpointEntry, LeftOut, Why};
use crate::error::ErrorKind;
use crate::ports::{Cause, Observation};
use crate::spec::Spec;
use crate::words::{TopicId, TopicPartition};

/// Topics that could not be looked at, and what the checkpoint knows and Kafka no longer does:
/// whole topics, and partitions of topics that have fewer than before.
pub(super) fn absent(spec: &Spec, checkpoint: &Checkpoint, seen: &Observation) -> Vec<LeftOut> {
    let mut of_topics: BTreeMap<&Arc<str>, Vec<&CheckpointEntry>> = BTreeMap::new();
    for entry in gone(spec, checkpoint, seen) {
        of_topics.entry(&entry.partition.topic).or_default().push(entry);
    }
    // Of a topic that was read before it is said what became of it.
    let untold = |topic: &str| !of_topics.keys().any(|gone| &***gone == topic);
    let missing = seen.topics_missing.iter().filter(|(topic, _)| untold(topic));
    let mut left_out: Vec<LeftOut> = missing
        .map(|(topic, cause)| leave_out(&Arc::from(topic.as_str()), None, cause.clone()))
        .collect();
    let topics: BTreeSet<&str> =
        seen.partitions.iter().map(|found| &*found.partition.topic).collect();
    let lost = |message| Cause { kind: ErrorKind::DataLoss, message };
    for (topic, entries) in of_topics {
        if topics.contains(&**topic) {
            let settled = reset_to(topic, checkpoint, seen);
            let untold = entries.into_iter().filter(|entry| !is_of_former(entry, settled));
            left_out.extend(untold.map(|entry| {
                let partition = Some(entry.partition.partition);
                leave_out(topic, partition, lost(no_such_partition(entry)))
            }));
        } else {
            left_out.push(leave_out(topic, None, lost(no_such_topic(topic, entries.len()))));
        }
    }
    left_out
}

/// The entries whose partitions are not there, though they could be seen.
fn gone<'a>(
    spec: &'a Spec,
    checkpoint: &'a Checkpoint,
    seen: &Observation,
) -> impl Iterator<Item = &'a CheckpointEntry> {
    let there: BTreeSet<TopicPartition> =
        seen.partitions.iter().map(|found| found.partition.clone()).collect();
    let hidden: BTreeSet<String> = seen
        .topics_missing
        .iter()
        .filter(|(_, cause)| cause.kind != ErrorKind::Config)
        .map(|(topic, _)| topic.clone())
        .collect();
    checkpoint.entries.iter().filter(move |entry| {
        let topic = &entry.partition.topic;
        spec.topics.matches(topic)
            && !there.contains(&entry.partition)
            && !hidden.contains(&**topic)
    })
}

/// The id of a topic of which every partition that is there has its entry: where it was made anew,
/// a reset went over all that is left of it.
fn reset_to(topic: &str, checkpoint: &Checkpoint, seen: &Observation) -> Option<TopicId> {
    let mut there = seen.partitions.iter().filter(|found| *found.partition.topic == *topic);
    let id = there.clone().next()?.topic_id?;
    let known = |partition| checkpoint.entry(partition).and_then(|entry| entry.topic_id);
    there
        .all(|found| found.topic_id == Some(id) && known(&found.partition) == Some(id))
        .then_some(id)
}

/// Whether a partition was one of a topic that had the name before the one that was `settled`:
/// nothing is left to be decided.
fn is_of_former(entry: &CheckpointEntry, settled: Option<TopicId>) -> bool {
    entry.topic_id.is_some() && settled.is_some() && entry.topic_id != settled
}

fn leave_out(topic: &Arc<str>, partition: Option<i32>, cause: Cause) -> LeftOut {
    let message = cause.message.clone();
    LeftOut { topic: Arc::clone(topic), partition, why: Why::Unobserved(cause), message }
}

fn no_such_topic(topic: &str, partitions: usize) -> String {
    format!(
        "topic {topic} is no longer there: it was deleted, or may no longer be described. What \
         came behind the checkpoints of its partitions ({partitions}) is lost, if it was \
         deleted. A topic that is gone for good is to be taken out of the spec's topics"
    )
}

fn no_such_partition(entry: &CheckpointEntry) -> String {
    let partition = &entry.partition;
    match entry.position() {
        Some(offset) => format!(
            "{partition} is no longer there: its topic was made anew with fewer partitions. Its \
             checkpoint is {offset}, and what came behind it is lost. `tidegate reset` of what is \
             left of the topic settles it"
        ),
        None => format!("the spec's start names {partition}, and its topic has no such partition"),
    }
}
