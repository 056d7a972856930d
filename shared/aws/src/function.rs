//! What the three functions have in common: an invocation's time, its answer, its metrics.

use std::future::Future;
use std::io::Write;
use std::time::Duration;

use serde_json::Value;
use tidegate_core::Result;
use tidegate_core::ports::Clock;
use tidegate_core::time::{Deadline, Millis};
use tracing::{Instrument, Span};

use crate::call::chain;

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
    pub fn new(kills_at: u64, clock: &impl Clock) -> Self {
        let kills_at = Millis(i64::try_from(kills_at).unwrap_or(i64::MAX));
        let remaining = kills_at.since(clock.now()).saturating_sub(ANSWERING);
        Self { deadline: Deadline(clock.now().after(remaining)), remaining }
    }
}

/// An invocation's error, as Lambda counts, answers and keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The error's kind: stable, so that alarms can tell one from another.
    pub kind: String,
    /// What happened, where, and what to do.
    pub message: String,
}

/// The answer of an invocation, whose work is done in `span`. There an error is logged, with all
/// that lies beneath it, so that its line has the span's fields.
///
/// # Errors
/// The same, for the runtime.
pub async fn answer(
    span: Span,
    work: impl Future<Output = Result<Value>>,
) -> Result<Value, Failed> {
    async {
        work.await.map_err(|error| {
            let causes = std::error::Error::source(&error).map(chain);
            tracing::error!(kind = %error.kind(), causes, "{error}");
            Failed { kind: error.kind().to_string(), message: error.to_string() }
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
    use tidegate_local::SystemClock;

    use super::*;

    #[tokio::test]
    async fn an_error_says_its_kind_and_what_happened() {
        let work = async { Err(tidegate_core::Error::denied("put output: 403")) };
        let failed = answer(Span::none(), work).await.expect_err("it");
        assert_eq!((failed.kind.as_str(), failed.message.as_str()), ("denied", "put output: 403"));
    }

    #[test]
    fn work_ends_before_the_runtime_ends_it() {
        let now = SystemClock.now();
        let kills_at = u64::try_from(now.0).expect("after 1970") + 10_000;
        let invocation = Invocation::new(kills_at, &SystemClock);
        assert!(invocation.remaining <= Duration::from_millis(9_500));
        assert!(invocation.deadline.0 <= Millis(now.0 + 9_500));
        assert_eq!(Invocation::new(0, &SystemClock).remaining, Duration::ZERO);
    }
}
