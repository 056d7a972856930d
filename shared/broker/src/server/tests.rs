//! Over TCP, through the public interface.

use std::net::SocketAddr;

use super::*;
use crate::{BatchSpec, Broker, Record, Rule, TopicConfig, codes};

/// A client that knows Fetch v4 and ApiVersions v0.
struct Client {
    stream: TcpStream,
    asked: i32,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.expect("it listens"), asked: 0 }
    }

    async fn send(&mut self, api: Api, version: i16, body: &[u8]) {
        self.asked += 1;
        let mut frame = Vec::new();
        frame.extend_from_slice(&i32::try_from(10 + body.len()).expect("small").to_be_bytes());
        frame.extend_from_slice(&api.key().to_be_bytes());
        frame.extend_from_slice(&version.to_be_bytes());
        frame.extend_from_slice(&self.asked.to_be_bytes());
        frame.extend_from_slice(&[0xff, 0xff]); // no client id
        frame.extend_from_slice(body);
        self.stream.write_all(&frame).await.expect("it reads");
    }

    /// The next answer's body; an error if the connection closes.
    async fn receive(&mut self) -> io::Result<Vec<u8>> {
        let length = self.stream.read_u32().await?;
        let mut frame = vec![0; usize::try_from(length).expect("small")];
        self.stream.read_exact(&mut frame).await?;
        assert_eq!(frame[..4], self.asked.to_be_bytes());
        Ok(frame.split_off(4))
    }

    async fn versions(&mut self) -> io::Result<Vec<u8>> {
        self.send(Api::ApiVersions, 0, &[]).await;
        self.receive().await
    }

    async fn send_fetch(&mut self, offset: i64, max_wait_ms: i32) {
        let mut body = Vec::new();
        for field in [-1, max_wait_ms, 1, 1 << 20] {
            body.extend_from_slice(&field.to_be_bytes());
        }
        body.extend_from_slice(&[1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0]);
        body.extend_from_slice(&offset.to_be_bytes());
        body.extend_from_slice(&(1i32 << 20).to_be_bytes());
        self.send(Api::Fetch, 4, &body).await;
    }

    /// Error code and bytes of records of one partition's fetch.
    async fn fetched(&mut self) -> (i16, usize) {
        let body = self.receive().await.expect("an answer");
        let code = i16::from_be_bytes([body[19], body[20]]);
        (code, body.len() - 45)
    }
}

async fn broker() -> Broker {
    let broker = Broker::start().await.expect("a port is free");
    broker.create_topic("t", TopicConfig::default()).expect("new");
    broker
}

fn append(broker: &Broker) -> usize {
    let batch = BatchSpec::new().record(Record::new(b"key", b"value"));
    broker.append("t", 0, &batch).expect("the topic is there");
    batch.encode().expect("a batch").len()
}

