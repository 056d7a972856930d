//! Answers that are lost after the service did what was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use bytes::Bytes;
use tidegate_aws::{DynamoState, S3Objects};
use tidegate_core::ports::{Clock, Created, ObjectStore, ReadRange, UPLOAD_PART_MIN, Upload};
use tidegate_core::time::Deadline;
use tidegate_local::SystemClock;
use tidegate_sim::contract;

use crate::servers::{self, BUCKET, TABLE};

/// Loses every second answer, beginning with the first.
#[derive(Clone, Debug)]
pub(crate) struct Losing {
    inner: SharedHttpClient,
    answers: Arc<AtomicU64>,
}

impl Losing {
    pub(crate) fn new(inner: SharedHttpClient) -> Self {
        Self { inner, answers: Arc::default() }
    }
}

impl HttpClient for Losing {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(LosingConnector { inner, answers: Arc::clone(&self.answers) })
    }
}

#[derive(Debug)]
struct LosingConnector {
    inner: SharedHttpConnector,
    answers: Arc<AtomicU64>,
}

impl HttpConnector for LosingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.inner.call(request);
        let lost = self.answers.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if lost {
                Err(ConnectorError::timeout("the answer is lost".into()))
            } else {
                Ok(answer)
            }
        })
    }
}

fn soon() -> Deadline {
    Deadline(SystemClock.now().after(Duration::from_secs(120)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_keeps_the_contract_though_every_second_answer_is_lost() {
    let server = servers::dynamodb().await;
    let state = DynamoState::new(&server.losing(), TABLE);
    let kept = contract::state_store_losing_answers(&state, &SystemClock).await;
    kept.expect("the contract of a StateStore");
}

/// Whose it is, its content tells: here it is ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w08_an_object_whose_answer_was_lost_stands_whole() {
    let server = servers::s3().await;
    let objects = S3Objects::new(&server.losing(), BUCKET, "p");
    let small = Bytes::from_static(b"small");
    let created = objects.create("small", small.clone(), &[], soon()).await.expect("created");
    assert_eq!(created, Created::Stands);

    let large = Bytes::from(vec![7; usize::try_from(3 * UPLOAD_PART_MIN).expect("15 MiB")]);
    let mut upload = objects.upload("large", &[], soon()).await.expect("begun");
    upload.write(large.clone(), soon()).await.expect("written");
    let finished = Box::pin(upload.finish(soon())).await.expect("finished");
    assert!(matches!(finished, Created::Ours | Created::Stands));

    for (path, bytes) in [("small", small), ("large", large)] {
        let read = objects.read(path, ReadRange::All, soon()).await.expect("an answer");
        assert_eq!(read.expect("it stands").bytes, bytes, "{path}");
    }
}
