//! Statistics of a column chunk that is spliced from others.

use parquet::basic::SortOrder;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// Statistics of one of the chunks, and how many values (nulls included) it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) statistics: &'a Statistics,
    pub(super) values: i64,
}

impl Part<'_> {
    /// Whether the chunk holds nothing but nulls, so that it has no bounds to give.
    fn is_all_null(&self) -> bool {
        let nulls = self.statistics.null_count_opt();
        nulls.is_some_and(|nulls| i64::try_from(nulls) == Ok(self.values))
    }
}

/// The statistics of all parts together. What one part does not know, the whole does not know;
/// none where the order of the type is not one that is compared here.
pub(super) fn merge(parts: &[Part<'_>], order: SortOrder) -> Option<Statistics> {
    macro_rules! merged {
        ($variant:ident, $order:pat) => {{
            if !matches!(order, $order) {
                return None;
            }
            let typed = parts
                .iter()
                .map(|part| match part.statistics {
                    Statistics::$variant(typed) => Some((typed, part.is_all_null())),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()?;
            Some(Statistics::$variant(merge_typed(&typed)))
        }};
    }
    // Bounds in the deprecated fields were compared as signed bytes.
    let has_old_bounds = |part: &Part<'_>| {
        part.statistics.is_min_max_deprecated() && part.statistics.min_bytes_opt().is_some()
    };
    if parts.iter().any(has_old_bounds) {
        return None;
    }
    match parts.first()?.statistics {
        Statistics::Boolean(_) => merged!(Boolean, SortOrder::UNSIGNED | SortOrder::SIGNED),
        Statistics::Int32(_) => merged!(Int32, SortOrder::SIGNED),
        Statistics::Int64(_) => merged!(Int64, SortOrder::SIGNED),
        Statistics::Float(_) => merged!(Float, SortOrder::SIGNED | SortOrder::TOTAL_ORDER),
        Statistics::Double(_) => merged!(Double, SortOrder::SIGNED | SortOrder::TOTAL_ORDER),
        Statistics::ByteArray(_) => merged!(ByteArray, SortOrder::UNSIGNED),
        Statistics::Int96(_) | Statistics::FixedLenByteArray(_) => None,
    }
}

fn merge_typed<T: Clone + PartialOrd>(parts: &[(&ValueStatistics<T>, bool)]) -> ValueStatistics<T> {
    let sum = |count: fn(&ValueStatistics<T>) -> Option<u64>| {
        parts.iter().try_fold(0_u64, |sum, (part, _)| sum.checked_add(count(part)?))
    };
    let min = outermost(parts, |part| (part.min_opt(), part.min_is_exact()), |a, b| a < b);
    let max = outermost(parts, |part| (part.max_opt(), part.max_is_exact()), |a, b| a > b);
    let (min, min_is_exact) = min.unzip();
    let (max, max_is_exact) = max.unzip();
    ValueStatistics::new(min, max, None, sum(|part| part.null_count_opt()), false)
        .with_min_is_exact(min_is_exact.unwrap_or(false))
        .with_max_is_exact(max_is_exact.unwrap_or(false))
        .with_nan_count(sum(|part| part.nan_count_opt()))
}

/// The bound that lies outside all others, and whether it is exact. None if a part that has
/// values has no bound, or two cannot be compared.
fn outermost<T: Clone + PartialOrd>(
    parts: &[(&ValueStatistics<T>, bool)],
    bound: impl for<'a> Fn(&'a ValueStatistics<T>) -> (Option<&'a T>, bool),
    lies_outside: impl Fn(&T, &T) -> bool,
) -> Option<(T, bool)> {
    let mut found: Option<(&T, bool)> = None;
    for (part, all_null) in parts {
        let (value, exact) = match bound(part) {
            (Some(value), exact) => (value, exact),
            (None, _) if *all_null => continue,
            (None, _) => return None,
        };
        found = match found {
            None => Some((value, exact)),
            Some((best, best_exact)) => {
                best.partial_cmp(value)?;
                Some(if lies_outside(value, best) { (value, exact) } else { (best, best_exact) })
            }
        };
    }
    found.map(|(value, exact)| (value.clone(), exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int64(min: Option<i64>, max: Option<i64>, nulls: Option<u64>) -> Statistics {
        ValueStatistics::new(min, max, None, nulls, false).into()
    }

    fn merged(parts: &[(Statistics, i64)], order: SortOrder) -> Option<Statistics> {
        let parts: Vec<_> =
            parts.iter().map(|(statistics, values)| Part { statistics, values: *values }).collect();
        merge(&parts, order)
    }

    #[test]
    fn bounds_are_the_outermost_and_nulls_are_summed() {
        let parts = [(int64(Some(5), Some(9), Some(1)), 3), (int64(Some(-2), Some(6), Some(4)), 9)];
        assert_eq!(merged(&parts, SortOrder::SIGNED), Some(int64(Some(-2), Some(9), Some(5))));
    }

    #[test]
    fn a_part_of_nulls_only_takes_no_bound_away() {
        let parts = [(int64(None, None, Some(3)), 3), (int64(Some(1), Some(2), Some(0)), 9)];
        assert_eq!(merged(&parts, SortOrder::SIGNED), Some(int64(Some(1), Some(2), Some(3))));
    }

    #[test]
    fn what_one_part_does_not_know_the_whole_does_not_know() {
        let parts = [(int64(None, None, None), 3), (int64(Some(1), Some(2), Some(0)), 9)];
        let whole = merged(&parts, SortOrder::SIGNED).unwrap();
        assert_eq!((whole.min_bytes_opt(), whole.max_bytes_opt()), (None, None));
        assert_eq!(whole.null_count_opt(), None);
    }

    #[test]
    fn an_order_that_is_not_compared_here_has_no_statistics() {
        let parts = [(int64(Some(1), Some(2), Some(0)), 9)];
        assert_eq!(merged(&parts, SortOrder::UNSIGNED), None);
    }

    #[test]
    fn nan_bounds_are_no_bounds() {
        let double = |min: f64| ValueStatistics::new(Some(min), Some(9.0), None, Some(0), false);
        let parts = [(double(f64::NAN).into(), 1), (double(1.0).into(), 1)];
        let whole = merged(&parts, SortOrder::SIGNED).unwrap();
        assert_eq!(whole.min_bytes_opt(), None);
        assert!(whole.max_bytes_opt().is_some());
    }
}
