use std::time::Duration;

use bytes::Bytes;
use tidegate_core::ports::{Clock, Document, StateStore, Written};
use tidegate_core::time::Millis;
use tidegate_core::words::{PipelineName, RunNumber};

use super::{new_pipeline, text};
use crate::contract::{Checked, RIVALS, equal, holds, soon, together};

pub(super) async fn a_document_that_was_never_written_is_absent<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let (pipeline, document) = (new_pipeline(clock), new_document(clock));
    let loaded = store.load(&pipeline, document, soon(clock)).await?;
    equal("what was never written", &loaded, &None)?;
    // Nor is anything made by giving it an expiry.
    store.expire(&pipeline, document, clock.now().after(HOUR), soon(clock)).await?;
    let loaded = store.load(&pipeline, document, soon(clock)).await?;
    equal("what was never written", &loaded, &None)
}

pub(super) async fn of_many_writers_one_wins_and_the_others_get_what_stands<
    S: StateStore,
    C: Clock,
>(
    store: &S,
    clock: &C,
) -> Checked {
    let (pipeline, document) = (new_pipeline(clock), new_document(clock));
    let writes = (0..RIVALS).map(|rival| {
        let expires = clock.now().after(HOUR);
        store.write(&pipeline, document, text(format!("{rival}")), Some(expires), soon(clock))
    });
    let (mut won, mut adopted) = (Vec::new(), Vec::new());
    for (rival, written) in together(writes).await.into_iter().enumerate() {
        match written? {
            Written::Ours => won.push(text(format!("{rival}"))),
            Written::Stands(bytes) => adopted.push(bytes),
        }
    }
    holds(won.len() == 1, || format!("these won: {won:?}"))?;
    holds(adopted.iter().all(|bytes| won.contains(bytes)), || {
        format!("{won:?} won, but others were told that one of these stands: {adopted:?}")
    })?;
    let loaded = store.load(&pipeline, document, soon(clock)).await?;
    equal("the document", &loaded, &won.pop())
}

pub(super) async fn each_name_has_its_own_bytes<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let pipelines = [new_pipeline(clock), new_pipeline(clock)];
    let plans = [clock.random_id(), clock.random_id()];
    let mut names = Vec::new();
    for pipeline in &pipelines {
        for plan in plans {
            for run in [RunNumber(1), RunNumber(11)] {
                names.extend([
                    (pipeline, Document::Plan(run, plan)),
                    (pipeline, Document::Task(run, plan, 0)),
                    (pipeline, Document::Task(run, plan, 10)),
                    (pipeline, Document::Output(run, plan, 0)),
                    (pipeline, Document::Output(run, plan, 10)),
                    (pipeline, Document::Checkpoint(run, plan)),
                ]);
            }
        }
    }
    let content = |pipeline: &PipelineName, document| text(format!("{pipeline} {document}"));
    for (pipeline, document) in names.iter().copied() {
        must_write(store, clock, pipeline, document, content(pipeline, document), None).await?;
    }
    for (pipeline, document) in names {
        let loaded = store.load(pipeline, document, soon(clock)).await?;
        equal("the document", &loaded, &Some(content(pipeline, document)))?;
    }
    Ok(())
}

pub(super) async fn a_document_may_be_empty_or_large<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let pipeline = new_pipeline(clock);
    for size in [0, 1, 400 * 1024, 8 * 1024 * 1024] {
        let document = new_document(clock);
        // With line ends, and bytes that are no text.
        let bytes: Bytes = (0_u8..=250).cycle().take(size).collect::<Vec<u8>>().into();
        must_write(store, clock, &pipeline, document, bytes.clone(), None).await?;
        let loaded = store.load(&pipeline, document, soon(clock)).await?;
        holds(loaded.as_ref() == Some(&bytes), || {
            format!("of {size} bytes, {:?} came back, or others", loaded.map(|bytes| bytes.len()))
        })?;
        let again = store.write(&pipeline, document, text("another"), None, soon(clock)).await?;
        holds(again == Written::Stands(bytes), || {
            format!("a second write over {size} bytes did not answer what stands")
        })?;
    }
    Ok(())
}

pub(super) async fn one_that_was_expired_is_absent<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let pipeline = new_pipeline(clock);
    for (at, lives) in [(long_ago(clock), false), (clock.now().after(HOUR), true)] {
        let document = new_document(clock);
        let bytes = text("a checkpoint");
        must_write(store, clock, &pipeline, document, bytes.clone(), None).await?;
        store.expire(&pipeline, document, at, soon(clock)).await?;
        let loaded = store.load(&pipeline, document, soon(clock)).await?;
        equal("a document that got its expiry later", &loaded, &lives.then_some(bytes))?;
    }
    Ok(())
}

/// And makes room for another.
pub(super) async fn one_with_an_expiry_is_absent_after_it<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let (pipeline, document) = (new_pipeline(clock), new_document(clock));
    let past = Some(long_ago(clock));
    must_write(store, clock, &pipeline, document, text("old"), past).await?;
    let loaded = store.load(&pipeline, document, soon(clock)).await?;
    equal("a document that has expired", &loaded, &None)?;
    let future = Some(clock.now().after(HOUR));
    must_write(store, clock, &pipeline, document, text("new"), future).await?;
    let loaded = store.load(&pipeline, document, soon(clock)).await?;
    equal("a document that has not expired", &loaded, &Some(text("new")))
}

const HOUR: Duration = Duration::from_secs(3600);

fn long_ago(clock: &impl Clock) -> Millis {
    Millis(clock.now().0 - 3_600_000)
}

fn new_document(clock: &impl Clock) -> Document {
    Document::Output(RunNumber(7), clock.random_id(), 3)
}

/// A write that nothing stands in the way of.
async fn must_write<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
    pipeline: &PipelineName,
    document: Document,
    bytes: Bytes,
    expires: Option<Millis>,
) -> Checked {
    let written = store.write(pipeline, document, bytes, expires, soon(clock)).await?;
    holds(written == Written::Ours, || format!("{document} is absent, but a write says it stands"))
}
