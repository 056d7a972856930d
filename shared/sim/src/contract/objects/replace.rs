use bytes::Bytes;
use tidegate_core::ports::{Clock, Created, ObjectStore, Upload};

use super::{must_create, new_folder, pattern, stands};
use crate::contract::{Checked, RIVALS, equal, soon, together};

pub(super) async fn what_stands_makes_way_whole<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let path = format!("{}/deep/x", new_folder(clock));
    let first = pattern(1, 3_000);
    must_create(store, clock, &path, &first).await?;
    for bytes in [pattern(2, 10), pattern(3, 200_000), Bytes::new()] {
        let metadata = [("tidegate-run".to_owned(), "7".to_owned())];
        // Twice, as one does who does not know whether the first came through.
        for _ in 0..2 {
            store.replace(&path, bytes.clone(), &metadata, soon(clock)).await?;
            stands(store, clock, &path, &bytes).await?;
        }
    }
    let same = pattern(4, 5_000);
    let replacing = (0..RIVALS).map(|_| store.replace(&path, same.clone(), &[], soon(clock)));
    for replaced in together(replacing).await {
        replaced?;
    }
    stands(store, clock, &path, &same).await
}

/// Who comes later with a create or an upload, begun before or after, finds the name taken.
pub(super) async fn a_name_that_is_taken_so_is_taken<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let path = format!("{}/x", new_folder(clock));
    let mut late = store.upload(&path, &[], soon(clock)).await?;
    late.write(pattern(1, 2_000), soon(clock)).await?;
    let bytes = pattern(2, 1_000);
    store.replace(&path, bytes.clone(), &[], soon(clock)).await?;
    stands(store, clock, &path, &bytes).await?;
    let finished = late.finish(soon(clock)).await?;
    equal("finishing what was begun before", &finished, &Created::Stands)?;
    let created = store.create(&path, pattern(3, 10), &[], soon(clock)).await?;
    equal("creating what stands", &created, &Created::Stands)?;
    stands(store, clock, &path, &bytes).await
}
