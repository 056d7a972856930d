//! Connections that end, and answers that are cut off, at every byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate_broker::{Answer, Api, BatchSpec, Broker, Codec, Record, Rule};
use tidegate_kafka::KafkaOptions;
use tokio::task::JoinSet;

use crate::lab::{self, APIS, broker, fetch_one, observe_and_fetch, slice, source};

/// So many brokers are cut off from side by side.
const LANES: usize = 8;

/// Batches of all codecs; the value of each record tells its offset.
async fn all_codecs() -> Broker {
    let broker = broker(1).await;
    let codecs = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
    for (at, codec) in (0..10_i64).zip(codecs.iter().cycle()) {
        let mut batch = BatchSpec::new().codec(*codec);
        for offset in at * 4..at * 4 + 4 {
            let value = offset.to_be_bytes();
            batch.push(Record { value: Some(&value), ..Record::default() });
        }
        broker.append("t", 0, &batch).expect("appended");
    }
    broker
}

fn all_rows(came: &lab::Came) -> bool {
    let values = (0..40_i64).map(|offset| offset.to_be_bytes().to_vec());
    came.offsets == (0..40).collect::<Vec<_>>()
        && came.values == values.collect::<Vec<_>>()
        && (came.next, came.compacted, came.ended.as_deref()) == (40, 0, None)
}

/// How many bytes the usual answer to `api` has on the wire.
async fn answer_bytes(api: Api) -> usize {
    let (broker, bytes) = (all_codecs().await, Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&bytes);
    let measure = Answer::mangle(move |body| {
        // Length, correlation id, and tags where there are some.
        seen.fetch_max(body.len() + 9, Ordering::Relaxed);
        body
    });
    broker.script(Rule::new(api, measure).always());
    let (observed, came) = observe_and_fetch(&source(&broker), slice(0, 0, 40)).await;
    assert!(observed && all_rows(&came));
    bytes.load(Ordering::Relaxed)
}

/// The connection closes after each byte of each kind of answer, or the answer stops there: the
/// rows come all the same, once, over a new connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_cut_off_at_any_byte_is_asked_for_again() {
    let mut cuts = Vec::new();
    for api in APIS {
        let bytes = answer_bytes(api).await;
        assert!(bytes > 20, "{api:?}");
        cuts.extend((0..=bytes).map(|at| (api, Answer::CutAfter(at))));
        cuts.extend((0..bytes).step_by(bytes / 4).map(|at| (api, Answer::StallAfter(at))));
    }
    let cuts = Arc::new(cuts);
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let cuts = Arc::clone(&cuts);
        lanes.spawn(async move {
            let broker = all_codecs().await;
            for (api, answer) in cuts.iter().skip(lane).step_by(LANES) {
                broker.clear_script();
                broker.script(Rule::new(*api, answer.clone()));
                let options = KafkaOptions {
                    request_timeout: Duration::from_millis(300),
                    connect_timeout: Duration::from_millis(300),
                    observe_retry_for: Duration::from_secs(5),
                    retry_for: Duration::from_secs(5),
                    ..lab::options()
                };
                let source = lab::source_with(&broker, options);
                let (observed, came) = observe_and_fetch(&source, slice(0, 0, 40)).await;
                assert!(observed, "{api:?} {answer:?}");
                assert!(all_rows(&came), "{api:?} {answer:?}: {came:?}");
            }
        });
    }
    while let Some(lane) = lanes.join_next().await {
        lane.expect("every answer is asked for again");
    }
}

/// A broker that fills an answer with the front of a batch: cut off after each byte of the
/// records, the rows come all the same.
#[tokio::test]
async fn records_cut_off_at_any_byte_are_asked_for_again() {
    let (broker, bytes) = (all_codecs().await, Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&bytes);
    let measure = Answer::records(move |_, _, records| {
        seen.fetch_max(records.len(), Ordering::Relaxed);
        records
    });
    broker.script(Rule::new(Api::Fetch, measure).always());
    let source = source(&broker);
    assert!(all_rows(&fetch_one(&source, slice(0, 0, 40)).await));
    for end in 0..=bytes.load(Ordering::Relaxed) {
        broker.clear_script();
        let cut = Answer::records(move |_, _, mut records| {
            records.truncate(end);
            records
        });
        broker.script(Rule::new(Api::Fetch, cut));
        let came = fetch_one(&source, slice(0, 0, 40)).await;
        assert!(all_rows(&came), "{end}: {came:?}");
    }
}
