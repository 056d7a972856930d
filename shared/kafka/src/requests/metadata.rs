use std::sync::Arc;

use bytes::Bytes;
use rskafka::protocol::api_key::ApiKey;
use tidegate_core::words::TopicId;

use super::Request;
use crate::wire::{Malformed, Reader, Writer};

/// Metadata (3): brokers, topics, leaders. Never creates a topic.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    /// Which topics; none for all.
    pub(crate) topics: Option<Vec<Arc<str>>>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetadataAnswer {
    /// Milliseconds to wait before the next request.
    pub(crate) throttle: i32,
    /// Node id, host and port of each broker.
    pub(crate) brokers: Vec<(i32, String, u16)>,
    pub(crate) cluster_id: Option<String>,
    pub(crate) topics: Vec<TopicMetadata>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicMetadata {
    pub(crate) error: i16,
    pub(crate) name: Arc<str>,
    /// None before version 10.
    pub(crate) id: Option<TopicId>,
    pub(crate) internal: bool,
    pub(crate) partitions: Vec<PartitionMetadata>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartitionMetadata {
    pub(crate) error: i16,
    pub(crate) partition: i32,
    /// Node id; −1 if there is none.
    pub(crate) leader: i32,
    /// −1 before version 7.
    pub(crate) leader_epoch: i32,
}

impl Request for Metadata {
    const KEY: ApiKey = ApiKey::Metadata;
    /// 4 is the first that can leave topics uncreated.
    const VERSIONS: (i16, i16) = (4, 12);
    const FIRST_FLEXIBLE: i16 = 9;
    type Answer = MetadataAnswer;

    fn encode(&self, version: i16, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, version >= Self::FIRST_FLEXIBLE);
        writer.items(self.topics.as_deref(), |w, name| {
            if version >= 10 {
                w.raw(&[0; 16]);
            }
            w.string(name);
            w.tags();
        });
        let create_topics = false;
        writer.bool(create_topics);
        if (8..=10).contains(&version) {
            let cluster_operations = false;
            writer.bool(cluster_operations);
        }
        if version >= 8 {
            let topic_operations = false;
            writer.bool(topic_operations);
        }
        writer.tags();
    }

    fn parse(version: i16, body: Bytes) -> Result<MetadataAnswer, Malformed> {
        let mut r = Reader::new(body, version >= Self::FIRST_FLEXIBLE);
        let throttle = r.i32()?;
        let brokers = r.items(broker)?;
        let cluster_id = r.nullable_string()?;
        let _controller = r.i32()?;
        let topics = r.items(|r| topic(version, r))?;
        if (8..=10).contains(&version) {
            let _cluster_operations = r.i32()?;
        }
        r.tags()?;
        r.end()?;
        Ok(MetadataAnswer { throttle, brokers, cluster_id, topics })
    }

    fn throttle(answer: &Self::Answer) -> i32 {
        answer.throttle
    }
}

fn broker(r: &mut Reader) -> Result<(i32, String, u16), Malformed> {
    let (node, host, port) = (r.i32()?, r.string()?, r.i32()?);
    let _rack = r.nullable_string()?;
    r.tags()?;
    let port = u16::try_from(port).map_err(|_| Malformed("a port is out of range"))?;
    Ok((node, host, port))
}

fn topic(version: i16, r: &mut Reader) -> Result<TopicMetadata, Malformed> {
    let error = r.i16()?;
    // Null is possible only for topics asked for by id.
    let name = r.string()?.into();
    let id = if version >= 10 { r.array().map(Some)? } else { None };
    let internal = r.bool()?;
    let partitions = r.items(|r| partition(version, r))?;
    if version >= 8 {
        let _operations = r.i32()?;
    }
    r.tags()?;
    let id = id.filter(|id| *id != [0; 16]).map(TopicId);
    Ok(TopicMetadata { error, name, id, internal, partitions })
}

fn partition(version: i16, r: &mut Reader) -> Result<PartitionMetadata, Malformed> {
    let (error, partition, leader) = (r.i16()?, r.i32()?, r.i32()?);
    let leader_epoch = if version >= 7 { r.i32()? } else { -1 };
    let _replicas = r.items(Reader::i32)?;
    let _in_sync = r.items(Reader::i32)?;
    if version >= 5 {
        let _offline = r.items(Reader::i32)?;
    }
    r.tags()?;
    Ok(PartitionMetadata { error, partition, leader, leader_epoch })
}
