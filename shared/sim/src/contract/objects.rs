//! What every [`ObjectStore`] must do.

mod create;
mod list;
mod read;
mod replace;
mod upload;

use bytes::Bytes;
use tidegate_core::ports::{Clock, Created, ObjectStore, ReadRange};

use super::{Check, Checked, Said, Violation, checks, equal, holds, run, soon};

/// What every [`ObjectStore`] must do.
pub async fn object_store<S: ObjectStore, C: Clock>(store: &S, clock: &C) -> Result<(), Violation> {
    let checks: Vec<Check<'_>> = checks!(
        store,
        clock,
        [
            create::one_that_stands_never_changes,
            create::of_many_creators_one_wins,
            create::a_path_that_is_none_is_refused,
            read::ranges_are_cut_at_the_end,
            read::one_that_is_not_there_is_said_so,
            upload::it_is_invisible_until_it_is_finished,
            upload::a_second_finish_changes_nothing,
            upload::of_many_finishers_and_creators_one_wins,
            upload::many_at_once_do_not_mix,
            upload::parts_are_copied_and_written_in_turn,
            upload::a_copy_of_what_is_gone_is_said_so,
            upload::a_copy_past_the_end_fails,
            upload::what_is_abandoned_leaves_nothing,
            list::paths_come_in_the_order_of_their_bytes,
            list::a_long_list_comes_in_pages,
            list::what_is_deleted_is_gone,
            replace::what_stands_makes_way_whole,
            replace::a_name_that_is_taken_so_is_taken,
        ]
    );
    run(checks).await
}

/// A folder that nobody else has.
fn new_folder(clock: &impl Clock) -> String {
    format!("suite/{}", clock.random_id())
}

/// Bytes that differ from place to place and from `seed` to `seed`.
fn pattern(seed: u64, len: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(len + 8);
    let mut state = seed;
    while bytes.len() < len {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}

async fn must_create<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
    path: &str,
    bytes: &Bytes,
) -> Checked {
    let created = store.create(path, bytes.clone(), &[], soon(clock)).await?;
    equal(&format!("creating {path}, which is not there,"), &created, &Created::Ours)
}

/// What stands at `path` is exactly this.
async fn stands<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
    path: &str,
    bytes: &Bytes,
) -> Checked {
    let read = store.read(path, ReadRange::All, soon(clock)).await?;
    let read = read.ok_or_else(|| Said(format!("{path} should stand, and does not")))?;
    equal("the size of the whole", &read.object_bytes, &size(bytes))?;
    holds(read.bytes == *bytes, || {
        format!("{path} should have {} bytes; it has {}, or others", bytes.len(), read.bytes.len())
    })
}

/// Nothing stands at `path`, and nothing is listed there.
async fn absent<S: ObjectStore, C: Clock>(store: &S, clock: &C, path: &str) -> Checked {
    let read = store.read(path, ReadRange::All, soon(clock)).await?;
    holds(read.is_none(), || format!("{path} should not stand, and does"))?;
    let page = store.list(path, None, soon(clock)).await?;
    holds(page.objects.is_empty(), || format!("nothing should be listed: {:?}", page.objects))
}

fn size(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).expect("it is in memory")
}
