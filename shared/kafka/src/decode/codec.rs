//! The codecs of record batches, with contexts that are reused.

use bytes::Bytes;

use super::batch::Batch;
use super::scratch::Scratch;
use super::window::Window;
use super::zstd::Zstd;
use super::{Defect, gzip, lz4, snappy};

/// Records up to so many bytes are decompressed whole, which is the fastest way. Larger ones pass
/// through a window: few batches are larger, and memory is not made for them.
const WHOLE_MAX: usize = 16 << 20;

/// Decompression contexts and their common buffer.
#[derive(Debug)]
pub(crate) struct Codecs {
    scratch: Scratch,
    batch_bytes_max: usize,
    snappy: snap::raw::Decoder,
    zstd: Zstd,
}

impl Codecs {
    /// Codecs that decompress a batch to at most `batch_bytes_max` bytes.
    pub(crate) fn new(batch_bytes_max: usize) -> Self {
        Self::with_whole_max(batch_bytes_max, WHOLE_MAX)
    }

    /// The same, with another size from which on a batch is too large to be decompressed whole.
    pub(crate) fn with_whole_max(batch_bytes_max: usize, whole_max: usize) -> Self {
        Self {
            scratch: Scratch::new(whole_max.min(batch_bytes_max)),
            batch_bytes_max,
            snappy: snap::raw::Decoder::new(),
            zstd: Zstd::default(),
        }
    }

    /// The records of a batch, decompressed; none if they are too large to be held whole.
    /// Uncompressed ones are not copied.
    pub(crate) fn payload<'a>(&'a mut self, batch: &Batch<'a>) -> Result<Option<&'a [u8]>, Defect> {
        let input = batch.payload;
        if batch.codec() == 0 {
            return Ok((input.len() <= self.scratch.max()).then_some(input));
        }
        match self.decompress(batch) {
            Ok(()) => Ok(Some(self.scratch.filled())),
            Err(defect) => {
                let too_large = defect == self.scratch.too_large();
                // A window will need the room.
                self.scratch.give_back();
                if too_large && self.scratch.max() < self.batch_bytes_max {
                    return Ok(None);
                }
                Err(defect)
            }
        }
    }

    fn decompress(&mut self, batch: &Batch<'_>) -> Result<(), Defect> {
        let (input, out) = (batch.payload, &mut self.scratch);
        out.clear();
        match batch.codec() {
            // An empty batch may be left without even a frame.
            1..=4 if input.is_empty() && batch.count == 0 => Ok(()),
            1 => gzip::decompress(input, out),
            2 => snappy::decompress(&mut self.snappy, input, out),
            3 => lz4::decompress(input, out),
            4 => self.zstd.decompress(input, out),
            other => Err(unknown(other)),
        }
    }

    /// The records of a batch that are too large to be held whole, from the first on. `payload`
    /// is as it came.
    pub(crate) fn window(&self, batch: &Batch<'_>, payload: Bytes) -> Result<Window, Defect> {
        Window::open(batch.codec(), payload, self.batch_bytes_max)
    }

    /// Gives back what a single large batch needed.
    pub(crate) fn release(&mut self) {
        self.scratch.clear();
    }
}

/// A codec of which nothing is known here.
pub(super) fn unknown(codec: i16) -> Defect {
    Defect::with(format!("its compression codec {codec} is unknown"))
}

/// What a codec says about bytes that it cannot read.
pub(super) fn corrupt(codec: &str, why: impl std::fmt::Display) -> Defect {
    Defect::with(format!("its {codec} data cannot be decompressed: {why}"))
}
