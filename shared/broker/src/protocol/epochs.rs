//! OffsetForLeaderEpoch v2–v3.

use super::{Api, Fault, codes, partitions};
use crate::state::State;
use crate::wire::{Reader, Result, Writer};

/// An OffsetForLeaderEpoch request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochsRequest {
    /// What is asked, in the order of the request.
    pub partitions: Vec<EpochsPartition>,
}

/// A partition in an OffsetForLeaderEpoch request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochsPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The leader epoch that the asker knows; −1 for none.
    pub current_leader_epoch: i32,
    /// The epoch whose end is asked.
    pub leader_epoch: i32,
}

pub(crate) fn read(from: &mut Reader<'_>, version: i16) -> Result<EpochsRequest> {
    if version >= 3 {
        from.i32()?; // replica
    }
    let partitions = partitions(from, |from, topic| {
        Ok(EpochsPartition {
            topic: topic.to_owned(),
            partition: from.i32()?,
            current_leader_epoch: from.i32()?,
            leader_epoch: from.i32()?,
        })
    })?;
    Ok(EpochsRequest { partitions })
}

pub(crate) fn answer(
    state: &State,
    node: i32,
    request: &EpochsRequest,
    version: i16,
    fault: Option<&Fault>,
) -> Vec<u8> {
    let mut to = Writer::new(Api::OffsetForLeaderEpoch.is_flexible(version));
    to.i32(0); // throttle
    let topics: Vec<_> = request.partitions.chunk_by(|a, b| a.topic == b.topic).collect();
    to.array(topics.iter(), |to, topic| {
        to.string(&topic[0].topic);
        to.array(topic.iter(), |to, asked| {
            let found = match Fault::code(fault, &asked.topic, asked.partition) {
                Some(code) => Err(code),
                None => state
                    .led_by(node, &asked.topic, asked.partition, asked.current_leader_epoch)
                    .map(|found| found.log.epochs().end_of(asked.leader_epoch, found.log.end())),
            };
            let (epoch, end) = found.unwrap_or((-1, -1));
            // Unlike everywhere else the error stands before the partition.
            to.i16(found.err().unwrap_or(codes::NONE));
            to.i32(asked.partition);
            to.i32(epoch);
            to.i64(end);
        });
    });
    to.into_bytes()
}
