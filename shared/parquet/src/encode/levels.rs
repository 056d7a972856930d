//! Definition and repetition levels: Parquet's RLE and bit-packing hybrid.
//!
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE>

/// Runs of this many equal levels are written as such; shorter ones are bit-packed.
const RUN_MIN: usize = 8;

/// Appends `levels` as they stand in a data page: length in 4 bytes, then the runs.
pub(super) fn write_levels(levels: &[u8], level_max: u8, page: &mut Vec<u8>) {
    let width = u8::BITS - level_max.leading_zeros();
    let at = page.len();
    page.extend_from_slice(&[0; 4]);
    write_runs(levels, width, page);
    // A page's rows are bounded, and so are its levels: far from 4 GiB.
    let bytes = (page.len() - at - 4) as u32;
    page[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
}

fn write_runs(levels: &[u8], width: u32, out: &mut Vec<u8>) {
    // Levels from `packed` on wait to be bit-packed; all but the last such run hold a multiple
    // of 8 levels.
    let (mut packed, mut at) = (0, 0);
    while at < levels.len() {
        let run = levels[at..].iter().take_while(|level| **level == levels[at]).count();
        let into_group = (at - packed) % 8;
        if into_group != 0 {
            at += run.min(8 - into_group);
        } else if run >= RUN_MIN {
            write_packed(&levels[packed..at], width, out);
            write_varint((run as u64) << 1, out);
            out.push(levels[at]);
            at += run;
            packed = at;
        } else {
            at += run;
        }
    }
    write_packed(&levels[packed..], width, out);
}

/// Bit-packs levels, the least significant bit first; the last group of 8 is filled with zeros.
fn write_packed(levels: &[u8], width: u32, out: &mut Vec<u8>) {
    if levels.is_empty() {
        return;
    }
    let groups = levels.len().div_ceil(8);
    write_varint(((groups as u64) << 1) | 1, out);
    for group in levels.chunks(8) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0_u64, |bits, (index, level)| bits | u64::from(*level) << (index as u32 * width));
        out.extend_from_slice(&bits.to_le_bytes()[..width as usize]);
    }
}

/// Appends an unsigned LEB128.
pub(super) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed integer in zigzag form.
pub(super) fn write_zigzag(value: i64, out: &mut Vec<u8>) {
    write_varint(((value << 1) ^ (value >> 63)) as u64, out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads the hybrid back, by the specification.
    fn read(bytes: &[u8], width: u32, count: usize) -> Vec<u8> {
        let mut levels = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                header |= u64::from(bytes[at] & 0x7f) << shift;
                shift += 7;
                at += 1;
                if bytes[at - 1] < 0x80 {
                    break;
                }
            }
            if header & 1 == 0 {
                levels.extend(std::iter::repeat_n(bytes[at], (header >> 1) as usize));
                at += 1;
            } else {
                for bit in 0..(header >> 1) * 8 {
                    let level = (0..u64::from(width)).fold(0, |level, index| {
                        let place = bit * u64::from(width) + index;
                        let set = bytes[at + (place / 8) as usize] >> (place % 8) & 1;
                        level | set << index
                    });
                    levels.push(level);
                }
                at += (header >> 1) as usize * width as usize;
            }
        }
        assert!(levels.len() >= count && levels.len() < count + 8);
        levels.truncate(count);
        levels
    }

    proptest! {
        #[test]
        fn levels_are_read_back(
            max in 1_u8..=3,
            runs in prop::collection::vec((0_u8..=3, 1_usize..40), 0..40),
        ) {
            let levels: Vec<u8> = runs
                .iter()
                .flat_map(|(level, count)| std::iter::repeat_n(*level.min(&max), *count))
                .collect();
            let mut page = Vec::new();
            write_levels(&levels, max, &mut page);
            let length = u32::from_le_bytes(page[..4].try_into().unwrap()) as usize;
            prop_assert_eq!(length, page.len() - 4);
            prop_assert_eq!(read(&page[4..], 8 - max.leading_zeros(), levels.len()), levels);
        }
    }

    #[test]
    fn a_page_without_nulls_costs_a_handful_of_bytes() {
        let mut page = Vec::new();
        write_levels(&[1; 20_000], 1, &mut page);
        assert!(page.len() <= 8, "{}", page.len());
    }
}
