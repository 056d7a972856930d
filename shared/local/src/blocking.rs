use tidegate_core::ports::Clock;
use tidegate_core::time::Deadline;
use tidegate_core::{Error, Result};

use crate::clock::SystemClock;

/// Does `work` on a thread that may wait for the disk, and no longer than the deadline.
///
/// Work that is not done by then goes on behind the caller's back, as a request to a remote
/// store would: whether it took effect is seen by looking.
pub(crate) async fn within<T: Send + 'static>(
    deadline: Deadline,
    doing: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let left = deadline.remaining(SystemClock.now());
    if left.is_zero() {
        return Err(Error::out_of_time(format!(
            "{doing}: the deadline had passed before it began"
        )));
    }
    match tokio::time::timeout(left, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(result)) => result,
        Ok(Err(ended)) => match ended.try_into_panic() {
            // A bug, which is the caller's to report: not an answer of the disk.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::unavailable(format!("{doing}: this process is ending"))),
        },
        Err(_) => Err(Error::out_of_time(format!(
            "{doing}: the disk did not answer by the deadline; the next tick looks at what stands"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidegate_core::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_is_left_at_the_deadline() {
        let (release, hang) = std::sync::mpsc::channel::<()>();
        let deadline = Deadline(SystemClock.now().after(Duration::from_millis(20)));
        let answer = within(deadline, "write x", move || Ok(hang.recv().is_ok())).await;
        let error = answer.expect_err("it hangs");
        assert_eq!(error.kind(), ErrorKind::OutOfTime);
        assert!(error.message().starts_with("write x: "), "{error}");
        drop(release);
    }

    #[tokio::test]
    async fn nothing_begins_after_the_deadline() {
        let answer = within(Deadline(SystemClock.now()), "write x", || -> Result<()> {
            unreachable!("the deadline has passed")
        });
        assert_eq!(answer.await.expect_err("too late").kind(), ErrorKind::OutOfTime);
    }
}
