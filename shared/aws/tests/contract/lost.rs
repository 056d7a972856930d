//! Answers that are lost after the service did what was asked, and refusals that pass.

use std::time::Duration;

use bytes::Bytes;
use tidegate_aws::{DynamoState, S3Objects};
use tidegate_core::ports::{Clock, Created, ObjectStore, ReadRange, UPLOAD_PART_MIN, Upload};
use tidegate_core::time::Deadline;
use tidegate_local::SystemClock;
use tidegate_sim::contract;

use crate::faults::Fault;
use crate::servers::{self, BUCKET, Server, TABLE};

fn soon() -> Deadline {
    Deadline(SystemClock.now().after(Duration::from_secs(120)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_keeps_the_contract_though_every_second_answer_is_lost() {
    let server = servers::dynamodb().await;
    let clients = server.over(|number, _, _| match number % 2 {
        0 => Fault::AnswerLost,
        _ => Fault::None,
    });
    let state = DynamoState::new(&clients, TABLE);
    let kept = contract::state_store_losing_answers(&state, &SystemClock).await;
    kept.expect("the contract of a StateStore");
}

const THROTTLED: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Rate exceeded"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w13_the_state_keeps_the_contract_though_every_third_request_is_throttled() {
    let server = servers::dynamodb().await;
    let clients = server.over(|number, _, _| match number % 3 {
        0 => Fault::Answered(400, THROTTLED),
        _ => Fault::None,
    });
    let state = DynamoState::new(&clients, TABLE);
    contract::state_store(&state, &SystemClock).await.expect("the contract of a StateStore");
}

const SLOW_DOWN: &str =
    "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
const FAILED_INSIDE: &str =
    "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>";

/// Puts a small and a large object over a network with faults, and reads them back without.
async fn stand_whole(server: &Server, objects: &S3Objects) {
    let plain = S3Objects::new(&server.clients, BUCKET, "p");
    let small = Bytes::from_static(b"small");
    objects.create("small", small.clone(), &[], soon()).await.expect("created");
    let large = Bytes::from(vec![7; usize::try_from(3 * UPLOAD_PART_MIN).expect("15 MiB")]);
    let mut upload = objects.upload("large", &[], soon()).await.expect("begun");
    upload.write(large.clone(), soon()).await.expect("written");
    Box::pin(upload.finish(soon())).await.expect("finished");
    for (path, bytes) in [("small", small), ("large", large)] {
        let read = plain.read(path, ReadRange::All, soon()).await.expect("an answer");
        assert_eq!(read.expect("it stands").bytes, bytes, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w10_an_object_stands_whole_though_s3_wants_fewer_requests() {
    let server = servers::s3().await;
    let clients = server.over(|number, _, _| match number % 2 {
        0 => Fault::Answered(503, SLOW_DOWN),
        _ => Fault::None,
    });
    Box::pin(stand_whole(&server, &S3Objects::new(&clients, BUCKET, "p"))).await;
}

/// Whose it is, its content tells: here it is ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w08_an_object_whose_answer_was_lost_stands_whole() {
    let server = servers::s3().await;
    let clients = server.over(|number, _, _| match number % 2 {
        0 => Fault::AnswerLost,
        _ => Fault::None,
    });
    let objects = S3Objects::new(&clients, BUCKET, "p");
    Box::pin(stand_whole(&server, &objects)).await;
    let again = objects.create("small", Bytes::from_static(b"small"), &[], soon()).await;
    assert_eq!(again.expect("an answer"), Created::Stands);
}

/// The first Complete answers 200 with an error inside: it is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_a_200_with_an_error_inside_is_an_error() {
    let server = servers::s3().await;
    let completes = std::sync::atomic::AtomicU64::new(0);
    let clients = server.over(move |_, method, path| {
        let complete = method == "POST" && path.contains("uploadId=");
        let first = || completes.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        match complete && first() {
            true => Fault::Answered(200, FAILED_INSIDE),
            false => Fault::None,
        }
    });
    Box::pin(stand_whole(&server, &S3Objects::new(&clients, BUCKET, "p"))).await;
}
