//! What an answer holds of one slice, decoded batch by batch.

use std::ops::Range;

use bytes::Bytes;
use tidegate_core::columns::Columns;

use crate::decode::{
    AbortedTransactions, Batch, Codecs, Defect, Large, Split, marker_aborts, read_records, split,
};

/// Record batches of one slice.
#[derive(Debug)]
pub(super) struct Part {
    /// Which slice.
    pub(super) slice: usize,
    records: Bytes,
    /// Where the next batch begins in `records`.
    at: usize,
    /// The answer's aborted transactions; none where they are read like others.
    aborted: Option<AbortedTransactions>,
    /// A large batch, of which some records were read. `at` is behind it.
    large: Option<Box<Large>>,
}

/// Offsets that were crossed, as [`tidegate_core::ports::Progress`] counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crossed {
    pub(super) next: i64,
    pub(super) markers: u64,
    pub(super) aborted: u64,
    pub(super) compacted: u64,
    pub(super) leader_epoch: i32,
}

/// What is left of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// More batches.
    More,
    /// Nothing that the slice wants.
    Nothing,
    /// A batch that cannot be read.
    Bad {
        /// Its base, or where it was to begin.
        offset: i64,
        /// What is wrong with it.
        defect: Defect,
    },
}

impl Part {
    /// A part that is to be read from its first batch.
    pub(super) fn new(slice: usize, records: Bytes, aborted: Option<AbortedTransactions>) -> Self {
        Self { slice, records, at: 0, aborted, large: None }
    }

    /// Reads batches, until their rows come to `chunk_bytes` or the part is used up. `wanted`
    /// begins with the next offset of the slice and ends where it ends. Batches before a bad one
    /// count.
    pub(super) fn read(
        &mut self,
        codecs: &mut Codecs,
        wanted: Range<i64>,
        rows: &mut Columns,
        chunk_bytes: u64,
    ) -> (Crossed, Left) {
        let (next, leader_epoch) = (wanted.start, -1);
        let mut crossed = Crossed { next, markers: 0, aborted: 0, compacted: 0, leader_epoch };
        let left = loop {
            if let Some(large) = &mut self.large {
                match read_large(large, rows, chunk_bytes, &mut crossed) {
                    Ok(true) => self.large = None,
                    Ok(false) => break Left::More,
                    Err(defect) => break Left::Bad { offset: large.base(), defect },
                }
            }
            // A part that is used up gives its memory back at once, not with the next chunk.
            if crossed.next >= wanted.end || self.at == self.records.len() {
                break Left::Nothing;
            }
            if rows.payload_bytes(0..rows.len()) >= chunk_bytes {
                break Left::More;
            }
            // A clone of the handle, not of the bytes.
            let records = self.records.slice(self.at..);
            match split(&records) {
                Ok(Split::Empty | Split::Cut(_)) => break Left::Nothing,
                Err(defect) => break Left::Bad { offset: crossed.next, defect },
                Ok(Split::Whole(batch, rest)) => {
                    self.at = self.records.len() - rest.len();
                    let into = Into { codecs, rows, end: wanted.end };
                    let crossing = check_order(&batch, rest)
                        .and_then(|()| self.cross(&batch, into, &mut crossed));
                    if let Err(defect) = crossing {
                        break Left::Bad { offset: batch.base, defect };
                    }
                }
            }
        };
        (crossed, left)
    }

