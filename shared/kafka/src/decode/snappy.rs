//! Snappy as Kafka's clients frame it: Java's *xerial* blocks, or one raw block.

use bytes::{Buf, Bytes};
use snap::raw::{Decoder, decompress_len};

use super::Defect;
use super::codec::corrupt;
use super::scratch::Scratch;

/// Begins what Java writes; two numbers of 4 bytes follow, its version and the oldest that can
/// read it.
const XERIAL: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER: usize = 16;

/// No element of the format yields more than 64 bytes from one of the input, so that a block's
/// own word on its size can be checked before room is made for it.
const EXPANSION_MAX: usize = 64;
/// The largest block that is read, where a batch is read block by block: a block cannot be
/// decompressed in pieces. Java's have 32 KiB.
const BLOCK_BYTES_MAX: usize = 64 << 20;

/// Decompresses `input` to the end of `out`.
pub(super) fn decompress(
    decoder: &mut Decoder,
    input: &[u8],
    out: &mut Scratch,
) -> Result<(), Defect> {
    if !input.starts_with(&XERIAL) {
        return block(decoder, input, out);
    }
    let Some(mut rest) = input.get(XERIAL_HEADER..) else {
        return Err(corrupt("snappy", "its header is cut off"));
    };
    while let Some((size, behind)) = rest.split_first_chunk() {
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
        let Some((one, behind)) = behind.split_at_checked(size) else {
            return Err(corrupt("snappy", "a block is cut off"));
        };
        block(decoder, one, out)?;
        rest = behind;
    }
    if rest.is_empty() { Ok(()) } else { Err(corrupt("snappy", "a block's size is cut off")) }
}

/// Blocks, decompressed one by one.
#[derive(Debug)]
pub(super) struct Blocks {
    input: Bytes,
    is_xerial: bool,
    decoder: Decoder,
    /// The block that is being read, and how much of it was.
    block: Scratch,
    read: usize,
}

impl Blocks {
    /// The blocks of `input`, of which none was read.
    pub(super) fn new(mut input: Bytes) -> Result<Self, Defect> {
        let is_xerial = input.starts_with(&XERIAL);
        if is_xerial {
            if input.len() < XERIAL_HEADER {
                return Err(corrupt("snappy", "its header is cut off"));
            }
            input.advance(XERIAL_HEADER);
        }
        let block = Scratch::new(BLOCK_BYTES_MAX);
        Ok(Self { input, is_xerial, decoder: Decoder::new(), block, read: 0 })
    }

    /// Fills `out` with some bytes; none at the end.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Defect> {
        while self.read == self.block.filled().len() {
            if self.input.is_empty() {
                return Ok(0);
            }
            self.block.clear();
            self.read = 0;
            let input = self.next()?;
            block(&mut self.decoder, &input, &mut self.block)?;
        }
        let rest = &self.block.filled()[self.read..];
        let some = rest.len().min(out.len());
        out[..some].copy_from_slice(&rest[..some]);
        self.read += some;
        Ok(some)
    }

    /// The next block as it came.
    fn next(&mut self) -> Result<Bytes, Defect> {
        if !self.is_xerial {
            return Ok(std::mem::take(&mut self.input));
        }
        let size = self.input.try_get_u32();
        let size = size.map_err(|_| corrupt("snappy", "a block's size is cut off"))?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > self.input.len() {
            return Err(corrupt("snappy", "a block is cut off"));
        }
        Ok(self.input.split_to(size))
    }
}

fn block(decoder: &mut Decoder, input: &[u8], out: &mut Scratch) -> Result<(), Defect> {
    let says = decompress_len(input).map_err(|error| corrupt("snappy", error))?;
    if says > input.len().saturating_mul(EXPANSION_MAX) {
        return Err(corrupt("snappy", format!("{} bytes say they were {says}", input.len())));
    }
    if says == 0 {
        return Ok(());
    }
    let room = out.room(says)?;
    if room.len() < says {
        return Err(out.too_large());
    }
    let filled = decoder.decompress(input, room).map_err(|error| corrupt("snappy", error))?;
    out.advance(filled);
    Ok(())
}
