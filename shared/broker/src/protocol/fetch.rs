//! Fetch v4–v11.

use bytes::Bytes;

use super::{Api, Fault, codes, partitions};
use crate::log::Ask;
use crate::script::Rewrite;
use crate::state::State;
use crate::wire::{Reader, Result, Writer};

/// A Fetch request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchRequest {
    /// How long the answer may wait for data, in milliseconds.
    pub max_wait_ms: i32,
    /// How many bytes of records it waits for.
    pub min_bytes: i32,
    /// How many bytes of records it may have; the first batch comes whole nevertheless.
    pub max_bytes: i32,
    /// Whether nothing at or past the last stable offset is wanted (isolation 1).
    pub read_committed: bool,
    /// The fetch session (from v7 on); 0 for none.
    pub session_id: i32,
    /// The session's epoch (from v7 on); −1 for no session.
    pub session_epoch: i32,
    /// What is asked, in the order of the request.
    pub partitions: Vec<FetchPartition>,
    /// The asker's rack (from v11 on).
    pub rack: String,
}

/// A partition in a Fetch request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The leader epoch that the asker knows (from v9 on); −1 for none.
    pub current_leader_epoch: i32,
    /// The first offset wanted.
    pub fetch_offset: i64,
    /// How many bytes of records of this partition the answer may have.
    pub max_bytes: i32,
}

pub(crate) fn read(from: &mut Reader<'_>, version: i16) -> Result<FetchRequest> {
    from.i32()?; // replica
    let (max_wait_ms, min_bytes, max_bytes) = (from.i32()?, from.i32()?, from.i32()?);
    let read_committed = from.i8()? == 1;
    let (session_id, session_epoch) =
        if version >= 7 { (from.i32()?, from.i32()?) } else { (0, -1) };
    let partitions = partitions(from, |from, topic| {
        let partition = from.i32()?;
        let current_leader_epoch = if version >= 9 { from.i32()? } else { -1 };
        let fetch_offset = from.i64()?;
        if version >= 5 {
            from.i64()?; // a follower's log start
        }
        let (topic, max_bytes) = (topic.to_owned(), from.i32()?);
        Ok(FetchPartition { topic, partition, current_leader_epoch, fetch_offset, max_bytes })
    })?;
    if version >= 7 {
        from.array(|from| {
            from.string()?; // forgotten topics matter to sessions only
            from.array(Reader::i32)
        })?;
    }
    let rack = if version >= 11 { from.string()? } else { String::new() };
    Ok(FetchRequest {
        max_wait_ms,
        min_bytes,
        max_bytes,
        read_committed,
        session_id,
        session_epoch,
        partitions,
        rack,
    })
}

/// What is given of a partition.
#[derive(Debug)]
pub(crate) struct Given {
    error: i16,
    high_watermark: i64,
    last_stable: i64,
    log_start: i64,
    /// Producer id and first offset; `None` is null.
    aborted: Option<Vec<(i64, i64)>>,
    /// Handles, not copies.
    batches: Vec<Bytes>,
    size: usize,
}

impl Given {
    /// An error: Kafka gives no offsets with it.
    fn failed(error: i16) -> Self {
        let (aborted, batches) = (None, Vec::new());
        Self {
            error,
            high_watermark: -1,
            last_stable: -1,
            log_start: -1,
            aborted,
            batches,
            size: 0,
        }
    }
}

/// An answer before it is written.
#[derive(Debug)]
pub(crate) struct Answer {
    error: i16,
    given: Vec<Given>,
}

impl Answer {
    fn size(&self) -> usize {
        self.given.iter().map(|given| given.size).sum()
    }

    /// Changes the records of each partition that has no error.
    pub(crate) fn rewrite(&mut self, request: &FetchRequest, rewrite: &Rewrite) {
        for (asked, given) in request.partitions.iter().zip(&mut self.given) {
            if given.error == codes::NONE {
                let records = rewrite(&asked.topic, asked.partition, given.batches.concat());
                given.size = records.len();
                given.batches = vec![records.into()];
            }
        }
    }

    /// Whether Kafka would send it at once, and not wait for more.
    pub(crate) fn is_due(&self, request: &FetchRequest) -> bool {
        let failed = self.given.iter().any(|given| given.error != codes::NONE);
        let enough = self.size() >= usize::try_from(request.min_bytes).unwrap_or(0);
        failed || enough || self.given.is_empty() || request.max_wait_ms <= 0
    }
}