/// Lets the broker's tasks run until `count` requests were received.
async fn received(broker: &Broker, count: usize) {
    while broker.requests().len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_waiting_fetch_is_answered_as_soon_as_there_is_data() {
    let broker = broker().await;
    let mut client = Client::connect(broker.addr()).await;
    // Longer than any test may take: only the append can end it.
    client.send_fetch(0, i32::MAX).await;
    received(&broker, 1).await;
    let size = append(&broker);
    assert_eq!(client.fetched().await, (codes::NONE, size));
    client.send_fetch(1, i32::MAX).await;
    received(&broker, 2).await;
    broker.delete_topic("t").expect("it is there");
    assert_eq!(client.fetched().await, (codes::UNKNOWN_TOPIC_OR_PARTITION, 0));
}

#[tokio::test]
async fn a_fetch_at_the_end_waits_and_one_past_it_does_not() {
    let broker = broker().await;
    let size = append(&broker);
    let mut client = Client::connect(broker.addr()).await;
    let before = Instant::now();
    client.send_fetch(1, 30).await;
    assert_eq!(client.fetched().await, (codes::NONE, 0));
    assert!(before.elapsed() >= Duration::from_millis(30));
    client.send_fetch(2, i32::MAX).await;
    assert_eq!(client.fetched().await, (codes::OFFSET_OUT_OF_RANGE, 0));
    client.send_fetch(0, i32::MAX).await;
    assert_eq!(client.fetched().await, (codes::NONE, size));
}

#[tokio::test]
async fn an_open_transaction_holds_a_committed_fetch_until_it_ends() {
    let broker = broker().await;
    let batch = BatchSpec::new().transactional(7).record(Record::new(b"key", b"value"));
    broker.append("t", 0, &batch).expect("the topic is there");
    let mut client = Client::connect(broker.addr()).await;
    client.send_fetch(0, i32::MAX).await;
    received(&broker, 1).await;
    let markers = broker.abort(7).expect("it is open");
    assert_eq!(markers, [(("t".to_owned(), 0), 1)].into());
    // The batch, its marker (78 bytes), one entry of the aborted list (16).
    let size = batch.encode().expect("a batch").len() + 78 + 16;
    assert_eq!(client.fetched().await, (codes::NONE, size));
    assert_eq!(broker.abort(7).expect("nothing is open"), [].into());
}

#[tokio::test]
async fn scripts_change_close_cut_and_withhold_answers() {
    let broker = broker().await;
    let usual = Client::connect(broker.addr()).await.versions().await.expect("an answer");
    let script = |answer| broker.script(Rule::new(Api::ApiVersions, answer));
    let ask = async || Client::connect(broker.addr()).await.versions().await;

    script(Answer::Bytes(vec![1, 2, 3]));
    assert_eq!(ask().await.expect("an answer"), [1, 2, 3]);
    script(Answer::mangle(|mut body| {
        body.truncate(2);
        body
    }));
    assert_eq!(ask().await.expect("an answer"), usual[..2]);
    script(Answer::Delay(Duration::from_millis(20)));
    let before = Instant::now();
    assert_eq!(ask().await.expect("an answer"), usual);
    assert!(before.elapsed() >= Duration::from_millis(20));
    script(Answer::Error(codes::UNSUPPORTED_VERSION));
    assert_eq!(ask().await.expect("an answer")[..2], [0, 35]);
    for answer in [Answer::Close, Answer::CutAfter(20), Answer::CutAfter(3)] {
        script(answer);
        let error = ask().await.expect_err("it closes");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
    broker.script(Rule::new(Api::Fetch, Answer::throttle(5)));
    let mut client = Client::connect(broker.addr()).await;
    client.send_fetch(0, 0).await;
    assert_eq!(client.receive().await.expect("an answer")[..4], [0, 0, 0, 5]);
    // A length of 2 GiB, and nothing behind it.
    script(Answer::Raw(vec![0x7f, 0xff, 0xff, 0xff]));
    let mut client = Client::connect(broker.addr()).await;
    client.send(Api::ApiVersions, 0, &[]).await;
    assert_eq!(client.stream.read_i32().await.expect("four bytes"), i32::MAX);
    assert_eq!(ask().await.expect("an answer"), usual);
}

#[tokio::test]
async fn a_silent_connection_stays_silent_and_is_logged() {
    let broker = broker().await;
    broker.script(Rule::new(Api::ApiVersions, Answer::Silence));
    let mut client = Client::connect(broker.addr()).await;
    client.send(Api::ApiVersions, 0, &[]).await;
    client.send(Api::ApiVersions, 0, &[]).await;
    received(&broker, 2).await;
    let mut other = Client::connect(broker.addr()).await;
    other.versions().await.expect("only the first connection is silent");
    let now = io::ErrorKind::WouldBlock;
    assert_eq!(client.stream.try_read(&mut [0]).expect_err("nothing came").kind(), now);
    let connections: Vec<_> = broker.requests().iter().map(|r| r.connection).collect();
    assert_eq!((connections, broker.count(Api::ApiVersions)), (vec![1, 1, 2], 3));
}

#[tokio::test]
async fn one_partition_can_fail_alone_and_by_predicate() {
    let broker = broker().await;
    let size = append(&broker);
    let error = Answer::PartitionError { topic: "t".to_owned(), partition: 0, code: 2 };
    let at_zero = |request: &Request| {
        request.as_fetch().is_some_and(|fetch| fetch.partitions[0].fetch_offset == 0)
    };
    broker.script(Rule::new(Api::Fetch, error).when(at_zero).skip(1));
    let mut client = Client::connect(broker.addr()).await;
    for expected in [(0, size), (codes::CORRUPT_MESSAGE, 0), (0, size)] {
        client.send_fetch(1, 0).await;
        assert_eq!(client.fetched().await, (0, 0));
        client.send_fetch(0, 0).await;
        assert_eq!(client.fetched().await, expected);
    }
}

#[tokio::test]
async fn other_versions_close_the_connection_but_for_api_versions() {
    let broker = broker().await;
    let mut client = Client::connect(broker.addr()).await;
    client.send(Api::ApiVersions, 9, &[]).await;
    assert_eq!(client.receive().await.expect("an answer")[..2], [0, 35]);
    broker.set_versions(Api::Fetch, 5, 11);
    client.send_fetch(0, 0).await;
    assert!(client.receive().await.is_err());
    let last = broker.requests().pop().expect("it is logged");
    assert_eq!((&last.body, last.version), (&RequestBody::Unsupported(1), 4));
}

#[tokio::test]
async fn leaders_move_and_nodes_go_and_come_back() {
    let broker = Broker::start_nodes(2).await.expect("two ports are free");
    broker.create_topic("t", TopicConfig::default()).expect("new");
    let size = append(&broker);
    broker.move_leader("t", 0, Some(2)).expect("the node is there");
    let mut client = Client::connect(broker.addrs()[&1]).await;
    client.send_fetch(0, 0).await;
    assert_eq!(client.fetched().await, (codes::NOT_LEADER_OR_FOLLOWER, 0));
    let mut second = Client::connect(broker.addrs()[&2]).await;
    second.send_fetch(0, 0).await;
    assert_eq!(second.fetched().await, (codes::NONE, size));
    assert_eq!(broker.offsets("t", 0).expect("it is there").leader_epoch, 1);

    broker.stop_node(2).await.expect("the node is there");
    assert!(second.versions().await.is_err());
    assert!(TcpStream::connect(broker.addrs()[&2]).await.is_err());
    client.versions().await.expect("the other node is up");
    broker.start_node(2).await.expect("its port is free");
    let mut second = Client::connect(broker.addrs()[&2]).await;
    second.send_fetch(0, 0).await;
    assert_eq!(second.fetched().await, (codes::NONE, size));
}

#[tokio::test]
async fn a_log_that_is_cut_back_goes_on_in_a_new_epoch() {
    let broker = broker().await;
    append(&broker);
    append(&broker);
    broker.truncate("t", 0, 1).expect("within the log");
    let offsets = broker.offsets("t", 0).expect("it is there");
    assert_eq!((offsets.high_watermark, offsets.leader_epoch), (1, 1));
    append(&broker);
    // OffsetForLeaderEpoch v2 of epoch 0: it ends at 1.
    let mut client = Client::connect(broker.addr()).await;
    let ask = [0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    client.send(Api::OffsetForLeaderEpoch, 2, &ask).await;
    let answer = client.receive().await.expect("an answer");
    assert_eq!(answer[15..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn stopping_and_dropping_close_everything() {
    let first = broker().await;
    let mut client = Client::connect(first.addr()).await;
    client.versions().await.expect("an answer");
    let address = first.addr();
    first.stop().await;
    assert!(client.receive().await.is_err());
    assert!(TcpStream::connect(address).await.is_err());

    let second = broker().await;
    let mut client = Client::connect(second.addr()).await;
    client.send_fetch(0, i32::MAX).await;
    received(&second, 1).await;
    drop(second);
    assert!(client.receive().await.is_err());
}
