use std::sync::Arc;

use bytes::Bytes;
use rskafka::protocol::api_key::ApiKey;
use tidegate_core::ports::EpochEnd;
use tidegate_core::words::TopicPartition;

use super::{Request, partitions, put_partitions};
use crate::wire::{Malformed, Reader, Writer};

/// OffsetForLeaderEpoch (23): where epochs end.
#[derive(Clone, Debug)]
pub(crate) struct OffsetForLeaderEpoch {
    /// Ordered by topic.
    pub(crate) questions: Vec<EpochQuestion>,
}

#[derive(Clone, Debug)]
pub(crate) struct EpochQuestion {
    pub(crate) partition: TopicPartition,
    /// Of the present leader; −1 if unknown.
    pub(crate) leader_epoch: i32,
    /// Whose end is wanted.
    pub(crate) epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EpochAnswer {
    pub(crate) partition: TopicPartition,
    pub(crate) error: i16,
    pub(crate) end: EpochEnd,
}

impl Request for OffsetForLeaderEpoch {
    const KEY: ApiKey = ApiKey::OffsetForLeaderEpoch;
    const VERSIONS: (i16, i16) = (2, 3);
    const FIRST_FLEXIBLE: i16 = 4;
    type Answer = (i32, Vec<EpochAnswer>);

    fn encode(&self, version: i16, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, false);
        if version >= 3 {
            let replica = -1;
            writer.i32(replica);
        }
        put_partitions(
            &mut writer,
            &self.questions,
            |question| &question.partition,
            |w, question| {
                w.i32(question.leader_epoch);
                w.i32(question.epoch);
            },
        );
    }

    fn parse(_version: i16, body: Bytes) -> Result<Self::Answer, Malformed> {
        let mut r = Reader::new(body, false);
        let throttle = r.i32()?;
        let answers = partitions(
            &mut r,
            |answer: &EpochAnswer| &answer.partition,
            |r, topic| {
                // Unlike elsewhere, the error comes first.
                let error = r.i16()?;
                let partition = TopicPartition::new(Arc::clone(topic), r.i32()?);
                let end = EpochEnd { epoch: r.i32()?, end: r.i64()? };
                Ok(EpochAnswer { partition, error, end })
            },
        )?;
        r.end()?;
        Ok((throttle, answers))
    }

    fn throttle(answer: &Self::Answer) -> i32 {
        answer.0
    }
}
