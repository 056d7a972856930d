use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

/// A gate, and the broker's end of its stream.
fn gate(budget: &Budget, max: usize) -> (Gate<DuplexStream>, Arc<Admitted>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let admitted = Arc::new(Admitted::default());
    admitted.set_max(max);
    (Gate::new(ours, budget.clone(), Arc::clone(&admitted)), admitted, theirs)
}

async fn read(gate: &mut Gate<DuplexStream>) -> io::Result<Bytes> {
    let length = gate.read_u32().await?;
    let mut frame = vec![0; usize::try_from(length).expect("small")];
    gate.read_exact(&mut frame).await?;
    Ok(frame.into())
}

async fn send(broker: &mut DuplexStream, bytes: usize) {
    let length = u32::try_from(bytes).expect("small");
    broker.write_u32(length).await.expect("there is room");
    broker.write_all(&vec![7; bytes]).await.expect("there is room");
}

/// Polls once: none if it waits.
async fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn answers_pass_whole_while_there_is_memory() {
    let budget = Budget::new(100);
    let (mut gate, admitted, mut broker) = gate(&budget, 1_000);
    for bytes in [0, 1, 60, 100, 1_000] {
        send(&mut broker, bytes).await;
        let frame = now(read(&mut gate)).await.expect("there is memory").expect("whole");
        assert_eq!(frame, vec![7; bytes]);
        drop(admitted.hold(bytes, frame));
        assert_eq!(budget.free.available_permits(), 100);
    }
}

#[tokio::test]
async fn an_answer_waits_until_others_are_dropped() {
    let budget = Budget::new(100);
    let (mut one, first, mut broker_1) = gate(&budget, 1_000);
    let (mut two, second, mut broker_2) = gate(&budget, 1_000);
    send(&mut broker_1, 60).await;
    send(&mut broker_2, 500).await;
    let frame = read(&mut one).await.expect("whole");
    let held = first.hold(60, frame);
    let slice = held.slice(10..20);
    drop(held);
    let mut waiting = Box::pin(read(&mut two));
    assert!(now(waiting.as_mut()).await.is_none() && second.is_waiting());
    drop(slice);
    let frame = waiting.await.expect("whole");
    assert!(!second.is_waiting());
    let held = second.hold(500, frame);
    assert_eq!((budget.free.available_permits(), held.len()), (0, 500));
}

#[tokio::test]
async fn a_large_answer_is_kept_out_while_large_rows_are_held() {
    let budget = Budget::new(100);
    assert!(budget.keep_large_out(100).is_none());
    let rows = budget.keep_large_out(101).expect("nobody else does");
    assert!(budget.keep_large_out(101).is_none());
    let (mut gate, admitted, mut broker) = gate(&budget, 1_000);
    send(&mut broker, 60).await;
    let frame = now(read(&mut gate)).await.expect("it is small").expect("whole");
    drop(admitted.hold(60, frame));
    send(&mut broker, 101).await;
    let mut waiting = Box::pin(read(&mut gate));
    assert!(now(waiting.as_mut()).await.is_none() && admitted.is_waiting());
    drop(rows);
    assert_eq!(waiting.await.expect("whole").len(), 101);
}

#[tokio::test]
async fn what_is_too_large_never_passes() {
    let (mut gate, _, mut broker) = gate(&Budget::new(100), 1_000);
    broker.write_u32(1_001).await.expect("there is room");
    let error = read(&mut gate).await.expect_err("too large");
    let found = error.get_ref().and_then(|error| error.downcast_ref::<TooLarge>());
    assert_eq!(found.map(|found| found.bytes), Some(1_001));
}

#[tokio::test]
async fn a_broker_that_answers_nobody_is_refused() {
    let (mut gate, _, mut broker) = gate(&Budget::new(1_000), 1_000);
    for _ in 0..UNTAKEN_MAX {
        send(&mut broker, 1).await;
        read(&mut gate).await.expect("whole");
    }
    send(&mut broker, 1).await;
    assert!(read(&mut gate).await.is_err());
}
