//! The buffer that batches are decompressed into: reused, bounded, initialised once.

use super::Defect;

/// More than this is not kept from one batch to the next.
const KEPT: usize = 16 << 20;

/// Bytes that are filled from the front. What is behind the filled part is left over from
/// former batches: nobody reads it.
#[derive(Debug)]
pub(super) struct Scratch {
    bytes: Vec<u8>,
    filled: usize,
    max: usize,
}

impl Scratch {
    /// A buffer that never holds more than `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), filled: 0, max }
    }

    /// Forgets what was filled, and gives back what a single large batch needed.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
        if self.bytes.len() > KEPT {
            self.bytes = Vec::new();
        }
    }

    /// Forgets what was filled, and gives the buffer back.
    pub(super) fn give_back(&mut self) {
        *self = Self::new(self.max);
    }

    /// What was filled.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Room for at least one and at most `want` bytes behind the filled ones. It is less than
    /// wanted only where the bound is near.
    pub(super) fn room(&mut self, want: usize) -> Result<&mut [u8], Defect> {
        if self.filled >= self.max {
            return Err(self.too_large());
        }
        let end = self.filled.saturating_add(want.max(1)).min(self.max);
        if self.bytes.len() < end {
            // Doubling keeps the copying linear; the bound holds all the same.
            let grown = end.max(self.bytes.len().saturating_mul(2)).min(self.max);
            if self.filled == 0 {
                // There is nothing to be kept: old and new buffer are not held side by side.
                self.bytes = Vec::new();
                self.bytes = vec![0; grown];
            } else {
                self.bytes.resize(grown, 0);
            }
        }
        Ok(&mut self.bytes[self.filled..end])
    }

    /// All the room there is at the moment, at least `want` bytes (less near the bound).
    pub(super) fn all_room(&mut self, want: usize) -> Result<&mut [u8], Defect> {
        self.room(want)?;
        Ok(&mut self.bytes[self.filled..])
    }

    /// Says that so many bytes of the room were filled.
    pub(super) fn advance(&mut self, len: usize) {
        self.filled = self.filled.saturating_add(len).min(self.bytes.len());
    }

    /// The bound.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// The error of a batch that does not fit.
    pub(super) fn too_large(&self) -> Defect {
        too_large(self.max)
    }
}

/// The error of a batch that decompresses to more than `max` bytes.
pub(super) fn too_large(max: usize) -> Defect {
    Defect::with(format!("decompressed it is larger than {max} bytes, the most that is read"))
}
