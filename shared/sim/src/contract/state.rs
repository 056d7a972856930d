//! What every [`StateStore`] must do.

mod documents;
mod head;
mod progress;

use bytes::Bytes;
use tidegate_core::ports::{Clock, StateStore};
use tidegate_core::words::PipelineName;

use super::{Check, Violation, checks, run};

/// What every [`StateStore`] must do.
pub async fn state_store<S: StateStore, C: Clock>(store: &S, clock: &C) -> Result<(), Violation> {
    run(checks_of(store, clock)).await?;
    run(checks!(store, clock, [head::no_swap_loses_another])).await
}

/// What a [`StateStore`] must do that reaches its store over a network on which answers are
/// lost: all the same, but that a conflict may be its own doing.
pub async fn state_store_losing_answers<S: StateStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Result<(), Violation> {
    run(checks_of(store, clock)).await?;
    run(checks!(store, clock, [head::no_swap_that_was_told_is_lost])).await
}

fn checks_of<'a, S: StateStore, C: Clock>(store: &'a S, clock: &'a C) -> Vec<Check<'a>> {
    checks!(
        store,
        clock,
        [
            head::there_is_none_before_the_first_swap,
            head::it_is_what_was_swapped_last,
            head::a_swap_from_a_version_long_gone_is_refused,
            head::of_many_first_ones_one_stands,
            head::each_pipeline_has_its_own,
            documents::a_document_that_was_never_written_is_absent,
            documents::of_many_writers_one_wins_and_the_others_get_what_stands,
            documents::each_name_has_its_own_bytes,
            documents::a_document_may_be_empty_or_large,
            documents::one_that_was_expired_is_absent,
            documents::one_with_an_expiry_is_absent_after_it,
            progress::a_hint_is_left_once_or_more_than_once,
            progress::hints_that_come_together_are_all_kept,
            progress::a_holder_lives_until_it_lets_go,
        ]
    )
}

/// A pipeline that nobody else has.
fn new_pipeline(clock: &impl Clock) -> PipelineName {
    let name = format!("suite-{}", clock.random_id());
    PipelineName::try_from(name).expect("38 characters of a-z, 0-9 and -")
}

fn text(text: impl Into<String>) -> Bytes {
    Bytes::from(text.into())
}
