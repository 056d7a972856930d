//! The codecs of record batches, with contexts that are reused.

use super::batch::Batch;
use super::scratch::Scratch;
use super::zstd::Zstd;
use super::{Defect, gzip, lz4, snappy};

/// Decompression contexts and their common buffer.
#[derive(Debug)]
pub(crate) struct Codecs {
    scratch: Scratch,
    snappy: snap::raw::Decoder,
    zstd: Zstd,
}

impl Codecs {
    /// Codecs that decompress a batch to at most `batch_bytes_max` bytes.
    pub(crate) fn new(batch_bytes_max: usize) -> Self {
        Self {
            scratch: Scratch::new(batch_bytes_max),
            snappy: snap::raw::Decoder::new(),
            zstd: Zstd::default(),
        }
    }

    /// The records of a batch, decompressed. Uncompressed ones are not copied.
    pub(crate) fn payload<'a>(&'a mut self, batch: &Batch<'a>) -> Result<&'a [u8], Defect> {
        let (input, out) = (batch.payload, &mut self.scratch);
        out.clear();
        match batch.codec() {
            0 => return Ok(input),
            // An empty batch may be left without even a frame.
            1..=4 if input.is_empty() && batch.count == 0 => {}
            1 => gzip::decompress(input, out)?,
            2 => snappy::decompress(&mut self.snappy, input, out)?,
            3 => lz4::decompress(input, out)?,
            4 => self.zstd.decompress(input, out)?,
            other => {
                return Err(Defect::with(format!("its compression codec {other} is unknown")));
            }
        }
        Ok(self.scratch.filled())
    }

    /// Gives back what a single large batch needed.
    pub(crate) fn release(&mut self) {
        self.scratch.clear();
    }
}

/// What a codec says about bytes that it cannot read.
pub(super) fn corrupt(codec: &str, why: impl std::fmt::Display) -> Defect {
    Defect::with(format!("its {codec} data cannot be decompressed: {why}"))
}
