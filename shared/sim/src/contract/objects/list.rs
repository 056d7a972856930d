use bytes::Bytes;
use tidegate_core::ports::{Clock, ObjectInfo, ObjectStore};

use super::{absent, must_create, new_folder, stands};
use crate::contract::{Checked, equal, holds, soon, together};

pub(super) async fn paths_come_in_the_order_of_their_bytes<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let folder = new_folder(clock);
    // In this order: `-` and `.` come before `/`, digits and letters after it.
    let names = ["B", "a-b", "a-b.c", "a.b", "a/b/c", "a/bc", "a/d", "a0", "ab", "ab-/x", "z", "é"];
    for (size, name) in names.into_iter().enumerate().rev() {
        let bytes = Bytes::from(vec![b'x'; size]);
        must_create(store, clock, &format!("{folder}/{name}"), &bytes).await?;
    }
    let cases: [(&str, &str, &[&str]); 8] = [
        ("", "", &names),
        ("a", "", &names[1..10]),
        ("a/", "", &["a/b/c", "a/bc", "a/d"]),
        ("a/b", "", &["a/b/c", "a/bc"]),
        ("a/b/c", "", &["a/b/c"]),
        ("a", "a/b/c", &["a/bc", "a/d", "a0", "ab", "ab-/x"]),
        // Not itself among them.
        ("", "a/c", &["a/d", "a0", "ab", "ab-/x", "z", "é"]),
        ("nothing", "", &[]),
    ];
    for (prefix, after, should_be) in cases {
        let after = Some(format!("{folder}/{after}")).filter(|_| !after.is_empty());
        let prefix = format!("{folder}/{prefix}");
        let listed = list_all(store, clock, &prefix, after.as_deref()).await?;
        let paths: Vec<&str> =
            listed.iter().map(|object| &object.path[folder.len() + 1..]).collect();
        equal(&format!("the list of {prefix} after {after:?}"), &paths.as_slice(), &should_be)?;
        for object in &listed {
            let size = names.iter().position(|name| object.path.ends_with(&format!("/{name}")));
            let size = size.and_then(|size| u64::try_from(size).ok());
            equal("the size", &Some(object.bytes), &size)?;
        }
    }
    Ok(())
}

pub(super) async fn a_long_list_comes_in_pages<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    // More than S3 lists or deletes at once.
    const MANY: usize = 1_050;
    let folder = new_folder(clock);
    let paths: Vec<String> =
        (0..MANY).map(|number| format!("{folder}/{}/{number:04}", number / 100)).collect();
    for some in paths.chunks(50) {
        let creating = some.iter().map(|path| store.create(path, Bytes::new(), &[], soon(clock)));
        together(creating).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    let mut should_be = paths.clone();
    should_be.sort_unstable();
    let listed = list_all(store, clock, &format!("{folder}/"), None).await?;
    let listed: Vec<String> = listed.into_iter().map(|object| object.path).collect();
    holds(listed == should_be, || {
        format!("of {MANY} objects, {} are listed, or others, or not in order", listed.len())
    })?;
    store.delete(&paths, soon(clock)).await?;
    let left = list_all(store, clock, &format!("{folder}/"), None).await?;
    holds(left.is_empty(), || format!("{} are left of what was deleted", left.len()))
}

pub(super) async fn what_is_deleted_is_gone<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let folder = format!("_staging/{}", new_folder(clock));
    let paths: Vec<String> = ["1/x", "1/y", "2/x"].map(|name| format!("{folder}/{name}")).into();
    let (old, new) = (Bytes::from_static(b"old"), Bytes::from_static(b"new"));
    for path in &paths {
        must_create(store, clock, path, &old).await?;
    }
    let never = format!("{folder}/3/never/was");
    store.delete(&[paths[0].clone(), never, paths[2].clone()], soon(clock)).await?;
    store.delete(&[paths[0].clone()], soon(clock)).await?;
    store.delete(&[], soon(clock)).await?;
    absent(store, clock, &paths[0]).await?;
    absent(store, clock, &paths[2]).await?;
    stands(store, clock, &paths[1], &old).await?;
    // The name is free again.
    must_create(store, clock, &paths[2], &new).await?;
    stands(store, clock, &paths[2], &new).await
}

async fn list_all<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
    prefix: &str,
    after: Option<&str>,
) -> Checked<Vec<ObjectInfo>> {
    let mut all = Vec::new();
    let mut after = after.map(str::to_owned);
    loop {
        let page = store.list(prefix, after.as_deref(), soon(clock)).await?;
        holds(page.next.is_none() || page.next > after, || {
            format!("the page after {after:?} says to go on after {:?}", page.next)
        })?;
        all.extend(page.objects);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}
