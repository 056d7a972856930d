use bytes::Bytes;
use tidegate_core::ports::{Clock, StateStore, StoredHead, Swapped};
use tidegate_core::words::PipelineName;

use super::{new_pipeline, text};
use crate::contract::{Checked, RIVALS, Said, equal, holds, soon, together};

pub(super) async fn there_is_none_before_the_first_swap<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let pipeline = new_pipeline(clock);
    equal("the head", &store.load_head(&pipeline, soon(clock)).await?, &None)?;
    let swapped = store.swap_head(&pipeline, Some(1), text("{}"), soon(clock)).await?;
    equal("a swap of a head that is not there", &swapped, &Swapped::Conflict)?;
    equal("the head", &store.load_head(&pipeline, soon(clock)).await?, &None)
}

pub(super) async fn it_is_what_was_swapped_last<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let pipeline = new_pipeline(clock);
    let mut last = None;
    for round in 0..5 {
        let bytes = text(format!("{{\"round\":{round}}}"));
        let version = must_swap(store, clock, &pipeline, last, &bytes).await?;
        holds(last.unwrap_or(0) < version, || format!("{version} follows {last:?}"))?;
        for stale in [None, last, Some(version + 1)] {
            let stale = store.swap_head(&pipeline, stale, text("stale"), soon(clock)).await?;
            equal("a swap from a version that is not the newest", &stale, &Swapped::Conflict)?;
        }
        let head = store.load_head(&pipeline, soon(clock)).await?;
        equal("the head", &head, &Some(StoredHead { version, bytes }))?;
        last = Some(version);
    }
    Ok(())
}

/// A store that removes former versions must not give their names away again.
pub(super) async fn a_swap_from_a_version_long_gone_is_refused<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let pipeline = new_pipeline(clock);
    let mut versions = vec![None];
    for round in 0..100 {
        let last = versions.last().copied().flatten();
        let bytes = text(format!("{{\"round\":{round}}}"));
        versions.push(Some(must_swap(store, clock, &pipeline, last, &bytes).await?));
    }
    let newest = store.load_head(&pipeline, soon(clock)).await?;
    versions.pop();
    for stale in versions {
        let swapped = store.swap_head(&pipeline, stale, text("stale"), soon(clock)).await?;
        holds(swapped == Swapped::Conflict, || format!("a swap from {stale:?}: {swapped:?}"))?;
    }
    equal("the head", &store.load_head(&pipeline, soon(clock)).await?, &newest)
}

pub(super) async fn of_many_first_ones_one_stands<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let pipeline = new_pipeline(clock);
    let swaps = (0..RIVALS).map(|rival| {
        let bytes = text(format!("{{\"rival\":{rival}}}"));
        store.swap_head(&pipeline, None, bytes, soon(clock))
    });
    let mut won = Vec::new();
    for (rival, swapped) in together(swaps).await.into_iter().enumerate() {
        if let Swapped::Ours { version } = swapped? {
            won.push((rival, version));
        }
    }
    holds(won.len() == 1, || format!("these won, with these versions: {won:?}"))?;
    let should_be = won.first().map(|(rival, version)| StoredHead {
        version: *version,
        bytes: text(format!("{{\"rival\":{rival}}}")),
    });
    equal("the head", &store.load_head(&pipeline, soon(clock)).await?, &should_be)
}

/// Many count up in the head at once: the sum is right if no swap was lost.
pub(super) async fn no_swap_loses_another<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let (count, told) = count_together(store, clock).await?;
    equal("the count", &count, &told)
}

/// Where answers are lost, a swap may have been replaced before anybody heard of it.
pub(super) async fn no_swap_that_was_told_is_lost<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let (count, told) = count_together(store, clock).await?;
    holds(count >= told, || format!("the count is {count} after {told} swaps"))
}

/// What many counted up to, and how many swaps of theirs they were told of.
async fn count_together<S: StateStore, C: Clock>(store: &S, clock: &C) -> Checked<(usize, usize)> {
    const ROUNDS: usize = 3;
    let pipeline = new_pipeline(clock);
    must_swap(store, clock, &pipeline, None, &text("0 nobody")).await?;
    let counting = (0..RIVALS).map(|rival| {
        let pipeline = &pipeline;
        async move {
            for _ in 0..ROUNDS {
                count_up(store, clock, pipeline, rival).await?;
            }
            Ok::<(), Said>(())
        }
    });
    together(counting).await.into_iter().collect::<Checked>()?;
    Ok((load_count(store, clock, &pipeline).await?.1, RIVALS * ROUNDS))
}

async fn count_up<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
    pipeline: &PipelineName,
    rival: usize,
) -> Checked {
    loop {
        let (version, count) = load_count(store, clock, pipeline).await?;
        let next = text(format!("{} {rival} {}", count + 1, clock.random_id()));
        match store.swap_head(pipeline, Some(version), next, soon(clock)).await? {
            Swapped::Ours { .. } => return Ok(()),
            Swapped::Conflict => {}
        }
    }
}

async fn load_count<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
    pipeline: &PipelineName,
) -> Checked<(u64, usize)> {
    let head = store.load_head(pipeline, soon(clock)).await?;
    let head = head.ok_or_else(|| Said("a head that stood is gone".to_owned()))?;
    let text = String::from_utf8_lossy(&head.bytes).into_owned();
    let count = text.split(' ').next().and_then(|count| count.parse().ok());
    let count = count.ok_or_else(|| Said(format!("the head reads {text:?}")))?;
    Ok((head.version, count))
}

pub(super) async fn each_pipeline_has_its_own<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let (one, other) = (new_pipeline(clock), new_pipeline(clock));
    must_swap(store, clock, &one, None, &text("one")).await?;
    equal("the other's head", &store.load_head(&other, soon(clock)).await?, &None)?;
    must_swap(store, clock, &other, None, &text("other")).await?;
    let head = store.load_head(&one, soon(clock)).await?;
    equal("the head", &head.map(|head| head.bytes), &Some(text("one")))
}

/// A swap that nothing stands in the way of.
async fn must_swap<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
    pipeline: &PipelineName,
    expected: Option<u64>,
    bytes: &Bytes,
) -> Checked<u64> {
    match store.swap_head(pipeline, expected, bytes.clone(), soon(clock)).await? {
        Swapped::Ours { version } => Ok(version),
        Swapped::Conflict => Err(Said(format!("a swap from the newest, {expected:?}, is refused"))),
    }
}
