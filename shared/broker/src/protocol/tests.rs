//! Requests and answers byte by byte, from Kafka's message schemas.

use super::*;
use crate::batch::{BatchSpec, Record};
use crate::request::{Request, RequestBody};
use crate::state::{State, TopicConfig};

/// Concatenates big-endian fields.
macro_rules! bytes {
    ($($field:expr),* $(,)?) => {{
        let mut out: Vec<u8> = Vec::new();
        $(out.extend_from_slice(&$field.to_be_bytes());)*
        out
    }};
}

/// Fields of several kinds, one after another.
fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Two nodes, and a topic `t` of two partitions: the second has one record, in epoch 3.
fn state() -> State {
    let mut state = State::new([(1, 9092), (2, 9093)].into());
    "id".clone_into(&mut state.cluster_id);
    let config = TopicConfig { partitions: 2, ..TopicConfig::default() };
    state.create_topic("t", config).expect("new");
    let found = state.partition_mut("t", 1).expect("it is there");
    found.leader_epoch = 3;
    found.log.begin_epoch(3);
    let spec = BatchSpec::new().record(Record::new(b"k", b"v").at(1000));
    found.log.append(&spec, spec.encode().expect("a batch"), 3, 0).expect("appended");
    state
}

/// Reads a request as node 1 would.
fn read(api: Api, version: i16, body: &[u8]) -> Request {
    let tags: &[u8] = if api.is_flexible(version) { &[0] } else { &[] };
    let header = join(&[&bytes![api.key(), version, 77i32], &[0, 2], b"me", tags, body]);
    let request = Request::read(1, 1, &header, Api::versions).expect("well-formed");
    assert_eq!((request.api(), request.trailing_bytes), (Some(api), 0));
    assert_eq!((request.correlation_id, request.client_id.as_deref()), (77, Some("me")));
    request
}

#[test]
fn api_versions_lists_what_is_answered() {
    let state = state();
    let list = |tags: &[u8]| {
        let entry = |key: i16, min: i16, max: i16| join(&[&bytes![key, min, max], tags]);
        [(0, 3, 3), (1, 4, 11), (2, 1, 5), (3, 1, 12), (18, 0, 3), (23, 2, 3)]
            .map(|(key, min, max)| entry(key, min, max))
            .concat()
    };
    let v0 = join(&[&[0, 0], &6i32.to_be_bytes(), &list(&[])]);
    assert_eq!(api_versions::answer(&state, 0, None), v0);
    assert_eq!(api_versions::answer(&state, 2, None), join(&[&v0, &[0; 4]]));
    let v3 = join(&[&[0, 0, 7], &list(&[0]), &[0; 5]]);
    assert_eq!(api_versions::answer(&state, 3, None), v3);
    let unknown = join(&[&[0, 35], &1i32.to_be_bytes(), &bytes![18i16, 0i16, 3i16]]);
    assert_eq!(api_versions::unsupported(&state), unknown);
}

#[test]
fn metadata_v1_has_neither_ids_nor_epochs() {
    let request = read(Api::Metadata, 1, &join(&[&1i32.to_be_bytes(), &[0, 1], b"t"]));
    let RequestBody::Metadata(asked) = &request.body else { panic!("another request") };
    let host = join(&[&[0, 9], b"127.0.0.1"]);
    let broker =
        |id: i32, port: i32| join(&[&id.to_be_bytes(), &host, &port.to_be_bytes(), &[0xff, 0xff]]);
    let partition =
        |index: i32, leader: i32| bytes![0i16, index, leader, 2i32, 1i32, 2i32, 2i32, 1i32, 2i32];
    let expected = join(&[
        &2i32.to_be_bytes(),
        &broker(1, 9092),
        &broker(2, 9093),
        &bytes![1i32, 1i32, 0i16], // controller, one topic, no error
        &[0, 1, b't', 0],          // name, not internal
        &2i32.to_be_bytes(),
        &partition(0, 1),
        &partition(1, 2),
    ]);
    assert_eq!(metadata::answer(&state(), asked, 1, None), expected);
}

#[test]
fn metadata_v12_has_ids_and_epochs() {
    let mut state = state();
    let by_name = join(&[&[3], &[0; 16], &[2, b't', 0], &[0; 16], &[2, b'u', 0], &[0, 0, 0]]);
    let request = read(Api::Metadata, 12, &by_name);
    let RequestBody::Metadata(asked) = &request.body else { panic!("another request") };
    assert!(!asked.allow_auto_topic_creation);
    state.down.insert(2);
    let partition = |error: i16, index: i32, leader: i32, epoch: i32| {
        let nodes = join(&[
            &[3],
            &bytes![1i32, 2i32],
            &[2],
            &1i32.to_be_bytes(),
            &[2],
            &2i32.to_be_bytes(),
        ]);
        join(&[&bytes![error, index, leader, epoch], &nodes, &[0]])
    };
    let no_operations = i32::MIN.to_be_bytes();
    let expected = join(&[
        &[0, 0, 0, 0, 2],
        &join(&[&1i32.to_be_bytes(), &[10], b"127.0.0.1", &9092i32.to_be_bytes(), &[0, 0]]),
        &[3, b'i', b'd'],
        &1i32.to_be_bytes(),
        &[3, 0, 0, 2, b't'],
        &state.topics["t"].id,
        &[0, 3],
        &partition(0, 0, 1, 0),
        &partition(5, 1, -1, 3),
        &no_operations,
        &[0, 0, 3, 2, b'u'],
        &[0; 16],
        &[0, 1],
        &no_operations,
        &[0, 0],
    ]);
    assert_eq!(metadata::answer(&state, asked, 12, None), expected);
}

