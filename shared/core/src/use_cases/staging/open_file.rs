//! A reader's file in the making, and its upload.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;

use crate::columns::Columns;
use crate::documents::StagedSlice;
use crate::error::Result;
use crate::ports::{Created, FileEncoder, Metadata, ObjectStore, Upload};
use crate::time::Deadline;

/// What an open file holds beside its encoder and its upload, roughly: its name, and what it has of
/// each slice.
const BESIDE_ENCODER_BYTES: usize = 1 << 10;

/// A file in the making.
pub(super) struct OpenFile<U, F> {
    pub(super) encoder: F,
    /// Begun with the first bytes that leave; a small file is created at once.
    pub(super) upload: Option<U>,
    pub(super) path: String,
    pub(super) number: u32,
    pub(super) used: u64,
    pub(super) held: usize,
    bytes_sent: u64,
    pub(super) slices: BTreeMap<u32, StagedSlice>,
}

impl<U: Upload, F: FileEncoder> OpenFile<U, F> {
    pub(super) fn new(encoder: F, path: String, number: u32) -> Self {
        Self {
            encoder,
            upload: None,
            path,
            number,
            used: 0,
            held: 0,
            bytes_sent: 0,
            slices: BTreeMap::new(),
        }
    }

    /// Heap bytes held now.
    pub(super) fn held_bytes(&self) -> usize {
        let upload = self.upload.as_ref().map_or(0, Upload::held_bytes);
        self.encoder.held_bytes() + upload + BESIDE_ENCODER_BYTES
    }

    pub(super) fn note(&mut self, slice: u32, rows: &Columns, ranges: &[Range<usize>]) {
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else { return };
        let start = rows.offsets()[first.start];
        let end = rows.offsets()[last.end - 1] + 1;
        let count: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        let noted = self.slices.entry(slice).or_insert(StagedSlice { slice, start, end, rows: 0 });
        noted.end = end;
        noted.rows += u64::try_from(count).expect("no more than the rows");
    }

    pub(super) async fn send<O: ObjectStore<Upload = U>>(
        &mut self,
        objects: &O,
        bytes: Vec<Bytes>,
        deadline: Deadline,
    ) -> Result<()> {
        if self.upload.is_none() {
            let none: &Metadata = &[];
            self.upload = Some(objects.upload(&self.path, none, deadline).await?);
        }
        let upload = self.upload.as_mut().expect("it was just begun");
        for piece in bytes {
            self.bytes_sent += u64::try_from(piece.len()).expect("it fits into memory");
            upload.write(piece, deadline).await?;
        }
        Ok(())
    }

    /// Ends the file; answers its size.
    pub(super) async fn finish<O: ObjectStore<Upload = U>>(
        mut self,
        objects: &O,
        metadata: &Metadata,
        deadline: Deadline,
    ) -> Result<u64> {
        let upload = self.upload.take();
        let mut rest = self.encoder.take_ready();
        rest.extend(self.encoder.finish(metadata)?);
        let rest_bytes: usize = rest.iter().map(Bytes::len).sum();
        let bytes = self.bytes_sent + u64::try_from(rest_bytes).expect("it fits into memory");
        let created = match upload {
            Some(mut upload) => {
                for piece in rest {
                    upload.write(piece, deadline).await?;
                }
                upload.finish(deadline).await?
            }
            None => objects.create(&self.path, rest.concat().into(), &[], deadline).await?,
        };
        // Its name holds 128 random bits of this reader: what stands there is its own, of which
        // the answer was lost.
        match created {
            Created::Ours | Created::Stands => Ok(bytes),
        }
    }
}
