//! ListOffsets v1–v5.

use std::collections::BTreeMap;

use super::{Api, Fault, codes, partitions};
use crate::state::State;
use crate::wire::{Reader, Result, Writer};

/// Asks for the latest offset.
const LATEST: i64 = -1;
/// Asks for the earliest offset.
const EARLIEST: i64 = -2;

/// A ListOffsets request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsRequest {
    /// Whether the latest offset is the last stable one (isolation 1; from v2 on).
    pub read_committed: bool,
    /// What is asked, in the order of the request.
    pub partitions: Vec<ListOffsetsPartition>,
}

/// A partition in a ListOffsets request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The leader epoch that the asker knows; −1 for none.
    pub current_leader_epoch: i32,
    /// Milliseconds since 1970; −1 is the latest, −2 the earliest.
    pub timestamp: i64,
}

pub(crate) fn read(from: &mut Reader<'_>, version: i16) -> Result<ListOffsetsRequest> {
    from.i32()?; // replica
    let read_committed = version >= 2 && from.i8()? == 1;
    let partitions = partitions(from, |from, topic| {
        Ok(ListOffsetsPartition {
            topic: topic.to_owned(),
            partition: from.i32()?,
            current_leader_epoch: if version >= 4 { from.i32()? } else { -1 },
            timestamp: from.i64()?,
        })
    })?;
    Ok(ListOffsetsRequest { read_committed, partitions })
}

/// What was found: −1 each where there is none.
struct Found {
    error: i16,
    timestamp: i64,
    offset: i64,
    epoch: i32,
}

impl Found {
    fn nothing(error: i16) -> Self {
        Self { error, timestamp: -1, offset: -1, epoch: -1 }
    }
}

pub(crate) fn answer(
    state: &State,
    node: i32,
    request: &ListOffsetsRequest,
    version: i16,
    fault: Option<&Fault>,
) -> Vec<u8> {
    let mut times_asked: BTreeMap<(&str, i32), usize> = BTreeMap::new();
    for asked in &request.partitions {
        *times_asked.entry((&asked.topic, asked.partition)).or_default() += 1;
    }
    let mut to = Writer::new(Api::ListOffsets.is_flexible(version));
    if version >= 2 {
        to.i32(0); // throttle
    }
    let topics: Vec<_> = request.partitions.chunk_by(|a, b| a.topic == b.topic).collect();
    to.array(topics.iter(), |to, topic| {
        to.string(&topic[0].topic);
        to.array(topic.iter(), |to, asked| {
            let twice = times_asked[&(asked.topic.as_str(), asked.partition)] > 1;
            let code = Fault::code(fault, &asked.topic, asked.partition)
                .or(twice.then_some(codes::INVALID_REQUEST));
            let found = match code {
                Some(code) => Found::nothing(code),
                None => {
                    find(state, node, asked, request.read_committed).unwrap_or_else(Found::nothing)
                }
            };
            to.i32(asked.partition);
            to.i16(found.error);
            to.i64(found.timestamp);
            to.i64(found.offset);
            if version >= 4 {
                to.i32(found.epoch);
            }
        });
    });
    to.into_bytes()
}

/// What is asked of a partition, or the error code.
fn find(
    state: &State,
    node: i32,
    asked: &ListOffsetsPartition,
    read_committed: bool,
) -> std::result::Result<Found, i16> {
    let partition =
        state.led_by(node, &asked.topic, asked.partition, asked.current_leader_epoch)?;
    let log = &partition.log;
    let before = if read_committed { log.last_stable() } else { log.end() };
    let at = |offset, epoch| Found { error: codes::NONE, timestamp: -1, offset, epoch };
    Ok(match asked.timestamp {
        LATEST => at(before, partition.leader_epoch),
        EARLIEST => at(log.start(), log.start_epoch().unwrap_or(partition.leader_epoch)),
        // Kafka's other special times came with later versions.
        ..0 => Found::nothing(codes::UNSUPPORTED_VERSION),
        timestamp => match log.find_time(timestamp, before) {
            Some(time) => Found { timestamp: time.timestamp, ..at(time.offset, time.epoch) },
            None => Found::nothing(codes::NONE),
        },
    })
}
