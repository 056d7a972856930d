//! Refusals that stay: a clear error, and nothing that looks as if it had happened.

use std::time::Duration;

use bytes::Bytes;
use tidegate_aws::{DynamoState, S3Objects};
use tidegate_core::ErrorKind;
use tidegate_core::ports::{
    Clock, Document, ObjectStore, ReadRange, StateStore, UPLOAD_PART_MIN, Upload,
};
use tidegate_core::time::Deadline;
use tidegate_core::words::{PipelineName, RandomId, RunNumber};
use tidegate_local::SystemClock;

use crate::faults::Fault;
use crate::servers::{self, BUCKET, TABLE};

const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
const DENIED_JSON: &str = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"User: u is not authorized"}"#;
const STANDS_INSIDE: &str =
    "<Error><Code>PreconditionFailed</Code><Message>one stands</Message></Error>";

fn soon() -> Deadline {
    Deadline(SystemClock.now().after(Duration::from_secs(30)))
}

#[tokio::test]
async fn a_right_that_is_missing_is_said_so_at_once() {
    let server = servers::s3().await;
    let objects = S3Objects::new(&server.over(|_, _, _| Fault::Answered(403, DENIED)), BUCKET, "p");
    let created = objects.create("a", Bytes::from_static(b"a"), &[], soon()).await;
    let read = objects.read("a", ReadRange::All, soon()).await;
    for error in [created.expect_err("denied"), read.expect_err("denied")] {
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("s3://lake/p/a"), "{error}");
    }
    let plain = S3Objects::new(&server.clients, BUCKET, "p");
    assert_eq!(plain.read("a", ReadRange::All, soon()).await.expect("an answer"), None);

    let server = servers::dynamodb().await;
    let state = DynamoState::new(&server.over(|_, _, _| Fault::Answered(400, DENIED_JSON)), TABLE);
    let pipeline = PipelineName::try_from("rides".to_owned()).expect("a name");
    let swapped = state.swap_head(&pipeline, None, Bytes::from_static(b"{}"), soon()).await;
    let document = Document::Output(RunNumber(1), RandomId(1), 0);
    let written = state.write(&pipeline, document, Bytes::new(), None, soon()).await;
    for error in [swapped.expect_err("denied"), written.expect_err("denied")] {
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("table tidegate"), "{error}");
    }
    let plain = DynamoState::new(&server.clients, TABLE);
    assert_eq!(plain.load_head(&pipeline, soon()).await.expect("an answer"), None);
}

/// Where the answer 200 holds that an object stands, it is never taken for ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w07_a_200_that_says_an_object_stands_is_not_ours() {
    let server = servers::s3().await;
    let clients = server.over(|_, method, path| {
        let complete = method == "POST" && path.contains("uploadId=");
        if complete { Fault::Answered(200, STANDS_INSIDE) } else { Fault::None }
    });
    let objects = S3Objects::new(&clients, BUCKET, "p");
    let mut upload = objects.upload("large", &[], soon()).await.expect("begun");
    let large = vec![7; usize::try_from(3 * UPLOAD_PART_MIN).expect("15 MiB")];
    upload.write(large.into(), soon()).await.expect("written");
    let finished = Box::pin(upload.finish(soon())).await;
    assert_ne!(finished.ok(), Some(tidegate_core::ports::Created::Ours));
}

#[tokio::test]
async fn a_table_or_a_bucket_that_is_not_there_is_said_so() {
    let server = servers::dynamodb().await;
    let pipeline = PipelineName::try_from("rides".to_owned()).expect("a name");
    let state = DynamoState::new(&server.clients, "elsewhere");
    let error = state.load_head(&pipeline, soon()).await.expect_err("no table");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("elsewhere"), "{error}");

    let server = servers::s3().await;
    let objects = S3Objects::new(&server.clients, "elsewhere", "p");
    let error = objects.list("", None, soon()).await.expect_err("no bucket");
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("elsewhere"), "{error}");
}
