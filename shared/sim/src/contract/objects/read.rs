use bytes::Bytes;
use tidegate_core::ports::{Clock, ObjectBytes, ObjectStore, ReadRange};

use super::{must_create, new_folder, pattern, size};
use crate::contract::{Checked, equal, holds, soon};

pub(super) async fn ranges_are_cut_at_the_end<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    const SIZE: u64 = 100_000;
    let folder = new_folder(clock);
    let (path, empty) = (format!("{folder}/x"), format!("{folder}/empty"));
    let bytes = pattern(1, 100_000);
    must_create(store, clock, &path, &bytes).await?;
    must_create(store, clock, &empty, &Bytes::new()).await?;
    let cases = [
        (ReadRange::All, 0..100_000),
        (ReadRange::Bytes(0..1), 0..1),
        (ReadRange::Bytes(7..70_000), 7..70_000),
        (ReadRange::Bytes(99_999..100_000), 99_999..100_000),
        (ReadRange::Bytes(99_999..u64::MAX), 99_999..100_000),
        (ReadRange::Bytes(5..5), 0..0),
        (ReadRange::Bytes(SIZE..SIZE + 1), 0..0),
        (ReadRange::Bytes(SIZE + 10..SIZE + 20), 0..0),
        (ReadRange::Last(0), 0..0),
        (ReadRange::Last(1), 99_999..100_000),
        (ReadRange::Last(65_536), 34_464..100_000),
        (ReadRange::Last(SIZE), 0..100_000),
        (ReadRange::Last(u64::MAX), 0..100_000),
    ];
    for (range, should_be) in cases {
        let read = store.read(&path, range.clone(), soon(clock)).await?;
        let should_be = Some(ObjectBytes { bytes: bytes.slice(should_be), object_bytes: SIZE });
        holds(read == should_be, || {
            let sizes = |read: Option<ObjectBytes>| read.map(|r| (size(&r.bytes), r.object_bytes));
            format!("{range:?}: {:?} instead of {:?}", sizes(read), sizes(should_be))
        })?;
        let read = store.read(&empty, range.clone(), soon(clock)).await?;
        let nothing = Some(ObjectBytes { bytes: Bytes::new(), object_bytes: 0 });
        equal(&format!("{range:?} of an empty object"), &read, &nothing)?;
    }
    Ok(())
}

pub(super) async fn one_that_is_not_there_is_said_so<S: ObjectStore, C: Clock>(
    store: &S,
    clock: &C,
) -> Checked {
    let folder = new_folder(clock);
    must_create(store, clock, &format!("{folder}/x/y"), &Bytes::from_static(b"y")).await?;
    for name in ["", "/x/z", "/z/y", "/xx"] {
        let path = format!("{folder}{name}");
        for range in [ReadRange::All, ReadRange::Bytes(0..5), ReadRange::Last(5)] {
            let read = store.read(&path, range, soon(clock)).await?;
            equal("what is not there", &read, &None)?;
        }
    }
    Ok(())
}
