//! Snappy as Kafka's clients frame it: Java's *xerial* blocks, or one raw block.

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