#[test]
fn metadata_finds_topics_by_id_from_v12_on() {
    let state = state();
    let id = state.topics["t"].id;
    let ask = |version, id: [u8; 16], name: Option<&str>| {
        let topic = metadata::AskedTopic { id, name: name.map(str::to_owned) };
        let request = metadata::MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
        let answer = metadata::answer(&state, &request, version, None);
        // Throttle, one byte for the count of brokers, two of those, cluster id, controller.
        let topic = &answer[4 + 1 + 2 * 20 + 3 + 4..];
        assert_eq!(topic[0], 2, "one topic");
        i16::from_be_bytes([topic[1], topic[2]])
    };
    assert_eq!(ask(12, id, None), codes::NONE);
    assert_eq!(ask(12, [9; 16], None), codes::UNKNOWN_TOPIC_ID);
    assert_eq!(ask(12, id, Some("t")), codes::INVALID_REQUEST);
    assert_eq!(ask(11, id, None), codes::INVALID_REQUEST);
    assert_eq!(ask(11, [0; 16], Some("t")), codes::NONE);
    assert_eq!(ask(11, [0; 16], Some("a/b")), codes::INVALID_TOPIC);
}

#[test]
fn list_offsets_answers_earliest_latest_and_times() {
    let state = state();
    let topic = |partitions: &[u8]| join(&[&1i32.to_be_bytes(), &[0, 1, b't'], partitions]);
    let v5 = |index: i32, epoch: i32, timestamp: i64| {
        let body = topic(&bytes![1i32, index, epoch, timestamp]);
        let request = read(Api::ListOffsets, 5, &join(&[&bytes![-1i32, 1i8], &body]));
        let RequestBody::ListOffsets(asked) = &request.body else { panic!("another request") };
        assert!(asked.read_committed);
        list_offsets::answer(&state, 2, asked, 5, None)
    };
    let answer = |index: i32, error: i16, timestamp: i64, offset: i64, epoch: i32| {
        join(&[&[0; 4], &topic(&bytes![1i32, index, error, timestamp, offset, epoch])])
    };
    assert_eq!(v5(1, 3, -1), answer(1, 0, -1, 1, 3));
    assert_eq!(v5(1, -1, -2), answer(1, 0, -1, 0, 3));
    assert_eq!(v5(1, -1, 1000), answer(1, 0, 1000, 0, 3));
    assert_eq!(v5(1, -1, 1001), answer(1, 0, -1, -1, -1));
    assert_eq!(v5(1, 2, -1), answer(1, codes::FENCED_LEADER_EPOCH, -1, -1, -1));
    assert_eq!(v5(0, -1, -1), answer(0, codes::NOT_LEADER_OR_FOLLOWER, -1, -1, -1));

    // v1: neither isolation nor throttle nor epochs. The same partition twice is an error.
    let body = join(&[&bytes![-1i32], &topic(&bytes![2i32, 1i32, -1i64, 1i32, -2i64])]);
    let request = read(Api::ListOffsets, 1, &body);
    let RequestBody::ListOffsets(asked) = &request.body else { panic!("another request") };
    let twice = bytes![2i32, 1i32, 42i16, -1i64, -1i64, 1i32, 42i16, -1i64, -1i64];
    assert_eq!(list_offsets::answer(&state, 2, asked, 1, None), topic(&twice));
}

#[test]
fn epochs_have_their_error_first() {
    let topic = |partitions: &[u8]| join(&[&1i32.to_be_bytes(), &[0, 1, b't'], partitions]);
    let ask = topic(&bytes![2i32, 1i32, 3i32, 0i32, 0i32, -1i32, 0i32]);
    for (version, replica) in [(2, &[][..]), (3, &[0xff; 4])] {
        let request = read(Api::OffsetForLeaderEpoch, version, &join(&[replica, &ask]));
        let RequestBody::OffsetForLeaderEpoch(asked) = &request.body else {
            panic!("another request")
        };
        let answer = bytes![2i32, 0i16, 1i32, 0i32, 0i64, 6i16, 0i32, -1i32, -1i64];
        let expected = join(&[&[0; 4], &topic(&answer)]);
        assert_eq!(epochs::answer(&state(), 2, asked, version, None), expected);
    }
}

