use bytes::Bytes;
use tidegate_core::ports::{Clock, Copied, Created, ObjectStore, UPLOAD_PART_MIN, Upload};

use super::{absent, must_create, new_folder, pattern, size, stands};
use crate::contract::{Checked, RIVALS, equal, holds, soon, together};

/// The smallest part, as a length in memory.
fn part() -> usize {
    usize::try_from(UPLOAD_PART_MIN).expect("a few megabytes")
}

pub(super) async fn it_is_invisible_until_it_is_finished<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let path = format!("{}/t/x", new_folder(clock));
    let bytes = pattern(2, 2 * part() + 12_345);
    let mut upload = store.upload(&path, &[], soon(clock)).await?;
    let mut written = 0;
    for piece in pieces(&bytes) {
        written += piece.len();
        upload.write(piece, soon(clock)).await?;
        let held = upload.held_bytes();
        holds(held <= written, || format!("{held} bytes are held of {written} written"))?;
    }
    absent(store, clock, &path).await?;
    equal("the finish", &upload.finish(soon(clock)).await?, &Created::Ours)?;
    stands(store, clock, &path, &bytes).await
}

pub(super) async fn a_second_finish_changes_nothing<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let path = format!("{}/x", new_folder(clock));
    let mut late = store.upload(&path, &[], soon(clock)).await?;
    late.write(Bytes::from_static(b"late"), soon(clock)).await?;
    let first = Bytes::from_static(b"first");
    must_create(store, clock, &path, &first).await?;
    // One that began when it stood already, and one that began before.
    let mut later = store.upload(&path, &[], soon(clock)).await?;
    later.write(Bytes::from_static(b"later"), soon(clock)).await?;
    equal("the late finish", &late.finish(soon(clock)).await?, &Created::Stands)?;
    equal("the later finish", &later.finish(soon(clock)).await?, &Created::Stands)?;
    stands(store, clock, &path, &first).await
}

pub(super) async fn of_many_finishers_and_creators_one_wins<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let path = format!("{}/x", new_folder(clock));
    let content = |rival: usize| Bytes::from(format!("{rival}").repeat(1000));
    let racing = (0..RIVALS).map(|rival| {
        let path = &path;
        async move {
            if rival % 2 == 0 {
                return store.create(path, content(rival), &[], soon(clock)).await;
            }
            let mut upload = store.upload(path, &[], soon(clock)).await?;
            upload.write(content(rival), soon(clock)).await?;
            upload.finish(soon(clock)).await
        }
    });
    let mut won = Vec::new();
    for (rival, created) in together(racing).await.into_iter().enumerate() {
        if created? == Created::Ours {
            won.push(rival);
        }
    }
    holds(won.len() == 1, || format!("these won: {won:?}"))?;
    stands(store, clock, &path, &content(won.first().copied().unwrap_or(0))).await
}

pub(super) async fn many_at_once_do_not_mix<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let folder = new_folder(clock);
    let uploading = (0..RIVALS).map(|number| {
        let path = format!("{folder}/{number}");
        async move {
            let seed = u64::try_from(number).expect("a few dozen");
            let bytes = pattern(seed, 200_000 + number);
            let mut upload = store.upload(&path, &[], soon(clock)).await?;
            for piece in pieces(&bytes) {
                upload.write(piece, soon(clock)).await?;
            }
            equal("the finish", &upload.finish(soon(clock)).await?, &Created::Ours)?;
            stands(store, clock, &path, &bytes).await
        }
    });
    together(uploading).await.into_iter().collect()
}

pub(super) async fn parts_are_copied_and_written_in_turn<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let folder = new_folder(clock);
    let (one, other, path) = (format!("{folder}/1"), format!("{folder}/2"), format!("{folder}/x"));
    let (first, second) = (pattern(3, 2 * part() + 777), pattern(4, part()));
    must_create(store, clock, &one, &first).await?;
    must_create(store, clock, &other, &second).await?;
    let head = pattern(5, part() + 1);
    let tail = Bytes::from_static(b"a footer");

    let mut upload = store.upload(&path, &[], soon(clock)).await?;
    let mut should_be = Vec::new();
    for (source, bytes, range) in [
        (&one, &first, 100..part() + 200),
        // Without a write between them.
        (&other, &second, 0..part()),
    ] {
        let copied = wide(range.clone());
        equal("the copy", &upload.copy(source, copied, soon(clock)).await?, &Copied::Done)?;
        should_be.extend_from_slice(&bytes[range]);
    }
    for piece in pieces(&head) {
        upload.write(piece, soon(clock)).await?;
    }
    should_be.extend_from_slice(&head);
    let rest = first.len() - part()..first.len();
    let copied = upload.copy(&one, wide(rest.clone()), soon(clock)).await?;
    equal("the copy up to the end", &copied, &Copied::Done)?;
    should_be.extend_from_slice(&first[rest]);
    upload.write(tail.clone(), soon(clock)).await?;
    should_be.extend_from_slice(&tail);

    absent(store, clock, &path).await?;
    equal("the finish", &upload.finish(soon(clock)).await?, &Created::Ours)?;
    stands(store, clock, &path, &should_be.into()).await?;
    stands(store, clock, &one, &first).await
}

pub(super) async fn a_copy_of_what_is_gone_is_said_so<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let folder = new_folder(clock);
    let (source, path) = (format!("{folder}/1"), format!("{folder}/x"));
    let mut upload = store.upload(&path, &[], soon(clock)).await?;
    let copied = upload.copy(&source, 0..UPLOAD_PART_MIN, soon(clock)).await?;
    equal("the copy of what is not there", &copied, &Copied::Gone)?;
    upload.abandon(soon(clock)).await?;
    absent(store, clock, &path).await
}

pub(super) async fn a_copy_past_the_end_fails<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let folder = new_folder(clock);
    let (source, path) = (format!("{folder}/1"), format!("{folder}/x"));
    let bytes = pattern(6, part());
    must_create(store, clock, &source, &bytes).await?;
    let mut upload = store.upload(&path, &[], soon(clock)).await?;
    let copied = upload.copy(&source, 1..size(&bytes) + 1, soon(clock)).await;
    holds(copied.is_err(), || format!("{copied:?} of a range that is not all there"))?;
    absent(store, clock, &path).await
}

pub(super) async fn what_is_abandoned_leaves_nothing<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let path = format!("{}/x", new_folder(clock));
    let bytes = pattern(7, part() + 10);
    let mut abandoned = store.upload(&path, &[], soon(clock)).await?;
    abandoned.write(bytes.clone(), soon(clock)).await?;
    abandoned.abandon(soon(clock)).await?;
    absent(store, clock, &path).await?;
    let mut dropped = store.upload(&path, &[], soon(clock)).await?;
    dropped.write(bytes.clone(), soon(clock)).await?;
    drop(dropped);
    absent(store, clock, &path).await?;
    must_create(store, clock, &path, &bytes).await
}

/// A range in memory as one of an object.
fn wide(range: std::ops::Range<usize>) -> std::ops::Range<u64> {
    let wide = |at| u64::try_from(at).expect("it is in memory");
    wide(range.start)..wide(range.end)
}

/// `bytes` in pieces of many sizes.
fn pieces(bytes: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    let sizes = [1, 100_000, 7, 1_300_000, 0, 64].into_iter().cycle();
    let mut start = 0;
    sizes.map_while(move |size| {
        let end = bytes.len().min(start + size);
        let piece = (start < bytes.len()).then(|| bytes.slice(start..end));
        start = end;
        piece
    })
}
