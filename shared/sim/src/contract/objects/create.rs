use bytes::Bytes;
use tidegate_core::ErrorKind;
use tidegate_core::ports::{Clock, Created, ObjectStore, ReadRange};

use super::{absent, must_create, new_folder, stands};
use crate::contract::{Checked, RIVALS, equal, holds, soon, together};

pub(super) async fn one_that_stands_never_changes<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let folder = new_folder(clock);
    for (name, bytes) in [("x", &b"first"[..]), ("deep/er/x", b"1"), ("empty", b"")] {
        let (path, bytes) = (format!("{folder}/{name}"), Bytes::from_static(bytes));
        absent(store, clock, &path).await?;
        must_create(store, clock, &path, &bytes).await?;
        let metadata = [("tidegate-run".to_owned(), "7".to_owned())];
        let second = Bytes::from_static(b"second");
        let created = store.create(&path, second, &metadata, soon(clock)).await?;
        equal("creating what stands", &created, &Created::Stands)?;
        stands(store, clock, &path, &bytes).await?;
    }
    Ok(())
}

pub(super) async fn of_many_creators_one_wins<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let path = format!("{}/x", new_folder(clock));
    let content = |rival: usize| Bytes::from(format!("{rival}").repeat(1000));
    let creating = (0..RIVALS).map(|rival| store.create(&path, content(rival), &[], soon(clock)));
    let mut won = Vec::new();
    for (rival, created) in together(creating).await.into_iter().enumerate() {
        if created? == Created::Ours {
            won.push(rival);
        }
    }
    holds(won.len() == 1, || format!("these won: {won:?}"))?;
    stands(store, clock, &path, &content(won.first().copied().unwrap_or(0))).await
}

pub(super) async fn a_path_that_is_none_is_refused<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let good = format!("{}/x", new_folder(clock));
    must_create(store, clock, &good, &Bytes::from_static(b"x")).await?;
    let bad = ["", "/x", "x/", "x//y", ".", "./x", "x/./y", "..", "../x", "x/../y", "x/.."];
    for path in bad {
        let created = store.create(path, Bytes::new(), &[], soon(clock)).await.map(drop);
        let replaced = store.replace(path, Bytes::new(), &[], soon(clock)).await;
        let begun = store.upload(path, &[], soon(clock)).await.map(drop);
        let read = store.read(path, ReadRange::All, soon(clock)).await.map(drop);
        let deleted = store.delete(&[path.to_owned()], soon(clock)).await;
        let calls = [
            ("create", created),
            ("replace", replaced),
            ("upload", begun),
            ("read", read),
            ("delete", deleted),
        ];
        for (call, answer) in calls {
            let refused = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Config);
            holds(refused, || format!("{call} of {path:?}: {answer:?} instead of Config"))?;
        }
    }
    stands(store, clock, &good, &Bytes::from_static(b"x")).await
}
