use std::collections::BTreeSet;

use tidegate_core::ErrorKind;
use tidegate_core::ports::{Clock, Mark, Marks, StateStore};
use tidegate_core::words::{PipelineName, RandomId, RunNumber};

use super::new_pipeline;
use crate::contract::{Checked, RIVALS, equal, holds, soon, together};

pub(super) async fn a_hint_is_left_once_or_more_than_once<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let (pipeline, run, plan) = (new_pipeline(clock), RunNumber(3), clock.random_id());
    let none = store.marks(&pipeline, run, plan, soon(clock)).await?;
    equal("the hints of a run without any", &none, &Marks::default())?;
    let failed = |attempt, kind| Mark::Failed { task: 2, attempt, kind };
    let marks = [
        Mark::Done { task: 0 },
        Mark::Done { task: 1 },
        failed(1, ErrorKind::OutOfTime),
        Mark::Begun { task: 2, attempt: 2 },
        failed(2, ErrorKind::BadRecord),
    ];
    for mark in marks.into_iter().chain(marks) {
        store.mark(&pipeline, run, plan, mark, 3, soon(clock)).await?;
    }
    let left = store.marks(&pipeline, run, plan, soon(clock)).await?;
    equal("what was left", &left, &Marks { marks: BTreeSet::from(marks) })?;
    let other = store.marks(&pipeline, run, clock.random_id(), soon(clock)).await?;
    equal("the hints of another plan of the same run", &other, &Marks::default())
}

pub(super) async fn hints_that_come_together_are_all_kept<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let (pipeline, run, plan) = (new_pipeline(clock), RunNumber(3), clock.random_id());
    let tasks = u32::try_from(RIVALS).expect("a few dozen");
    let marking = (0..tasks)
        .map(|task| store.mark(&pipeline, run, plan, Mark::Done { task }, tasks, soon(clock)));
    together(marking).await.into_iter().collect::<Result<(), _>>()?;
    let left = store.marks(&pipeline, run, plan, soon(clock)).await?;
    let all = (0..tasks).map(|task| Mark::Done { task }).collect();
    equal("what was left", &left, &Marks { marks: all })
}

/// Where the store knows of holders at all.
pub(super) async fn a_holder_lives_until_it_lets_go<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let pipeline = new_pipeline(clock);
    let (one, other, nobody) = (clock.random_id(), clock.random_id(), clock.random_id());
    let one_holds = store.hold(&pipeline, one, soon(clock)).await?;
    let other_holds = store.hold(&pipeline, other, soon(clock)).await?;
    for (holder, lives) in [(one, true), (other, true), (nobody, false)] {
        check_lives(store, clock, &pipeline, holder, lives).await?;
    }
    drop(one_holds);
    for (holder, lives) in [(one, false), (other, true)] {
        check_lives(store, clock, &pipeline, holder, lives).await?;
    }
    drop(other_holds);
    check_lives(store, clock, &pipeline, other, false).await
}

async fn check_lives<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
    pipeline: &PipelineName,
    holder: RandomId,
    lives: bool,
) -> Checked {
    let said = store.holder_lives(pipeline, holder, soon(clock)).await?;
    holds(said.is_none_or(|said| said == lives), || {
        format!("holder {holder}: alive is {lives}, but the store says {said:?}")
    })
}
