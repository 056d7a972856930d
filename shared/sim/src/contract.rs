//! The contract suite: what every implementation of a port must do, simulated, local or real.
//!
//! Each check is a function named as the promise that it checks. They need no executor of a
//! certain kind and no clean store: whatever they make stands under random names. What is broken
//! is answered, not asserted, so that a test can demand that a wrong store is noticed.

mod clock;
mod objects;
mod state;
mod together;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tidegate_core::Error;
use tidegate_core::ports::Clock;
use tidegate_core::time::Deadline;

pub use clock::clock;
pub use objects::object_store;
pub use state::{state_store, state_store_losing_answers};
pub use together::together;

/// How many are at it at once where only one can win.
pub const RIVALS: usize = 50;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The check, which is named as the promise.
    pub check: &'static str,
    /// What happened instead.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.message)
    }
}

impl std::error::Error for Violation {}

/// What a check has to say: nothing, or what happened.
type Checked<T = ()> = Result<T, Said>;

/// What happened instead of what was promised.
#[derive(Debug)]
struct Said(String);

impl From<Error> for Said {
    fn from(error: Error) -> Self {
        Self(format!("a call failed: {error:?}"))
    }
}

/// A check under its name, not begun yet.
type Check<'a> = (&'static str, Pin<Box<dyn Future<Output = Checked> + Send + 'a>>);

/// Names functions as checks of a port.
macro_rules! checks {
    ($port:expr, $clock:expr, [$($check:path),+ $(,)?]) => {
        vec![$((stringify!($check), Box::pin($check($port, $clock)))),+]
    };
}
use checks;

/// Runs checks one after the other, up to the first that has something to say.
async fn run(checks: Vec<Check<'_>>) -> Result<(), Violation> {
    for (check, checked) in checks {
        checked.await.map_err(|Said(message)| Violation { check, message })?;
    }
    Ok(())
}

/// Says what happened, unless it was right.
fn holds(right: bool, otherwise: impl FnOnce() -> String) -> Checked {
    if right { Ok(()) } else { Err(Said(otherwise())) }
}

/// Says what is not equal to what it should be.
fn equal<T: PartialEq + fmt::Debug>(what: &str, is: &T, should_be: &T) -> Checked {
    holds(is == should_be, || format!("{what} is {is:?} instead of {should_be:?}"))
}

/// Long enough for every call.
fn soon(clock: &impl Clock) -> Deadline {
    Deadline(clock.now().after(Duration::from_secs(300)))
}

#[cfg(test)]
mod tests;
