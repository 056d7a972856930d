//! A single-threaded executor without timers or wakers: the caller chooses who goes on, one
//! await point at a time.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A future that belongs to one actor.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What became of an actor in one step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It stands at its next await point.
    Waits,
    /// It ended.
    Ended,
    /// It panicked, with this message.
    Panicked(String),
}

/// Lets `task` go on to its next await point. A panic is caught: in the simulation it is a
/// finding.
pub(crate) fn step(task: &mut Task) -> Step {
    let mut context = Context::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(&mut context))) {
        Ok(Poll::Pending) => Step::Waits,
        Ok(Poll::Ready(())) => Step::Ended,
        Err(panic) => Step::Panicked(panic_message(panic.as_ref())),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Runs one future to its end, without anybody beside it: for tests of the ports.
///
/// # Panics
/// If the future waits for something that no other step will bring.
pub fn run_alone<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_ALONE_MAX {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
    }
    unreachable!("{POLLS_ALONE_MAX} steps were not enough: the future waits for ever");
}

const POLLS_ALONE_MAX: usize = 10_000_000;

/// Gives way once: the await point at which the caller may let another actor go on.
pub(crate) async fn give_way() {
    let mut gave_way = false;
    std::future::poll_fn(|context| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        // So that the ports also work under an executor that relies on wakers.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_stops_at_each_await_point() {
        let mut task: Task = Box::pin(async {
            give_way().await;
            give_way().await;
        });
        assert_eq!(step(&mut task), Step::Waits);
        assert_eq!(step(&mut task), Step::Waits);
        assert_eq!(step(&mut task), Step::Ended);
    }

    #[test]
    fn a_panic_is_a_finding() {
        let mut task: Task = Box::pin(async { panic!("broken {}", 7) });
        assert_eq!(step(&mut task), Step::Panicked("broken 7".to_owned()));
    }

    #[test]
    fn a_future_alone_runs_to_its_end() {
        let sum = run_alone(async {
            give_way().await;
            40 + 2
        });
        assert_eq!(sum, 42);
    }
}
