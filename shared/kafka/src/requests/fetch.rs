use std::sync::Arc;

use bytes::Bytes;
use rskafka::protocol::api_key::ApiKey;
use tidegate_core::words::{Isolation, TopicPartition};

use super::{Request, isolation_level, partitions, put_partitions};
use crate::decode::AbortedTransaction;
use crate::wire::{Malformed, Reader, Writer};

/// Fetch (1), without a session.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    /// Milliseconds that the broker may wait for the first byte.
    pub(crate) max_wait: i32,
    /// Bytes of the whole answer; a first batch that is larger comes all the same.
    pub(crate) max_bytes: i32,
    pub(crate) isolation: Isolation,
    /// In the order in which the broker is to serve them. A topic may come more than once, a
    /// partition may not.
    pub(crate) questions: Vec<FetchQuestion>,
}

#[derive(Clone, Debug)]
pub(crate) struct FetchQuestion {
    pub(crate) partition: TopicPartition,
    /// −1 if unknown: then the broker does not compare.
    pub(crate) leader_epoch: i32,
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchAnswer {
    pub(crate) throttle: i32,
    pub(crate) error: i16,
    pub(crate) parts: Vec<FetchPart>,
}

/// What an answer says of one partition. Offsets are −1 where the error says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchPart {
    pub(crate) partition: TopicPartition,
    pub(crate) error: i16,
    pub(crate) high_watermark: i64,
    pub(crate) last_stable: i64,
    pub(crate) aborted: Vec<AbortedTransaction>,
    /// Record batches; the last may be cut off.
    pub(crate) records: Bytes,
}

impl Request for Fetch {
    const KEY: ApiKey = ApiKey::Fetch;
    const VERSIONS: (i16, i16) = (4, 11);
    const FIRST_FLEXIBLE: i16 = 12;
    type Answer = FetchAnswer;

    fn encode(&self, version: i16, out: &mut Vec<u8>) {
        let mut w = Writer::new(out, false);
        let (replica, min_bytes) = (-1, 1);
        w.i32(replica);
        w.i32(self.max_wait);
        w.i32(min_bytes);
        w.i32(self.max_bytes);
        w.i8(isolation_level(self.isolation));
        if version >= 7 {
            let (session_id, no_session) = (0, -1);
            w.i32(session_id);
            w.i32(no_session);
        }
        put_partitions(
            &mut w,
            &self.questions,
            |question| &question.partition,
            |w, question| {
                encode_question(version, w, question);
            },
        );
        if version >= 7 {
            w.items(Some(&[]), |w, forgotten: &&str| w.string(forgotten));
        }
        if version >= 11 {
            let rack = "";
            w.string(rack);
        }
    }

    fn parse(version: i16, body: Bytes) -> Result<FetchAnswer, Malformed> {
        let mut r = Reader::new(body, false);
        let throttle = r.i32()?;
        let mut error = 0;
        if version >= 7 {
            error = r.i16()?;
            let _session_id = r.i32()?;
        }
        let parts = partitions(
            &mut r,
            |one: &FetchPart| &one.partition,
            |r, topic| part(version, topic, r),
        )?;
        r.end()?;
        Ok(FetchAnswer { throttle, error, parts })
    }

    fn throttle(answer: &Self::Answer) -> i32 {
        answer.throttle
    }
}

/// What follows the partition's number.
fn encode_question(version: i16, w: &mut Writer<'_>, question: &FetchQuestion) {
    if version >= 9 {
        w.i32(question.leader_epoch);
    }
    w.i64(question.offset);
    if version >= 5 {
        let log_start = -1;
        w.i64(log_start);
    }
    w.i32(question.max_bytes);
}

fn part(version: i16, topic: &Arc<str>, r: &mut Reader) -> Result<FetchPart, Malformed> {
    let (partition, error) = (r.i32()?, r.i16()?);
    let (high_watermark, last_stable) = (r.i64()?, r.i64()?);
    if version >= 5 {
        let _log_start = r.i64()?;
    }
    let aborted =
        r.items(|r| Ok(AbortedTransaction { producer_id: r.i64()?, first_offset: r.i64()? }))?;
    if version >= 11 {
        let _preferred_replica = r.i32()?;
    }
    let records = r.nullable_bytes()?.unwrap_or_default();
    let partition = TopicPartition::new(Arc::clone(topic), partition);
    Ok(FetchPart { partition, error, high_watermark, last_stable, aborted, records })
}
