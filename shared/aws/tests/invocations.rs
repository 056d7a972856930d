//! One process serves all its invocations, whatever became of the one before. What serves them
//! here answers as Lambda's Runtime API does:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tidegate_aws::function::{self, Fatal};
use tidegate_core::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tracing::Span;

/// What an invocation came to: `response` or `error`, and what was said.
type Said = (String, Value);

/// A function as ours are served, that does what its event says.
#[tokio::test]
#[ignore = "the process that the other test starts"]
async fn process() -> Result<(), Fatal> {
    function::serve(Span::none, async |event, _| match event.as_str() {
        Some("panic") => panic!("as it was told"),
        Some("error") => Err(Error::denied("read topic orders: no right to")),
        _ => Ok(json!({ "done": event, "by": std::process::id() })),
    })
    .await
}

#[tokio::test]
async fn an_error_or_a_panic_leaves_the_next_invocation_healthy() {
    let events = ["one", "panic", "two", "error", "three"];
    let mut api = RuntimeApi::start(events.map(Value::from).into()).await;
    let process = Process::start(&api.address);
    let by = process.0.id();
    let done = |what| ("response".to_owned(), json!({ "done": what, "by": by }));
    assert_eq!(api.next().await, done("one"));
    let (how, told) = api.next().await;
    assert_eq!(how, "error");
    assert!(told["errorMessage"].to_string().contains("as it was told"), "{told}");
    assert_eq!(api.next().await, done("two"));
    let (how, told) = api.next().await;
    let message = "read topic orders: no right to";
    assert_eq!(how, "error");
    assert_eq!((&told["errorType"], &told["errorMessage"]), (&json!("denied"), &json!(message)));
    assert_eq!(api.next().await, done("three"));
}

/// This test binary again, as the function. It runs until it is dropped.
struct Process(Child);

impl Process {
    fn start(address: &str) -> Self {
        let started = Command::new(std::env::current_exe().expect("this binary"))
            .args(["process", "--exact", "--ignored"])
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "told")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(started.expect("a process"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lambda's Runtime API, as long as it is held.
struct RuntimeApi {
    address: String,
    said: UnboundedReceiver<Said>,
    _serving: JoinSet<()>,
}

impl RuntimeApi {
    /// Serves these events.
    async fn start(events: VecDeque<Value>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (says, said) = unbounded_channel();
        let events = Arc::new(Mutex::new(events));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (events, says) = (Arc::clone(&events), says.clone());
                let answer = move |asked| answer(asked, Arc::clone(&events), says.clone());
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer));
                connections.spawn(served);
            }
        });
        Self { address, said, _serving: serving }
    }

    /// What became of the next event.
    async fn next(&mut self) -> Said {
        let told = tokio::time::timeout(Duration::from_secs(60), self.said.recv()).await;
        told.expect("an answer in a minute").expect("what became of it")
    }
}

/// The next event for a GET; after the last one it waits. What is posted is told.
async fn answer(
    asked: Request<Incoming>,
    events: Arc<Mutex<VecDeque<Value>>>,
    says: UnboundedSender<Said>,
) -> Result<Response<Full<Bytes>>, Fatal> {
    if asked.method() == Method::POST {
        let how = asked.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let body = asked.into_body().collect().await?.to_bytes();
        says.send((how, serde_json::from_slice(&body)?))?;
        return Ok(Response::builder().status(202).body(Full::default())?);
    }
    let next = events.lock().expect("nobody panicked").pop_front();
    let Some(event) = next else { return std::future::pending().await };
    Ok(Response::builder()
        .header("Lambda-Runtime-Aws-Request-Id", event.to_string())
        .header("Lambda-Runtime-Deadline-Ms", i64::MAX)
        .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-north-1:1:function:told")
        .body(Full::from(event.to_string()))?)
}
