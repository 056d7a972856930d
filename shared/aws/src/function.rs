//! What the three functions have in common: the loop that serves invocations, an invocation's
//! time, its answer, its metrics.

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tidegate_core::Result;
use tidegate_core::time::{Deadline, Millis};
use tracing::{Instrument, Span};

use crate::call::chain;
use crate::clock::now;

/// What ends a function's process: it could not begin to serve.
pub use lambda_runtime::Error as Fatal;

/// What is kept of an invocation's time for its answer.
const ANSWERING: Duration = Duration::from_millis(500);

/// The time of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// When all work must have ended.
    pub deadline: Deadline,
    /// How long that is from its beginning on.
    pub remaining: Duration,
}

impl Invocation {
    /// The time of an invocation that begins now. `kills_at` is the runtime's deadline, in
    /// milliseconds since 1970.
    fn new(kills_at: u64) -> Self {
        let (kills_at, now) = (Millis(i64::try_from(kills_at).unwrap_or(i64::MAX)), now());
        let remaining = kills_at.since(now).saturating_sub(ANSWERING);
        Self { deadline: Deadline(now.after(remaining)), remaining }
    }
}

/// Logs as Lambda's settings of a function say: level and format.
pub fn log() {
    lambda_runtime::tracing::init_default_subscriber();
}

/// Serves invocations, one after another, until the process ends: `work` does each in a span of
/// its own that `span` makes. An error or a panic of one is its answer, and the next one is served.
///
/// # Errors
/// Where Lambda's Runtime API cannot be reached.
pub async fn serve(
    span: impl Fn() -> Span,
    work: impl AsyncFn(Value, Invocation) -> Result<Value>,
) -> Result<(), Fatal> {
    let handle = async |event: LambdaEvent<Value>| {
        let invocation = Invocation::new(event.context.deadline);
        answer(span(), Box::pin(work(event.payload, invocation))).await
    };
    lambda_runtime::run(service_fn(handle)).await
}

/// The answer of an invocation, whose work is done in `span`. There an error is logged, with all
/// that lies beneath it, so that its line has the span's fields. Its kind is what alarms can tell
/// one from another by.
async fn answer(
    span: Span,
    work: impl Future<Output = Result<Value>>,
) -> Result<Value, Diagnostic> {
    async {
        work.await.map_err(|error| {
            let causes = std::error::Error::source(&error).map(chain);
            tracing::error!(kind = %error.kind(), causes, "{error}");
            let (error_type, error_message) = (error.kind().to_string(), error.to_string());
            Diagnostic { error_type, error_message }
        })
    }
    .instrument(span)
    .await
}

/// Writes lines of metrics to the log, each whole. A log that cannot be written to is nobody's
/// failure: what was done stands.
pub fn print(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_says_its_kind_and_what_happened() {
        let work = async { Err(tidegate_core::Error::denied("put output: 403")) };
        let failed = answer(Span::none(), work).await.expect_err("it");
        assert_eq!(failed.error_type, "denied");
        assert_eq!(failed.error_message, "put output: 403");
    }

    #[test]
    fn work_ends_before_the_runtime_ends_it() {
        let begun = now();
        let kills_at = u64::try_from(begun.0).expect("after 1970") + 10_000;
        let invocation = Invocation::new(kills_at);
        assert!(invocation.remaining <= Duration::from_millis(9_500));
        assert_eq!(invocation.deadline, Deadline(Millis(begun.0 + 9_500)));
        assert_eq!(Invocation::new(0).remaining, Duration::ZERO);
    }
}
