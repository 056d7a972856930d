use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Runs futures side by side in one task, of whatever executor, and answers what each answered.
pub async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Running<F>> =
        futures.into_iter().map(|future| Running::Still(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut pending = false;
        for one in &mut running {
            if let Running::Still(future) = one {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *one = Running::Ended(output),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let ended = running.into_iter().map(|one| match one {
        Running::Ended(output) => output,
        Running::Still(_) => unreachable!("it is ready only when all have ended"),
    });
    ended.collect()
}

enum Running<F: Future> {
    Still(Pin<Box<F>>),
    Ended(F::Output),
}
