use std::sync::Arc;

use bytes::Bytes;
use rskafka::protocol::api_key::ApiKey;
use tidegate_core::words::{Isolation, TopicPartition};

use super::{Request, isolation_level, partitions, put_partitions};
use crate::wire::{Malformed, Reader, Writer};

/// In place of a timestamp: the offset after the last, as far as the isolation sees.
pub(crate) const LATEST: i64 = -1;
/// In place of a timestamp: the first offset there is.
pub(crate) const EARLIEST: i64 = -2;

/// ListOffsets (2). The same partition twice is an error.
#[derive(Clone, Debug)]
pub(crate) struct ListOffsets {
    pub(crate) isolation: Isolation,
    /// Ordered by topic.
    pub(crate) questions: Vec<OffsetQuestion>,
}

#[derive(Clone, Debug)]
pub(crate) struct OffsetQuestion {
    pub(crate) partition: TopicPartition,
    /// −1 if unknown: then the broker does not compare.
    pub(crate) leader_epoch: i32,
    /// Milliseconds, [`LATEST`] or [`EARLIEST`].
    pub(crate) timestamp: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OffsetAnswer {
    pub(crate) partition: TopicPartition,
    pub(crate) error: i16,
    /// −1 where nothing matches, and for the ends of the log.
    pub(crate) timestamp: i64,
    /// −1 where nothing matches.
    pub(crate) offset: i64,
}

impl Request for ListOffsets {
    const KEY: ApiKey = ApiKey::ListOffsets;
    const VERSIONS: (i16, i16) = (2, 5);
    const FIRST_FLEXIBLE: i16 = 6;
    type Answer = (i32, Vec<OffsetAnswer>);

    fn encode(&self, version: i16, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, false);
        let replica = -1;
        writer.i32(replica);
        writer.i8(isolation_level(self.isolation));
        put_partitions(
            &mut writer,
            &self.questions,
            |question| &question.partition,
            |w, question| {
                if version >= 4 {
                    w.i32(question.leader_epoch);
                }
                w.i64(question.timestamp);
            },
        );
    }

    fn parse(version: i16, body: Bytes) -> Result<Self::Answer, Malformed> {
        let mut r = Reader::new(body, false);
        let throttle = r.i32()?;
        let answers = partitions(
            &mut r,
            |answer: &OffsetAnswer| &answer.partition,
            |r, topic| {
                let partition = TopicPartition::new(Arc::clone(topic), r.i32()?);
                let (error, timestamp, offset) = (r.i16()?, r.i64()?, r.i64()?);
                if version >= 4 {
                    let _leader_epoch = r.i32()?;
                }
                Ok(OffsetAnswer { partition, error, timestamp, offset })
            },
        )?;
        r.end()?;
        Ok((throttle, answers))
    }

    fn throttle(answer: &Self::Answer) -> i32 {
        answer.0
    }
}
