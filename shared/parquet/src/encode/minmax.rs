//! Smallest and largest value of a column chunk, bounded in size.

use parquet::data_type::ByteArray;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// A prefix of this length bounds a longer value. No topic name is longer (249 bytes), so a
/// topic's bounds are exact.
const BOUND_BYTES_MAX: usize = 256;

/// What is kept of a column chunk's values.
#[derive(Clone, Debug)]
pub(super) enum MinMax {
    /// Null count only: values of any size, in no order that helps.
    Untracked,
    /// Of 32-bit integers.
    Int32(Option<(i64, i64)>),
    /// Of 64-bit integers.
    Int64(Option<(i64, i64)>),
    /// Of byte strings, compared as unsigned bytes.
    Bytes(Option<(Bound, Bound)>),
}

/// The first bytes of a value.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    prefix: Vec<u8>,
    /// Whether it is the whole value.
    exact: bool,
}

impl Bound {
    fn of(value: &[u8]) -> Self {
        let prefix = value[..value.len().min(BOUND_BYTES_MAX)].to_vec();
        Self { exact: prefix.len() == value.len(), prefix }
    }
}

impl MinMax {
    pub(super) fn integer(&mut self, value: i64) {
        match self {
            Self::Int32(bounds) | Self::Int64(bounds) => {
                let (min, max) = bounds.unwrap_or((value, value));
                *bounds = Some((min.min(value), max.max(value)));
            }
            Self::Untracked | Self::Bytes(_) => {}
        }
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        let Self::Bytes(bounds) = self else { return };
        let Some((min, max)) = bounds else {
            *bounds = Some((Bound::of(value), Bound::of(value)));
            return;
        };
        let prefix = &value[..value.len().min(BOUND_BYTES_MAX)];
        let exact = prefix.len() == value.len();
        // Of two values with one prefix the shorter is smaller: it is the prefix itself.
        if *prefix < *min.prefix || (exact && !min.exact && *prefix == *min.prefix) {
            *min = Bound::of(value);
        }
        if *prefix > *max.prefix || (!exact && max.exact && *prefix == *max.prefix) {
            *max = Bound::of(value);
        }
    }

    /// Forgets all values.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Untracked => {}
            Self::Int32(bounds) | Self::Int64(bounds) => *bounds = None,
            Self::Bytes(bounds) => *bounds = None,
        }
    }

    /// As the footer has it.
    pub(super) fn statistics(&self, nulls: u64) -> Statistics {
        let nulls = Some(nulls);
        match self {
            Self::Untracked => {
                ValueStatistics::<ByteArray>::new(None, None, None, nulls, false).into()
            }
            Self::Int32(bounds) => {
                let (min, max) = bounds.map(|(min, max)| (min as i32, max as i32)).unzip();
                ValueStatistics::new(min, max, None, nulls, false).into()
            }
            Self::Int64(bounds) => {
                let (min, max) = bounds.unzip();
                ValueStatistics::new(min, max, None, nulls, false).into()
            }
            Self::Bytes(bounds) => {
                let (min, max) = bounds.as_ref().map(|(min, max)| (min, upper(max))).unzip();
                let max = max.flatten();
                let exact = |bound: Option<&Bound>| bound.is_none_or(|bound| bound.exact);
                let array = |bound: &Bound| ByteArray::from(bound.prefix.clone());
                ValueStatistics::new(min.map(array), max.as_ref().map(array), None, nulls, false)
                    .with_min_is_exact(exact(min))
                    .with_max_is_exact(exact(max.as_ref()))
                    .into()
            }
        }
    }
}

/// A bound that no value exceeds: of a prefix, the next larger one of its length. None if it is
/// all 0xFF.
fn upper(max: &Bound) -> Option<Bound> {
    if max.exact {
        return Some(max.clone());
    }
    let last = max.prefix.iter().rposition(|byte| *byte < 0xFF)?;
    let mut prefix = max.prefix[..=last].to_vec();
    prefix[last] += 1;
    Some(Bound { prefix, exact: false })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn long(head: &[u8], bytes: usize) -> Vec<u8> {
        let mut value = head.to_vec();
        value.resize(bytes, 7);
        value
    }

    proptest! {
        #[test]
        fn bounds_hold_for_every_value(
            shapes in prop::collection::vec((prop::collection::vec(0_u8.., 0..4), 0_usize..600), 1..30)
        ) {
            let values: Vec<_> = shapes.iter().map(|(head, bytes)| long(head, *bytes)).collect();
            let mut bounds = MinMax::Bytes(None);
            values.iter().for_each(|value| bounds.bytes(value));
            let statistics = bounds.statistics(0);
            let (min, max) = (statistics.min_bytes_opt().unwrap(), statistics.max_bytes_opt());
            let (least, greatest) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            prop_assert!(min <= least.as_slice() && min.len() <= BOUND_BYTES_MAX);
            prop_assert_eq!(statistics.min_is_exact(), min == least.as_slice());
            prop_assert!(max.is_none_or(|max| max >= greatest.as_slice()));
            if let Some(max) = max {
                prop_assert_eq!(statistics.max_is_exact(), max == greatest.as_slice());
            }
        }
    }

    #[test]
    fn a_prefix_of_all_ones_has_no_upper_bound() {
        let mut bounds = MinMax::Bytes(None);
        bounds.bytes(&[0xFF; 300]);
        assert_eq!(bounds.statistics(0).max_bytes_opt(), None);
    }
}
