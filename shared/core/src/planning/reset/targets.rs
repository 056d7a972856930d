//! Which partitions a reset moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ResetScope, ResetTo, config};
use crate::ports::{Cause, Observation, ObservedPartition};
use crate::spec::Spec;
use crate::words::TopicPartition;

/// A partition with the offset that is given for it; none: the log tells.
pub(super) type Target<'a> = (&'a ObservedPartition, Option<i64>);

/// The partitions that are chosen. What cannot be found is a fault.
pub(super) fn targets<'a>(
    spec: &Spec,
    seen: &'a Observation,
    scope: &ResetScope,
    faults: &mut Vec<Cause>,
) -> Vec<Target<'a>> {
    for topic in &scope.topics {
        if let Err(fault) = known_topic(spec, seen, topic) {
            faults.push(fault);
        }
    }
    let chosen =
        |topic: &str| scope.topics.is_empty() || scope.topics.iter().any(|t| **t == *topic);
    if let ResetTo::Offsets(offsets) = &scope.to {
        return named(spec, seen, offsets, chosen, faults);
    }
    let missing = seen.topics_missing.iter().filter(|_| scope.topics.is_empty());
    faults.extend(missing.map(|(topic, cause)| Cause {
        kind: cause.kind,
        message: format!("{} (choose the others with --topic)", about(topic, cause)),
    }));
    let partitions = seen.partitions.iter();
    let partitions = partitions.filter(|observed| chosen(&observed.partition.topic));
    partitions
        .filter(|observed| spec.table_of(&observed.partition.topic).is_ok())
        .map(|observed| (observed, None))
        .collect()
}

fn about(topic: &str, cause: &Cause) -> String {
    if cause.message.contains(topic) {
        cause.message.clone()
    } else {
        format!("topic {topic}: {}", cause.message)
    }
}

/// Whether a topic that is named takes part, and is there.
fn known_topic(spec: &Spec, seen: &Observation, topic: &str) -> Result<(), Cause> {
    if !spec.topics.matches(topic) {
        return Err(config(format!("topic {topic} is not among the topics of the spec")));
    }
    if let Some((_, cause)) = seen.topics_missing.iter().find(|(missing, _)| missing == topic) {
        return Err(Cause { kind: cause.kind, message: about(topic, cause) });
    }
    if let Err(error) = spec.table_of(topic) {
        return Err(config(error.message().to_owned()));
    }
    match seen.partitions.iter().any(|observed| *observed.partition.topic == *topic) {
        true => Ok(()),
        false => Err(config(format!("topic {topic} does not exist"))),
    }
}

/// The partitions whose offsets are given.
fn named<'a>(
    spec: &Spec,
    seen: &'a Observation,
    offsets: &[(Arc<str>, i32, i64)],
    chosen: impl Fn(&str) -> bool,
    faults: &mut Vec<Cause>,
) -> Vec<Target<'a>> {
    let by_partition: BTreeMap<&TopicPartition, &ObservedPartition> =
        seen.partitions.iter().map(|observed| (&observed.partition, observed)).collect();
    let mut targets = Vec::new();
    let mut refused: BTreeSet<&str> = BTreeSet::new();
    for (topic, partition, offset) in offsets {
        if refused.contains(&**topic) {
            continue;
        }
        let topic_fault = match chosen(topic) {
            true => known_topic(spec, seen, topic).err(),
            false => Some(config(format!("topic {topic} is not among those of --topic"))),
        };
        if let Some(fault) = topic_fault {
            // Once for all of its partitions.
            refused.insert(topic);
            faults.push(fault);
            continue;
        }
        let place = TopicPartition::new(Arc::clone(topic), *partition);
        match by_partition.get(&place) {
            Some(observed) => targets.push((*observed, Some(*offset))),
            None => faults.push(config(format!("{place} does not exist"))),
        }
    }
    targets
}
