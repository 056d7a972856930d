//! A network between the SDK and a server that works: answers are lost on it, or are others'.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The server does what was asked, and nobody hears of it.
    AnswerLost,
    /// The server never sees it; this status and body come instead.
    Answered(u16, &'static str),
}

/// Decides, from the request's number (from 0), method and path.
type Decide = Arc<dyn Fn(u64, &str, &str) -> Fault + Send + Sync>;

/// A client over such a network.
#[derive(Clone)]
pub(crate) struct Faulty {
    inner: SharedHttpClient,
    requests: Arc<AtomicU64>,
    decide: Decide,
}

impl Faulty {
    pub(crate) fn new(
        inner: SharedHttpClient,
        decide: impl Fn(u64, &str, &str) -> Fault + Send + Sync + 'static,
    ) -> Self {
        Self { inner, requests: Arc::default(), decide: Arc::new(decide) }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl HttpClient for Faulty {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(FaultyConnector { inner, of: self.clone() })
    }
}

#[derive(Debug)]
struct FaultyConnector {
    inner: SharedHttpConnector,
    of: Faulty,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let number = self.of.requests.fetch_add(1, Ordering::Relaxed);
        match (self.of.decide)(number, request.method(), request.uri()) {
            Fault::None => self.inner.call(request),
            Fault::AnswerLost => {
                let answer = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    answer.await?;
                    Err(ConnectorError::timeout("the answer is lost".into()))
                })
            }
            Fault::Answered(status, body) => {
                let status = StatusCode::try_from(status).expect("a status");
                let answer = HttpResponse::new(status, SdkBody::from(body));
                HttpConnectorFuture::ready(Ok(answer))
            }
        }
    }
}
