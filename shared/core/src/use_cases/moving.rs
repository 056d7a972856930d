//! Bytes from a joiner to an upload, in parts that S3 takes: pure sizes, and the moving.

use std::ops::Range;

use bytes::Bytes;
use futures_util::future::try_join_all;

use crate::error::{Error, Result};
use crate::ports::{
    Copied, FileFooter, FooterRead, Join, JoinStats, JoinStep, Joiner, ObjectStore, ReadRange,
    UPLOAD_PART_MIN, Upload,
};
use crate::time::Deadline;

/// How much of a file's tail is read at first: the footer of a staged file, mostly.
const TAIL_BYTES: u64 = 16 * 1024;

/// A staged file that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gone(pub(super) String);

/// The footer of an object; none if it is not there.
pub(super) async fn read_footer(
    objects: &impl ObjectStore,
    joiner: &impl Joiner,
    path: &str,
    deadline: Deadline,
) -> Result<Option<FileFooter>> {
    read_footer_of(objects, joiner, path, TAIL_BYTES, deadline).await
}

/// The same, by a first look at the last `tail_bytes` bytes.
pub(super) async fn read_footer_of(
    objects: &impl ObjectStore,
    joiner: &impl Joiner,
    path: &str,
    tail_bytes: u64,
    deadline: Deadline,
) -> Result<Option<FileFooter>> {
    let mut want = tail_bytes;
    loop {
        let read = objects.read(path, ReadRange::Last(want), deadline).await?;
        let Some(read) = read else { return Ok(None) };
        match joiner.footer(&read.bytes, read.object_bytes)? {
            FooterRead::Footer(footer) => return Ok(Some(footer)),
            FooterRead::NeedsTail(more) if more > want && more <= read.object_bytes => want = more,
            FooterRead::NeedsTail(more) => {
                return Err(Error::corrupt(format!(
                    "{path} is no whole Parquet file: its footer would have {more} of {} bytes",
                    read.object_bytes
                )));
            }
        }
    }
}

/// Moves a join into an upload.
pub(super) async fn move_join<U: Upload>(
    objects: &impl ObjectStore,
    sources: &[String],
    join: &mut impl Join,
    upload: &mut U,
    deadline: Deadline,
) -> Result<Result<JoinStats, Gone>> {
    let mut fetched = Vec::new();
    let mut parts = Parts { upload, since_copy: 0 };
    loop {
        match join.next(std::mem::take(&mut fetched))? {
            JoinStep::Fetch(ranges) => {
                let reads = ranges.iter().map(|(input, range)| {
                    read_exactly(objects, &sources[*input], range.clone(), deadline)
                });
                match try_join_all(reads).await?.into_iter().collect() {
                    Ok(bytes) => fetched = bytes,
                    Err(gone) => return Ok(Err(gone)),
                }
            }
            JoinStep::Write(bytes) => parts.write(bytes, deadline).await?,
            JoinStep::Copy { input, range } => {
                let copied = parts.copy(objects, &sources[input], range, deadline).await?;
                if let Err(gone) = copied {
                    return Ok(Err(gone));
                }
            }
            JoinStep::Done => return Ok(Ok(join.stats())),
        }
    }
}

async fn read_exactly(
    objects: &impl ObjectStore,
    path: &str,
    range: Range<u64>,
    deadline: Deadline,
) -> Result<Result<Bytes, Gone>> {
    let read = objects.read(path, ReadRange::Bytes(range.clone()), deadline).await?;
    let Some(read) = read else { return Ok(Err(Gone(path.to_owned()))) };
    if u64::try_from(read.bytes.len()).ok() == range.end.checked_sub(range.start) {
        return Ok(Ok(read.bytes));
    }
    Err(Error::corrupt(format!(
        "{path} has {} bytes and no bytes {} to {}: it was changed",
        read.object_bytes, range.start, range.end
    )))
}

/// Keeps S3's rule: before a copy either nothing, or at least a part's least bytes, were written.
struct Parts<'a, U> {
    upload: &'a mut U,
    /// Bytes written since the last copy.
    since_copy: u64,
}

impl<U: Upload> Parts<'_, U> {
    async fn write(&mut self, bytes: Bytes, deadline: Deadline) -> Result<()> {
        self.since_copy += u64::try_from(bytes.len()).expect("it fits into memory");
        self.upload.write(bytes, deadline).await
    }

    /// Copies `range` inside the store, but for what must be fetched from its start to fill a
    /// part, or all of it if what is left would be too small.
    async fn copy(
        &mut self,
        objects: &impl ObjectStore,
        source: &str,
        range: Range<u64>,
        deadline: Deadline,
    ) -> Result<Result<(), Gone>> {
        let by_hand = fetched_before_copy(self.since_copy, range.end - range.start);
        let (fetched, copied) =
            (range.start..range.start + by_hand, range.start + by_hand..range.end);
        let mut at = fetched.start;
        while at < fetched.end {
            let piece = at..fetched.end.min(at + UPLOAD_PART_MIN);
            at = piece.end;
            match read_exactly(objects, source, piece, deadline).await? {
                Ok(bytes) => self.write(bytes, deadline).await?,
                Err(gone) => return Ok(Err(gone)),
            }
        }
        if copied.is_empty() {
            return Ok(Ok(()));
        }
        self.since_copy = 0;
        match self.upload.copy(source, copied, deadline).await? {
            Copied::Done => Ok(Ok(())),
            Copied::Gone => Ok(Err(Gone(source.to_owned()))),
        }
    }
}

/// How many bytes of a range must be fetched before the rest can be copied, when `written` bytes
/// were written since the last copy.
fn fetched_before_copy(written: u64, range_bytes: u64) -> u64 {
    let fill = match written {
        0 => 0,
        some => UPLOAD_PART_MIN.saturating_sub(some),
    };
    if range_bytes < fill + UPLOAD_PART_MIN { range_bytes } else { fill }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: u64 = UPLOAD_PART_MIN;

    #[test]
    fn every_part_but_the_last_is_large_enough() {
        for (written, range, fetched) in [
            (0, MIN, 0),
            (0, MIN - 1, MIN - 1),
            (1, MIN, MIN),
            (1, 2 * MIN, MIN - 1),
            (1, 2 * MIN - 2, 2 * MIN - 2),
            (MIN, MIN, 0),
            (MIN - 1, MIN + 1, 1),
        ] {
            assert_eq!(fetched_before_copy(written, range), fetched, "{written} {range}");
        }
    }
}
