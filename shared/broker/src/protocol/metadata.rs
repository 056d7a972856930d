//! Metadata v1–v12.

use super::{Api, Fault, codes};
use crate::state::{Partition, State, Topic, is_topic_name};
use crate::wire::{Reader, Result, Writer};

/// What an answer says where authorized operations were not asked for.
const NO_OPERATIONS: i32 = i32::MIN;
/// The id of no topic.
const NO_ID: [u8; 16] = [0; 16];

/// A Metadata request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataRequest {
    /// The topics asked for; `None` is all.
    pub topics: Option<Vec<AskedTopic>>,
    /// Whether a missing topic may be created. This broker never does it.
    pub allow_auto_topic_creation: bool,
}

/// A topic in a Metadata request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedTopic {
    /// Its id (from v10 on); zero: asked for by name.
    pub id: [u8; 16],
    /// Its name; none: asked for by id.
    pub name: Option<String>,
}

pub(crate) fn read(from: &mut Reader<'_>, version: i16) -> Result<MetadataRequest> {
    let topics = from.nullable_array(|topic| {
        let id = if version >= 10 { topic.bytes()? } else { NO_ID };
        let name = if version >= 10 { topic.nullable_string()? } else { Some(topic.string()?) };
        topic.tags()?;
        Ok(AskedTopic { id, name })
    })?;
    let allow_auto_topic_creation = if version >= 4 { from.bool()? } else { true };
    if (8..=10).contains(&version) {
        from.bool()?; // include_cluster_authorized_operations
    }
    if version >= 8 {
        from.bool()?; // include_topic_authorized_operations
    }
    from.tags()?;
    Ok(MetadataRequest { topics, allow_auto_topic_creation })
}

/// One topic of an answer.
struct Entry<'a> {
    error: i16,
    name: Option<&'a str>,
    id: [u8; 16],
    topic: Option<&'a Topic>,
}

pub(crate) fn answer(
    state: &State,
    request: &MetadataRequest,
    version: i16,
    fault: Option<&Fault>,
) -> Vec<u8> {
    let mut to = Writer::new(Api::Metadata.is_flexible(version));
    if version >= 3 {
        to.i32(0); // throttle
    }
    put_brokers(&mut to, state, version);
    to.array(entries(state, request, version, fault).iter(), |to, entry| {
        put_topic(to, entry, state, version, fault);
    });
    if (8..=10).contains(&version) {
        to.i32(NO_OPERATIONS);
    }
    to.tags();
    to.into_bytes()
}

/// Brokers, *v2+* cluster id, controller.
fn put_brokers(to: &mut Writer, state: &State, version: i16) {
    let up = || state.nodes.iter().filter(|(id, _)| !state.down.contains(*id));
    to.array(up().collect::<Vec<_>>().iter(), |to, (id, port)| {
        to.i32(**id);
        to.string("127.0.0.1");
        to.i32(i32::from(**port));
        to.nullable_string(None); // rack
        to.tags();
    });
    if version >= 2 {
        to.nullable_string(Some(&state.cluster_id));
    }
    to.i32(up().next().map_or(-1, |(id, _)| *id));
}

fn entries<'a>(
    state: &'a State,
    request: &'a MetadataRequest,
    version: i16,
    fault: Option<&Fault>,
) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = match &request.topics {
        None => state.topics.iter().map(|(name, topic)| Entry::of(name, topic)).collect(),
        Some(asked) => asked.iter().map(|asked| entry(state, asked, version)).collect(),
    };
    if let Some(code) = Fault::whole(fault) {
        for entry in &mut entries {
            *entry = Entry { error: code, topic: None, ..*entry };
        }
    }
    entries
}

impl<'a> Entry<'a> {
    fn of(name: &'a str, topic: &'a Topic) -> Self {
        Self { error: codes::NONE, name: Some(name), id: topic.id, topic: Some(topic) }
    }

    fn failed(error: i16, asked: &'a AskedTopic) -> Self {
        Self { error, name: asked.name.as_deref(), id: asked.id, topic: None }
    }
}

fn entry<'a>(state: &'a State, asked: &'a AskedTopic, version: i16) -> Entry<'a> {
    // Lookup by id came with v12; a request has one of the two.
    if asked.name.is_none() != (asked.id != NO_ID) || (asked.name.is_none() && version < 12) {
        return Entry::failed(codes::INVALID_REQUEST, asked);
    }
    let Some(name) = &asked.name else {
        let found = state.topics.iter().find(|(_, topic)| topic.id == asked.id);
        return found.map_or_else(
            || Entry::failed(codes::UNKNOWN_TOPIC_ID, asked),
            |(name, topic)| Entry::of(name, topic),
        );
    };
    match state.topics.get_key_value(name) {
        Some((name, topic)) => Entry::of(name, topic),
        None if is_topic_name(name) => Entry::failed(codes::UNKNOWN_TOPIC_OR_PARTITION, asked),
        None => Entry::failed(codes::INVALID_TOPIC, asked),
    }
}

fn put_topic(
    to: &mut Writer,
    entry: &Entry<'_>,
    state: &State,
    version: i16,
    fault: Option<&Fault>,
) {
    to.i16(entry.error);
    match version {
        12.. => to.nullable_string(entry.name),
        _ => to.string(entry.name.unwrap_or_default()),
    }
    if version >= 10 {
        to.raw(&entry.id);
    }
    to.bool(entry.topic.is_some_and(|topic| topic.internal));
    let partitions = entry.topic.map_or(&[][..], |topic| &topic.partitions);
    to.array((0..).zip(partitions).collect::<Vec<_>>().iter(), |to, (index, partition)| {
        let code = entry.name.and_then(|name| Fault::code(fault, name, *index));
        put_partition(to, *index, partition, state, version, code);
    });
    if version >= 8 {
        to.i32(NO_OPERATIONS);
    }
    to.tags();
}

fn put_partition(
    to: &mut Writer,
    index: i32,
    partition: &Partition,
    state: &State,
    version: i16,
    code: Option<i16>,
) {
    let leader = partition.leader.filter(|leader| !state.down.contains(leader));
    let usual = if leader.is_some() { codes::NONE } else { codes::LEADER_NOT_AVAILABLE };
    to.i16(code.unwrap_or(usual));
    to.i32(index);
    to.i32(leader.unwrap_or(-1));
    if version >= 7 {
        to.i32(partition.leader_epoch);
    }
    // Any node can come to lead: all of them are replicas, and in sync while they are up.
    to.array(state.nodes.keys(), |to, node| to.i32(*node));
    let (down, up): (Vec<i32>, Vec<i32>) =
        state.nodes.keys().partition(|node| state.down.contains(*node));
    to.array(up.iter(), |to, node| to.i32(*node));
    if version >= 5 {
        to.array(down.iter(), |to, node| to.i32(*node));
    }
    to.tags();
}
