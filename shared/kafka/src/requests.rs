//! Kafka's requests as far as they are used: pure encoding and parsing.

mod api_versions;
mod epochs;
mod fetch;
mod list_offsets;
mod metadata;
mod sasl;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use rskafka::protocol::api_key::ApiKey;
use tidegate_core::words::TopicPartition;

pub(crate) use api_versions::{ApiRange, ApiVersions, UNSUPPORTED_VERSION};
pub(crate) use epochs::{EpochQuestion, OffsetForLeaderEpoch};
pub(crate) use fetch::{Fetch, FetchAnswer, FetchPart, FetchQuestion};
pub(crate) use list_offsets::{EARLIEST, LATEST, ListOffsets, OffsetQuestion};
pub(crate) use metadata::{Metadata, MetadataAnswer, TopicMetadata};
pub(crate) use sasl::{AuthenticateAnswer, HandshakeAnswer, SaslAuthenticate, SaslHandshake};

use crate::wire::{Malformed, Reader, Writer};

/// A request: which one, how it is written, how its answer is read.
pub(crate) trait Request: Sync {
    /// Its API.
    const KEY: ApiKey;
    /// Which versions are spoken; the highest that the broker has too is used.
    const VERSIONS: (i16, i16);
    /// The first version with compact lengths and tags.
    const FIRST_FLEXIBLE: i16;
    /// The first version whose answer has tags in its header.
    const FIRST_FLEXIBLE_HEADER: i16 = Self::FIRST_FLEXIBLE;
    /// What comes back.
    type Answer;

    /// Appends the body to `out`.
    fn encode(&self, version: i16, out: &mut Vec<u8>);

    /// Reads the answer's body.
    fn parse(version: i16, body: Bytes) -> Result<Self::Answer, Malformed>;

    /// Milliseconds that the broker wants to be left alone after this answer.
    fn throttle(answer: &Self::Answer) -> i32;
}

/// Kafka's number for [`tidegate_core::words::Isolation`].
pub(crate) fn isolation_level(isolation: tidegate_core::words::Isolation) -> i8 {
    match isolation {
        tidegate_core::words::Isolation::ReadUncommitted => 0,
        tidegate_core::words::Isolation::ReadCommitted => 1,
    }
}

/// Writes what is asked of partitions, by topic, as all of these requests want it. Items of one
/// topic stand together; `put` writes what follows the partition's number.
pub(crate) fn put_partitions<T>(
    writer: &mut Writer<'_>,
    items: &[T],
    of: impl Fn(&T) -> &TopicPartition,
    put: impl Fn(&mut Writer<'_>, &T),
) {
    let topics: Vec<&[T]> = items.chunk_by(|a, b| of(a).topic == of(b).topic).collect();
    writer.items(Some(&topics), |w, items| {
        w.string(&of(&items[0]).topic);
        w.items(Some(items), |w, item| {
            w.i32(of(item).partition);
            put(w, item);
        });
    });
}

/// Reads what is answered of partitions, by topic, as one list. No partition is answered twice:
/// nobody could say which of the two holds.
pub(crate) fn partitions<T>(
    reader: &mut Reader,
    of: impl Fn(&T) -> &TopicPartition,
    mut item: impl FnMut(&mut Reader, &Arc<str>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut items = Vec::new();
    reader.items(|r| {
        let topic: Arc<str> = r.string()?.into();
        r.items(|r| {
            items.push(item(r, &topic)?);
            Ok(())
        })
    })?;
    let mut seen = HashSet::with_capacity(items.len());
    if items.iter().all(|item| seen.insert(of(item))) {
        return Ok(items);
    }
    Err(Malformed("a partition comes twice"))
}
