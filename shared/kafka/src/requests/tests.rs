//! Byte for byte, from Kafka's message schemas.

use bytes::Bytes;
use tidegate_core::ports::EpochEnd;
use tidegate_core::words::{Isolation, TopicId, TopicPartition};

use super::*;
use crate::decode::AbortedTransaction;

fn encoded<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let mut out = Vec::new();
    request.encode(version, &mut out);
    out
}

/// Joins pieces of bytes: so that a table shows the fields.
fn bytes(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

/// An answer is read whole or not at all: each cut, and each byte too many, is an error.
fn parsed<R: Request>(version: i16, body: &[u8]) -> R::Answer {
    for end in 0..body.len() {
        let cut = Bytes::copy_from_slice(&body[..end]);
        assert!(R::parse(version, cut).is_err(), "cut at {end} of {}", body.len());
    }
    let longer = Bytes::from([body, &[0]].concat());
    assert!(R::parse(version, longer).is_err(), "one byte too many");
    R::parse(version, Bytes::copy_from_slice(body)).map_err(|error| error.0).expect("well-formed")
}

fn rides(partition: i32) -> TopicPartition {
    TopicPartition::new("ab", partition)
}

#[test]
fn metadata_is_asked_for_without_creating_topics() {
    let all = Metadata { topics: None };
    let some = Metadata { topics: Some(vec!["ab".into()]) };
    assert_eq!(encoded(&all, 4), [0xff, 0xff, 0xff, 0xff, 0]);
    assert_eq!(encoded(&some, 4), bytes(&[&[0, 0, 0, 1], &[0, 2, b'a', b'b'], &[0]]));
    assert_eq!(encoded(&some, 8), bytes(&[&[0, 0, 0, 1], &[0, 2, b'a', b'b'], &[0, 0, 0]]));
    assert_eq!(encoded(&some, 9), [2, 3, b'a', b'b', 0, 0, 0, 0, 0]);
    assert_eq!(encoded(&all, 10), [0, 0, 0, 0, 0]);
    let named = bytes(&[&[2], &[0; 16], &[3, b'a', b'b', 0], &[0, 0, 0]]);
    assert_eq!(encoded(&some, 12), named);
}

#[test]
fn metadata_answers_are_read_in_old_and_new_versions() {
    let v12 = bytes(&[
        &[0, 0, 0, 9],
        // One broker: node 7, host, port, rack null, tags.
        &[2, 0, 0, 0, 7, 2, b'h', 0, 0, 0x23, 0x84, 0, 0],
        // Cluster, controller.
        &[2, b'c', 0, 0, 0, 7],
        // One topic: error, name, id, internal.
        &[2, 0, 0, 3, b'a', b'b'],
        &[5; 16],
        &[0],
        // One partition: error, index, leader, epoch, replicas, in sync, offline, tags.
        &[2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 3],
        &[2, 0, 0, 0, 7, 2, 0, 0, 0, 7, 1, 0],
        // Operations, tags of the topic, a tag of the answer.
        &[0x80, 0, 0, 0, 0, 1, 5, 1, 9],
    ]);
    let partition = PartitionMetadata { error: 0, partition: 1, leader: 7, leader_epoch: 3 };
    let topic = TopicMetadata {
        error: 0,
        name: "ab".into(),
        id: Some(TopicId([5; 16])),
        internal: false,
        partitions: vec![partition],
    };
    let answer = MetadataAnswer {
        throttle: 9,
        brokers: vec![(7, "h".to_owned(), 9092)],
        cluster_id: Some("c".to_owned()),
        topics: vec![topic.clone()],
    };
    assert_eq!(parsed::<Metadata>(12, &v12), answer);

    let v4 = bytes(&[
        &[0, 0, 0, 9],
        &[0, 0, 0, 1, 0, 0, 0, 7, 0, 1, b'h', 0, 0, 0x23, 0x84, 0xff, 0xff],
        &[0, 1, b'c', 0, 0, 0, 7],
        &[0, 0, 0, 1, 0, 0, 0, 2, b'a', b'b', 0],
        &[0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7],
        &[0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 7],
    ]);
    let old_partition = PartitionMetadata { leader_epoch: -1, ..partition };
    let old = TopicMetadata { id: None, partitions: vec![old_partition], ..topic };
    assert_eq!(parsed::<Metadata>(4, &v4), MetadataAnswer { topics: vec![old], ..answer });
}

use super::metadata::PartitionMetadata;

#[test]
fn list_offsets_groups_partitions_by_topic() {
    let question = |topic: &str, partition, timestamp| OffsetQuestion {
        partition: TopicPartition::new(topic, partition),
        leader_epoch: 2,
        timestamp,
    };
    let questions =
        vec![question("ab", 0, EARLIEST), question("ab", 3, LATEST), question("c", 0, 5)];
    let request = ListOffsets { isolation: Isolation::ReadCommitted, questions };
    let expected = bytes(&[
        &[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 2],
        &[0, 2, b'a', b'b', 0, 0, 0, 2],
        &[0, 0, 0, 0, 0, 0, 0, 2],
        &EARLIEST.to_be_bytes(),
        &[0, 0, 0, 3, 0, 0, 0, 2],
        &LATEST.to_be_bytes(),
        &[0, 1, b'c', 0, 0, 0, 1],
        &[0, 0, 0, 0, 0, 0, 0, 2],
        &5_i64.to_be_bytes(),
    ]);
    assert_eq!(encoded(&request, 5), expected);
    let without_epochs = expected.len() - 3 * 4;
    assert_eq!(encoded(&request, 2).len(), without_epochs);

    let answer = bytes(&[
        &[0, 0, 0, 7, 0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1],
        &[0, 0, 0, 3, 0, 6],
        &(-1_i64).to_be_bytes(),
        &42_i64.to_be_bytes(),
    ]);
    let (throttle, answers) = parsed::<ListOffsets>(3, &answer);
    let one = &answers[0];
    assert_eq!((throttle, one.error, one.timestamp, one.offset), (7, 6, -1, 42));
    assert_eq!(one.partition, rides(3));
    let (_, with_epoch) = parsed::<ListOffsets>(5, &[&answer[..], &[0, 0, 0, 1]].concat());
    assert_eq!(with_epoch, answers);
}

#[test]
fn epochs_are_asked_for_and_their_ends_read() {
    let questions = vec![EpochQuestion { partition: rides(3), leader_epoch: 5, epoch: 4 }];
    let request = OffsetForLeaderEpoch { questions };
    let body = bytes(&[
        &[0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1],
        &[0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 4],
    ]);
    assert_eq!(encoded(&request, 2), body);
    assert_eq!(encoded(&request, 3), [&[0xff; 4][..], &body].concat());
    let answer = bytes(&[
        &[0, 0, 0, 0, 0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1],
        // Here the error stands before the partition.
        &[0, 74, 0, 0, 0, 3, 0, 0, 0, 4],
        &99_i64.to_be_bytes(),
    ]);
    let (_, answers) = parsed::<OffsetForLeaderEpoch>(3, &answer);
    assert_eq!(answers[0].partition, rides(3));
    assert_eq!((answers[0].error, answers[0].end), (74, EpochEnd { epoch: 4, end: 99 }));
}

fn fetch() -> Fetch {
    let question = FetchQuestion { partition: rides(3), leader_epoch: 5, offset: 7, max_bytes: 64 };
    Fetch {
        max_wait: 500,
        max_bytes: 128,
        isolation: Isolation::ReadCommitted,
        questions: vec![question],
    }
}

#[test]
fn a_fetch_is_written_in_old_and_new_versions() {
    let head = bytes(&[&[0xff; 4], &[0, 0, 1, 0xf4, 0, 0, 0, 1, 0, 0, 0, 128, 1]]);
    let topic = [0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1, 0, 0, 0, 3];
    let (offset, log_start) = (7_i64.to_be_bytes(), (-1_i64).to_be_bytes());
    let v4 = bytes(&[&head, &topic, &offset, &[0, 0, 0, 64]]);
    assert_eq!(encoded(&fetch(), 4), v4);
    let v11 = bytes(&[
        &head,
        // No session.
        &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        &topic,
        &[0, 0, 0, 5],
        &offset,
        &log_start,
        &[0, 0, 0, 64],
        // Nothing forgotten, no rack.
        &[0, 0, 0, 0, 0, 0],
    ]);
    assert_eq!(encoded(&fetch(), 11), v11);
}

#[test]
fn a_fetch_answer_is_read_in_old_and_new_versions() {
    let (high, stable) = (9_i64.to_be_bytes(), 8_i64.to_be_bytes());
    let partition = [0, 0, 0, 1, 0, 2, b'a', b'b', 0, 0, 0, 1, 0, 0, 0, 3, 0, 0];
    let aborted = bytes(&[&[0, 0, 0, 1], &4_i64.to_be_bytes(), &2_i64.to_be_bytes()]);
    let records = [0, 0, 0, 3, b'x', b'y', b'z'];
    let v4 = bytes(&[&[0, 0, 0, 5], &partition, &high, &stable, &aborted, &records]);
    let part = FetchPart {
        partition: rides(3),
        error: 0,
        high_watermark: 9,
        last_stable: 8,
        aborted: vec![AbortedTransaction { producer_id: 4, first_offset: 2 }],
        records: Bytes::from_static(b"xyz"),
    };
    let answer = FetchAnswer { throttle: 5, error: 0, parts: vec![part.clone()] };
    assert_eq!(parsed::<Fetch>(4, &v4), answer);

    // The list of aborted transactions and the records may be null.
    let null = [0xff; 4];
    let v11 = bytes(&[
        &[0, 0, 0, 5, 0, 70, 0, 0, 0, 0],
        &partition,
        &high,
        &stable,
        &[0; 8],
        &null,
        &[0xff, 0xff, 0xff, 0xff],
        &null,
    ]);
    let part = FetchPart { aborted: Vec::new(), records: Bytes::new(), ..part };
    assert_eq!(
        parsed::<Fetch>(11, &v11),
        FetchAnswer { throttle: 5, error: 70, parts: vec![part] }
    );
}

#[test]
fn api_versions_are_asked_for_with_a_name_and_read_in_old_and_new_versions() {
    assert!(encoded(&ApiVersions, 0).is_empty());
    let named = encoded(&ApiVersions, 3);
    assert!(named.starts_with(&[9, b't', b'i', b'd', b'e', b'g']) && named.ends_with(&[0]));
    let fetch = [0, 1, 0, 4, 0, 11];
    let ranges = [(ApiKey::Fetch, 4, 11)];
    // Error, ranges; from version 1 on a throttle, from version 3 on tags.
    let v0 = parsed::<ApiVersions>(0, &bytes(&[&[0, 0], &[0, 0, 0, 1], &fetch]));
    assert_eq!(v0.ranges, ranges);
    let v2 = bytes(&[&[0, 0], &[0, 0, 0, 1], &fetch, &[0, 0, 0, 9]]);
    let v2 = parsed::<ApiVersions>(2, &v2);
    assert_eq!((v2.ranges.as_slice(), ApiVersions::throttle(&v2)), (ranges.as_slice(), 9));
    let v3 = bytes(&[&[0, 0], &[2], &fetch, &[0], &[0, 0, 0, 0], &[1, 0, 2, 8, 8]]);
    assert_eq!(parsed::<ApiVersions>(3, &v3).ranges, ranges);
    // KIP-511: whoever does not know version 3 answers in version 0.
    let older = bytes(&[&[0, 35], &[0, 0, 0, 1], &[0, 18, 0, 0, 0, 2]]);
    let older = ApiVersions::parse(3, older.into()).expect("an error");
    assert_eq!((older.error, older.ranges.len()), (UNSUPPORTED_VERSION, 0));
}

#[test]
fn logins_are_asked_for_and_answers_read() {
    let handshake = SaslHandshake { mechanism: "PLAIN" };
    assert_eq!(encoded(&handshake, 1), [0, 5, b'P', b'L', b'A', b'I', b'N']);
    let answer = bytes(&[&[0, 33], &[0, 0, 0, 1], &[0, 2, b'a', b'b']]);
    let answer = parsed::<SaslHandshake>(1, &answer);
    assert_eq!((answer.error, answer.mechanisms), (33, vec!["ab".to_owned()]));
    let token = SaslAuthenticate { token: vec![7, 8].into() };
    assert_eq!(encoded(&token, 0), [0, 0, 0, 2, 7, 8]);
    assert_eq!(encoded(&token, 2), [3, 7, 8, 0]);
    assert_eq!(format!("{token:?}"), "SaslAuthenticate(..)");
    // Error, message, token; from version 1 on how long it holds, from version 2 on tags.
    let v0 = parsed::<SaslAuthenticate>(0, &[0, 58, 0, 1, b'x', 0, 0, 0, 0]);
    assert_eq!((v0.error, v0.message.as_deref()), (58, Some("x")));
    let v1 = bytes(&[&[0, 0], &[0xff, 0xff], &[0, 0, 0, 1, 9], &[0; 8]]);
    assert_eq!(parsed::<SaslAuthenticate>(1, &v1).token, [9].as_slice());
    let v2 = parsed::<SaslAuthenticate>(2, &bytes(&[&[0, 0], &[0], &[2, 9], &[0; 8], &[0]]));
    assert_eq!((v2.message, v2.token), (None, Bytes::from_static(&[9])));
}
