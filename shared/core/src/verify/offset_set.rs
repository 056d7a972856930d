//! Which offsets were seen, one bit each.

use std::collections::BTreeMap;

/// Offsets of one chunk.
const CHUNK: i64 = 1 << 16;
const WORDS: usize = 1 << 10;

/// A set of offsets. A chunk of 65,536 takes 8 KiB while some of it are missing, and next to
/// nothing once all are there: memory does not grow with what is whole.
#[derive(Debug, Default)]
pub(super) struct OffsetSet {
    chunks: BTreeMap<i64, Chunk>,
}

#[derive(Debug)]
enum Chunk {
    Partly { bits: Box<[u64; WORDS]>, count: i64 },
    Whole,
}

impl OffsetSet {
    /// Adds an offset; false if it was there already.
    pub(super) fn insert(&mut self, offset: i64) -> bool {
        let chunk = self
            .chunks
            .entry(offset.div_euclid(CHUNK))
            .or_insert_with(|| Chunk::Partly { bits: Box::new([0; WORDS]), count: 0 });
        let Chunk::Partly { bits, count } = chunk else { return false };
        let at = usize::try_from(offset.rem_euclid(CHUNK)).expect("it is below 65,536");
        let (word, bit) = (at / 64, 1_u64 << (at % 64));
        if bits[word] & bit != 0 {
            return false;
        }
        bits[word] |= bit;
        *count += 1;
        if *count == CHUNK {
            *chunk = Chunk::Whole;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(offsets in prop::collection::vec(
            prop_oneof![0_i64..200, 65_500_i64..65_600, any::<i64>()], 0..300,
        )) {
            let (mut set, mut model) = (OffsetSet::default(), BTreeSet::new());
            for offset in offsets {
                prop_assert_eq!(set.insert(offset), model.insert(offset));
            }
        }
    }

    #[test]
    fn a_whole_chunk_keeps_no_bits() {
        let mut set = OffsetSet::default();
        assert!((0..3 * CHUNK).all(|offset| set.insert(offset)));
        assert!(set.chunks.values().all(|chunk| matches!(chunk, Chunk::Whole)));
        assert!(!set.insert(CHUNK + 5) && set.insert(3 * CHUNK));
    }
}