/// Takes from the log what `request` asks for. Copies no records.
pub(crate) fn collect(
    state: &State,
    node: i32,
    request: &FetchRequest,
    fault: Option<&Fault>,
) -> Answer {
    if request.session_id != 0 {
        return Answer { error: codes::FETCH_SESSION_ID_NOT_FOUND, given: Vec::new() };
    }
    let mut room = usize::try_from(request.max_bytes).unwrap_or(0);
    let mut is_empty = true;
    let give = |asked: &FetchPartition| {
        if let Some(code) = Fault::code(fault, &asked.topic, asked.partition) {
            return Given::failed(code);
        }
        let max_bytes = room.min(usize::try_from(asked.max_bytes).unwrap_or(0));
        let given = take(state, node, asked, request.read_committed, max_bytes, is_empty)
            .unwrap_or_else(Given::failed);
        room = room.saturating_sub(given.size);
        is_empty &= given.size == 0;
        given
    };
    Answer { error: codes::NONE, given: request.partitions.iter().map(give).collect() }
}

/// What is given of one partition, or the error code.
fn take(
    state: &State,
    node: i32,
    asked: &FetchPartition,
    read_committed: bool,
    max_bytes: usize,
    whole_first: bool,
) -> std::result::Result<Given, i16> {
    let partition =
        state.led_by(node, &asked.topic, asked.partition, asked.current_leader_epoch)?;
    let log = &partition.log;
    let offset = asked.fetch_offset;
    if !(log.start()..=log.end()).contains(&offset) {
        return Err(codes::OFFSET_OUT_OF_RANGE);
    }
    let before = if read_committed { log.last_stable() } else { log.end() };
    let cut_tail = state.cut_tail;
    let found = log.read(&Ask { offset, before, max_bytes, whole_first, cut_tail });
    Ok(Given {
        error: codes::NONE,
        high_watermark: log.end(),
        last_stable: log.last_stable(),
        log_start: log.start(),
        aborted: read_committed.then(|| log.aborted(offset, found.until)),
        batches: found.batches,
        size: found.size,
    })
}

/// The answer's bytes: here, and only here, the records are copied.
pub(crate) fn write(answer: &Answer, request: &FetchRequest, version: i16) -> Vec<u8> {
    let mut to = Writer::new(Api::Fetch.is_flexible(version));
    // A partition has 46 bytes beside records and aborted transactions, a topic 6 and its name.
    let aborted = |given: &Given| given.aborted.as_ref().map_or(0, Vec::len) * 16;
    let beside: usize = answer.given.iter().map(|given| 46 + aborted(given)).sum();
    let names: usize = request.partitions.iter().map(|asked| asked.topic.len() + 6).sum();
    to.reserve(16 + answer.size() + beside + names);
    to.i32(0); // throttle
    if version >= 7 {
        to.i16(answer.error);
        to.i32(0); // session: none, whatever was asked
    }
    let pairs: Vec<_> = request.partitions.iter().zip(&answer.given).collect();
    let topics: Vec<_> = pairs.chunk_by(|(a, _), (b, _)| a.topic == b.topic).collect();
    to.array(topics.iter(), |to, topic| {
        to.string(&topic[0].0.topic);
        to.array(topic.iter(), |to, (asked, given)| put_partition(to, asked, given, version));
    });
    to.into_bytes()
}

fn put_partition(to: &mut Writer, asked: &FetchPartition, given: &Given, version: i16) {
    to.i32(asked.partition);
    to.i16(given.error);
    to.i64(given.high_watermark);
    to.i64(given.last_stable);
    if version >= 5 {
        to.i64(given.log_start);
    }
    match &given.aborted {
        None => to.i32(-1),
        Some(aborted) => to.array(aborted.iter(), |to, (producer, first)| {
            to.i64(*producer);
            to.i64(*first);
        }),
    }
    if version >= 11 {
        to.i32(-1); // preferred read replica
    }
    // The room is an i32, and only the first batch, below 2 GiB as all are, may exceed it.
    to.i32(i32::try_from(given.size).unwrap_or(i32::MAX));
    given.batches.iter().for_each(|batch| to.raw(batch));
}
