//! How long it takes to learn that nobody is there, and that nobody gives up too early.

use std::time::{Duration, Instant};

use tidegate_broker::{Answer, Api, Rule};
use tidegate_core::error::ErrorKind;
use tidegate_core::ports::LogSource;
use tidegate_core::words::Isolation;
use tidegate_kafka::{KafkaOptions, KafkaSource};
use tokio::net::TcpListener;

use crate::lab::{self, batch, broker, fetch, named, slice, within};

/// Patience with reads that no observation may come near to.
const LONG: Duration = Duration::from_secs(60);
/// What an observation may take on a machine at work.
const SOON: Duration = Duration::from_secs(20);

fn impatient() -> KafkaOptions {
    KafkaOptions { retry_for: LONG, ..lab::options() }
}

async fn unavailable_soon(servers: Vec<String>) {
    let spec = lab::spec(servers.clone());
    let source = KafkaSource::new(&spec, impatient()).expect("a good spec");
    let begun = Instant::now();
    let error = source.observe(&named(&["t"]), within(50_000)).await.expect_err("nobody there");
    assert!(begun.elapsed() < SOON, "{servers:?}: {:?}", begun.elapsed());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(servers.iter().all(|server| error.to_string().contains(server)), "{error}");
}

/// A port that nobody listens on, a name that does not resolve, and both.
#[tokio::test]
async fn who_refuses_connections_is_given_up_soon() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let refusing = taken.local_addr().expect("bound").to_string();
    drop(taken);
    let nameless = "no-such-host.invalid:9092".to_owned();
    unavailable_soon(vec![refusing.clone()]).await;
    unavailable_soon(vec![nameless.clone()]).await;
    unavailable_soon(vec![nameless, refusing]).await;
}

/// Servers that accept and say nothing, side by side; one that falls silent later.
#[tokio::test]
async fn who_is_silent_is_given_up_soon() {
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpListener::bind("127.0.0.1:0").await.expect("a free port"));
    }
    let addresses = silent.iter().map(|one| one.local_addr().expect("bound").to_string());
    unavailable_soon(addresses.collect()).await;
    let broker = broker(1).await;
    broker.script(Rule::new(Api::Metadata, Answer::Silence).always());
    unavailable_soon(vec![broker.addr().to_string()]).await;
}

/// A silent server costs the wait for the next one, not that for its answer.
#[tokio::test]
async fn a_good_server_behind_a_silent_one_is_found() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let broker = broker(1).await;
    let silent = silent.local_addr().expect("bound").to_string();
    let options = KafkaOptions { connect_timeout: LONG, ..impatient() };
    let spec = lab::spec(vec![silent, broker.addr().to_string()]);
    let source = KafkaSource::new(&spec, options).expect("a good spec");
    let begun = Instant::now();
    assert_eq!(lab::observe(&source, &named(&["t"])).await.partitions.len(), 1);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

/// A read, and the check before it, wait for a broker that is away for longer than an
/// observation would.
#[tokio::test]
async fn a_read_waits_out_a_restart() {
    let broker = broker(1).await;
    broker.append("t", 0, &batch(5)).expect("appended");
    let observe_retry_for = Duration::from_millis(50);
    let source = lab::source_with(&broker, KafkaOptions { observe_retry_for, ..impatient() });
    let mut check = named(&["t"]);
    check.offsets = false;
    for read in [false, true] {
        broker.stop_node(1).await.expect("stopped");
        let back = async {
            tokio::time::sleep(Duration::from_millis(1_000)).await;
            broker.start_node(1).await.expect("started");
        };
        if read {
            let slices = [slice(0, 0, 5)];
            let ((came, error), ()) =
                tokio::join!(fetch(&source, &slices, Isolation::ReadCommitted), back);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(came[0].offsets, [0, 1, 2, 3, 4]);
        } else {
            let (seen, ()) = tokio::join!(source.observe(&check, within(30_000)), back);
            assert_eq!(seen.expect("it came back").partitions.len(), 1);
        }
    }
}
