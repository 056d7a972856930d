//! The records of a batch that is too large to be held decompressed: one after the other.

use bytes::Bytes;

use super::Defect;
use super::inflate::Inflate;
use super::records::{record_body, record_length};
use super::scratch::too_large;
use super::varint::Cursor;

/// How much is decompressed at a time, and the least that a window holds.
const STEP: usize = 256 << 10;
/// A record's length is a varint of at most so many bytes.
const LENGTH_BYTES_MAX: usize = 5;

/// Reads records from the first on, and holds no more than the largest of them.
#[derive(Debug)]
pub(crate) enum Window {
    /// They are not compressed: they stay where they are.
    Plain {
        /// All of them.
        bytes: Bytes,
        /// Where the next one begins.
        at: usize,
    },
    /// They are decompressed as they are read.
    Compressed(Inflating),
}

/// What was decompressed and not read yet.
#[derive(Debug)]
pub(crate) struct Inflating {
    inflate: Inflate,
    buffer: Vec<u8>,
    /// Where the next record begins in the buffer, and where what was decompressed ends.
    start: usize,
    end: usize,
    /// Bytes that were decompressed in all, and how many may be.
    total: usize,
    max: usize,
}

impl Window {
    /// A window on records that `payload` holds compressed with `codec`, and that come to at most
    /// `max` bytes.
    pub(super) fn open(codec: i16, payload: Bytes, max: usize) -> Result<Self, Defect> {
        if codec == 0 {
            return Ok(Self::Plain { bytes: payload, at: 0 });
        }
        let inflate = Inflate::open(codec, payload)?;
        let buffer = Vec::new();
        Ok(Self::Compressed(Inflating { inflate, buffer, start: 0, end: 0, total: 0, max }))
    }

    /// The next record without its length.
    pub(super) fn record(&mut self) -> Result<Cursor<'_>, Defect> {
        match self {
            Self::Plain { bytes, at } => {
                let mut cursor = Cursor::new(&bytes[*at..]);
                let body = record_body(&mut cursor)?;
                *at = bytes.len() - cursor.left();
                Ok(body)
            }
            Self::Compressed(inflating) => inflating.record(),
        }
    }

    /// How many bytes follow the records read so far.
    pub(super) fn left(&mut self) -> Result<usize, Defect> {
        match self {
            Self::Plain { bytes, at } => Ok(bytes.len() - *at),
            Self::Compressed(inflating) => {
                while inflating.fill(STEP)? > 0 {
                    // Only their number is of interest: a large rest is not kept.
                    if inflating.end - inflating.start > STEP {
                        break;
                    }
                }
                Ok(inflating.end - inflating.start)
            }
        }
    }
}

impl Inflating {
    fn record(&mut self) -> Result<Cursor<'_>, Defect> {
        while self.end - self.start < LENGTH_BYTES_MAX && self.fill(STEP)? > 0 {}
        let mut cursor = Cursor::new(&self.buffer[self.start..self.end]);
        let length = record_length(&mut cursor)?;
        self.start = self.end - cursor.left();
        // Room grows with what really comes, not with what a length says.
        while self.end - self.start < length && self.fill(length)? > 0 {}
        let body = Cursor::new(&self.buffer[self.start..self.end]).take(length)?;
        self.start += length;
        Ok(Cursor::new(body))
    }

    /// Decompresses some more, where a record of `wanted` bytes is looked for: how many bytes,
    /// none at the end.
    fn fill(&mut self, wanted: usize) -> Result<usize, Defect> {
        let held = self.end - self.start;
        if self.buffer.len() - self.end < STEP {
            if self.start >= held {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, held);
            }
            let room = wanted.min(self.buffer.len().saturating_mul(2)).saturating_add(STEP);
            if self.buffer.len() - self.end < STEP {
                self.buffer.resize(room.max(self.end + STEP), 0);
            }
        }
        let filled = self.inflate.read(&mut self.buffer[self.end..])?;
        self.end += filled;
        self.total = self.total.saturating_add(filled);
        if self.total > self.max {
            return Err(too_large(self.max));
        }
        Ok(filled)
    }
}