    /// Crosses one batch. On an error nothing is counted and no row is added.
    fn cross(
        &mut self,
        batch: &Batch<'_>,
        into: Into<'_>,
        crossed: &mut Crossed,
    ) -> Result<(), Defect> {
        batch.check_crc()?;
        let is_aborted = self.transaction(batch, into.codecs)?;

        // What no batch covers, up to this one: the answer shows that there is nothing.
        let start = batch.base.clamp(crossed.next, into.end);
        let gap = start.abs_diff(crossed.next);
        // Offsets of the batch within the slice.
        let offsets = start..batch.offsets().end.clamp(start, into.end);
        let count = offsets.end.abs_diff(offsets.start);
        let mut now = Crossed { next: offsets.end, ..*crossed };
        now.compacted += gap;
        if batch.is_control() {
            now.markers += count;
        } else if is_aborted {
            now.aborted += count;
        } else if count > 0 {
            match into.codecs.payload(batch)? {
                Some(payload) => {
                    now.compacted += read_records(batch, payload, &offsets, into.rows)?;
                }
                None => {
                    self.large = Some(self.large(batch, into.codecs, offsets)?);
                    now.next = start;
                }
            }
        }
        if now.next > crossed.next || self.large.is_some() {
            now.leader_epoch = batch.leader_epoch;
        }
        *crossed = now;
        Ok(())
    }

    /// A batch that is too large to be held whole, once it was seen to be good.
    fn large(
        &self,
        batch: &Batch<'_>,
        codecs: &Codecs,
        wanted: Range<i64>,
    ) -> Result<Box<Large>, Defect> {
        let payload = self.records.slice_ref(batch.payload());
        Large::check(batch, codecs.window(batch, payload.clone())?)?;
        Ok(Box::new(Large::new(batch, codecs.window(batch, payload)?, wanted)))
    }

    /// Whether the batch holds records of an aborted transaction.
    fn transaction(&mut self, batch: &Batch<'_>, codecs: &mut Codecs) -> Result<bool, Defect> {
        let Some(aborted) = &mut self.aborted else { return Ok(false) };
        aborted.enter(batch);
        if batch.is_control() {
            let payload = codecs.payload(batch)?;
            let payload = payload.ok_or(Defect::new("it is too large for a control batch"))?;
            if marker_aborts(batch, payload)? {
                aborted.aborted(batch);
            }
        }
        Ok(aborted.covers(batch))
    }
}

/// Reads on in a large batch; answers whether it is done with.
fn read_large(
    large: &mut Large,
    rows: &mut Columns,
    chunk_bytes: u64,
    crossed: &mut Crossed,
) -> Result<bool, Defect> {
    let (done, holes) = large.read(rows, chunk_bytes)?;
    crossed.compacted += holes;
    crossed.next = large.next();
    crossed.leader_epoch = large.leader_epoch();
    Ok(done)
}

/// Whether what follows a batch is behind it. No checksum covers a batch's base offset, so that
/// nobody could say which of the two is wrong: neither is read.
fn check_order(batch: &Batch<'_>, rest: &[u8]) -> Result<(), Defect> {
    let next = rest.first_chunk().map(|base| i64::from_be_bytes(*base));
    match next.filter(|next| (0..batch.offsets().end).contains(next)) {
        Some(next) => Err(Defect::with(format!(
            "it ends at {}, and the batch behind it begins at {next}",
            batch.last
        ))),
        None => Ok(()),
    }
}

/// Where the rows of a batch go.
struct Into<'a> {
    codecs: &'a mut Codecs,
    rows: &'a mut Columns,
    /// Of the slice.
    end: i64,
}

/// What the headers in an answer tell before anything is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glance {
    /// There are whole batches: the offset behind the last of them.
    Next(i64),
    /// Nothing but a batch that was cut off, and its size, if that much is there.
    Cut(Option<usize>),
    /// Nothing at all.
    Empty,
    /// A batch that decoding will refuse.
    Bad,
}

/// Looks over the headers, so that the next request can leave before the decoder begins.
pub(super) fn glance(records: &[u8]) -> Glance {
    let (mut rest, mut next) = (records, None);
    loop {
        match (split(rest), next) {
            (Ok(Split::Whole(batch, behind)), _) => {
                next = Some(batch.offsets().end);
                rest = behind;
            }
            (Ok(Split::Empty | Split::Cut(_)), Some(next)) => return Glance::Next(next),
            (Ok(Split::Empty), None) => return Glance::Empty,
            (Ok(Split::Cut(size)), None) => return Glance::Cut(size),
            (Err(_), _) => return Glance::Bad,
        }
    }
}

#[cfg(test)]
mod tests;