#[test]
fn fetch_answers_are_laid_out_as_kafka_lays_them_out() {
    let state = state();
    let batch = state.partition("t", 1).expect("it is there").log.read(&crate::log::Ask {
        offset: 0,
        before: 1,
        max_bytes: 1,
        whole_first: true,
        cut_tail: false,
    });
    let size = i32::try_from(batch.size).expect("it is small");
    let topic = |partitions: &[u8]| join(&[&1i32.to_be_bytes(), &[0, 1, b't'], partitions]);

    let head = bytes![-1i32, 500i32, 1i32, 1000i32, 1i8];
    let v4 = join(&[&head, &topic(&bytes![1i32, 1i32, 0i64, 900i32])]);
    let request = read(Api::Fetch, 4, &v4);
    let asked = request.as_fetch().expect("a fetch");
    assert_eq!((asked.max_wait_ms, asked.min_bytes, asked.max_bytes), (500, 1, 1000));
    let given = fetch::collect(&state, 2, asked, None);
    let v4 = join(&[&bytes![1i32, 1i32, 0i16, 1i64, 1i64, 0i32, size], &batch.batches[0]]);
    assert_eq!(fetch::write(&given, asked, 4), join(&[&[0; 4], &topic(&v4)]));

    let partitions =
        bytes![2i32, 1i32, 3i32, 0i64, -1i64, 900i32, 0i32, -1i32, 0i64, -1i64, 900i32];
    let session = bytes![0i32, -1i32];
    let tail = join(&[&topic(&bytes![1i32, 1i32]), &[0, 1, b'r']]);
    let request = read(Api::Fetch, 11, &join(&[&head, &session, &topic(&partitions), &tail]));
    let asked = request.as_fetch().expect("a fetch");
    assert_eq!((asked.rack.as_str(), asked.partitions[0].current_leader_epoch), ("r", 3));
    let given = fetch::collect(&state, 2, asked, None);
    let v11 = join(&[
        &bytes![2i32, 1i32, 0i16, 1i64, 1i64, 0i64, 0i32, -1i32, size],
        &batch.batches[0],
        // An error: offsets −1, the aborted list null.
        &bytes![0i32, 6i16, -1i64, -1i64, -1i64, -1i32, -1i32, 0i32],
    ]);
    assert_eq!(fetch::write(&given, asked, 11), join(&[&[0; 10], &topic(&v11)]));
}

#[test]
fn the_first_batch_of_an_answer_comes_whole_and_no_other() {
    let mut state = State::new([(1, 0)].into());
    let config = TopicConfig { partitions: 3, ..TopicConfig::default() };
    state.create_topic("t", config).expect("new");
    for index in 1..3 {
        let log = &mut state.partition_mut("t", index).expect("it is there").log;
        let spec = BatchSpec::new().record(Record::new(b"k", &[0; 100]));
        log.append(&spec, spec.encode().expect("a batch"), 0, 0).expect("appended");
    }
    let sizes = |order: [i32; 3], max_bytes| {
        let partitions = order.map(|partition| fetch::FetchPartition {
            topic: "t".to_owned(),
            partition,
            current_leader_epoch: -1,
            max_bytes: 1 << 20,
            ..Default::default()
        });
        let request =
            fetch::FetchRequest { max_bytes, partitions: partitions.into(), ..Default::default() };
        let answer = fetch::write(&fetch::collect(&state, 1, &request, None), &request, 4);
        let empty = 4 + 4 + 3 + 4 + 3 * 30;
        answer.len() - empty
    };
    let one = sizes([0, 1, 2], 1);
    assert!(one > 100);
    assert_eq!(sizes([0, 2, 1], one.try_into().expect("it is small")), one);
    assert_eq!(sizes([0, 1, 2], 1 << 20), 2 * one);
}

#[test]
fn malformed_requests_are_refused_and_other_versions_told() {
    let parse = |frame: &[u8]| Request::read(1, 1, frame, Api::versions);
    let partition = bytes![1i32, 0i32, -1i32, 0i64, -1i64, 900i32];
    let name = [0, 0, 0, 1, 0, 1, b't'];
    let head = bytes![1i16, 11i16, 0i32, -1i16, -1i32, 0i32, 1i32, 9i32, 0i8, 0i32, -1i32];
    let v11 = join(&[&head, &name, &partition, &[0; 4], &[0, 1, b'r']]);
    assert!(parse(&v11).is_ok());
    for end in 0..v11.len() {
        assert!(parse(&v11[..end]).is_err(), "{end}");
    }
    let other = |key: i16, version: i16| {
        let request = parse(&bytes![key, version, 5i32]).expect("a header is enough");
        (request.body, request.correlation_id)
    };
    assert_eq!(other(1, 12), (RequestBody::Unsupported(1), 5));
    assert_eq!(other(0, 3), (RequestBody::Unsupported(0), 5));
    assert_eq!(other(18, 4), (RequestBody::ApiVersions, 5));
}
