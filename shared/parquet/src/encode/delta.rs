//! DELTA_BINARY_PACKED: integers as bit-packed differences.
//!
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC>

use super::levels::{write_varint, write_zigzag};

const BLOCK: usize = 128;
const MINI_BLOCKS: usize = 4;
const MINI_BLOCK: usize = BLOCK / MINI_BLOCKS;

/// Appends 64-bit integers.
pub(super) fn write_i64(values: &[i64], out: &mut Vec<u8>) {
    write(values, |after, before| after.wrapping_sub(before), out);
}

/// Appends 32-bit integers, held as 64-bit ones: their differences wrap at 32 bits, since a
/// reader adds them up in 32 bits.
pub(super) fn write_i32(values: &[i64], out: &mut Vec<u8>) {
    write(values, |after, before| i64::from((after as i32).wrapping_sub(before as i32)), out);
}

fn write(values: &[i64], difference: impl Fn(i64, i64) -> i64, out: &mut Vec<u8>) {
    write_varint(BLOCK as u64, out);
    write_varint(MINI_BLOCKS as u64, out);
    write_varint(values.len() as u64, out);
    write_zigzag(values.first().copied().unwrap_or(0), out);
    let mut deltas = [0; BLOCK];
    let mut done = 1;
    while done < values.len() {
        let count = (values.len() - done).min(BLOCK);
        for (delta, pair) in deltas.iter_mut().zip(values[done - 1..done + count].windows(2)) {
            *delta = difference(pair[1], pair[0]);
        }
        write_block(&deltas[..count], out);
        done += count;
    }
}

/// Appends a block: its least difference, the widths of its mini blocks, and their bits. A mini
/// block that holds nothing has no bits; one that is begun is filled with zeros.
fn write_block(deltas: &[i64], out: &mut Vec<u8>) {
    let least = deltas.iter().copied().min().unwrap_or(0);
    write_zigzag(least, out);
    let widths_at = out.len();
    out.extend_from_slice(&[0; MINI_BLOCKS]);
    for (index, mini) in deltas.chunks(MINI_BLOCK).enumerate() {
        let mut packed = [0_u64; MINI_BLOCK];
        for (slot, delta) in packed.iter_mut().zip(mini) {
            *slot = delta.wrapping_sub(least) as u64;
        }
        let width = u64::BITS - packed.iter().fold(0, |all, one| all | one).leading_zeros();
        out[widths_at + index] = width as u8;
        write_bits(&packed, width, out);
    }
}

/// Appends the low `width` bits of each, the least significant first: 4 bytes per bit of width.
fn write_bits(packed: &[u64; MINI_BLOCK], width: u32, out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0_u128, 0);
    for value in packed {
        bits |= u128::from(*value) << held;
        held += width;
        if held >= u64::BITS {
            out.extend_from_slice(&(bits as u64).to_le_bytes());
            bits >>= u64::BITS;
            held -= u64::BITS;
        }
    }
    // 32 values of any width end on a multiple of 32 bits.
    out.extend_from_slice(&bits.to_le_bytes()[..(held / 8) as usize]);
}
