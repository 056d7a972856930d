//! How much each waiting partition may give to a run.

use std::num::NonZeroU64;

use crate::spec::Limits;

/// A partition with something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    /// Pending offsets: at least 1.
    pub offsets: u64,
    /// Key, value and header bytes per offset: at least 1.
    pub mean_bytes: u64,
}

/// What a partition may give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Offsets; 0: it waits for the next run.
    pub offsets: u64,
    /// Bytes that it must not exceed by more than a fetch, where a cap in bytes is set.
    pub bytes_max: Option<u64>,
}

/// Shares the limits among `demands`, which stand in the order in which they are to be served
/// (longest waiting first). Within each limit the shares are max-min fair; where it is smaller
/// than the number of partitions, the first ones get one offset each.
pub(super) fn shares(limits: &Limits, demands: &[Demand]) -> Vec<Share> {
    let mut offsets: Vec<u64> = demands
        .iter()
        .map(|d| d.offsets.min(limits.records_per_partition.map_or(u64::MAX, NonZeroU64::get)))
        .collect();
    if let Some(records) = limits.records_per_run {
        offsets = fair_shares(records.get(), &offsets);
    }
    let per_partition = limits.bytes_per_partition.map_or(u64::MAX, NonZeroU64::get);
    let wanted: Vec<u64> = demands
        .iter()
        .zip(&offsets)
        .map(|(d, offsets)| match offsets {
            0 => 0,
            some => some.saturating_mul(d.mean_bytes).min(per_partition.max(d.mean_bytes)),
        })
        .collect();
    let capacity = limits.bytes_per_task.get().saturating_mul(u64::from(limits.readers));
    let total = limits.bytes_per_run.map_or(capacity, |run| run.get().min(capacity));
    let least: Vec<u64> = demands.iter().map(|d| d.mean_bytes).collect();
    let bytes = byte_shares(total, &wanted, &least);
    let capped = limits.bytes_per_partition.is_some() || limits.bytes_per_run.is_some();
    let share = |((demand, offsets), bytes): ((&Demand, &u64), &u64)| {
        let offsets = (bytes / demand.mean_bytes).min(*offsets);
        Share { offsets, bytes_max: (capped && offsets > 0).then_some(*bytes) }
    };
    demands.iter().zip(&offsets).zip(&bytes).map(share).collect()
}

/// Max-min fair shares of `total`: what one does not want goes to the others; a remainder goes
/// to the first.
pub(super) fn fair_shares(total: u64, wanted: &[u64]) -> Vec<u64> {
    let mut by_want: Vec<usize> = (0..wanted.len()).collect();
    by_want.sort_by_key(|i| (wanted[*i], *i));
    let mut shares = vec![0; wanted.len()];
    let mut rest = total;
    for (done, at) in by_want.iter().enumerate() {
        let left = u64::try_from(wanted.len() - done).unwrap_or(u64::MAX);
        let level = rest / left;
        if wanted[*at] > level {
            let mut bounded: Vec<usize> = by_want[done..].to_vec();
            bounded.sort_unstable();
            for (place, at) in (0_u64..).zip(bounded) {
                shares[at] = (level + u64::from(place < rest % left)).min(wanted[at]);
            }
            return shares;
        }
        shares[*at] = wanted[*at];
        rest -= wanted[*at];
    }
    shares
}

/// Fair shares of bytes, where whoever takes part gets at least its `least`: one record. The
/// first takes part in any case, so that a cap below one record does not stop everything.
fn byte_shares(total: u64, wanted: &[u64], least: &[u64]) -> Vec<u64> {
    let mut rest = total;
    let mut floor = vec![0; wanted.len()];
    let mut any = false;
    for at in (0..wanted.len()).filter(|at| wanted[*at] > 0) {
        if least[at] > rest && any {
            continue;
        }
        floor[at] = least[at].min(wanted[at]);
        rest = rest.saturating_sub(floor[at]);
        any = true;
    }
    let more: Vec<u64> = (0..wanted.len())
        .map(|at| if floor[at] > 0 { wanted[at] - floor[at] } else { 0 })
        .collect();
    let extra = fair_shares(rest, &more);
    floor.iter().zip(extra).map(|(floor, extra)| floor + extra).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> Limits {
        Limits {
            records_per_partition: None,
            records_per_run: None,
            bytes_per_partition: None,
            bytes_per_run: None,
            readers: 16,
            bytes_per_task: NonZeroU64::new(1 << 30).expect("not 0"),
        }
    }

    fn offsets(limits: &Limits, demands: &[(u64, u64)]) -> Vec<u64> {
        let demand = |&(offsets, mean_bytes): &(u64, u64)| Demand { offsets, mean_bytes };
        let demands: Vec<_> = demands.iter().map(demand).collect();
        shares(limits, &demands).iter().map(|share| share.offsets).collect()
    }

    #[test]
    fn c03_shares_are_fair_and_their_total_exact() {
        assert_eq!(fair_shares(1001, &[100, 1000, 1000, 1000, 1000]), [100, 226, 225, 225, 225]);
        assert_eq!(fair_shares(10, &[1000, 3]), [7, 3]);
        assert_eq!(fair_shares(2, &[5, 5, 5]), [1, 1, 0]);
        assert_eq!(fair_shares(7, &[]), [0; 0]);
    }

    #[test]
    fn c05_a_cap_per_partition_is_a_cap() {
        let cap = Limits { records_per_partition: NonZeroU64::new(500), ..limits() };
        assert_eq!(offsets(&cap, &[(1000, 1), (3, 1)]), [500, 3]);
    }

    #[test]
    fn c06_the_largest_cap_overflows_nowhere() {
        let most = NonZeroU64::new(u64::MAX);
        let cap = Limits {
            records_per_partition: most,
            records_per_run: most,
            bytes_per_partition: most,
            bytes_per_run: most,
            readers: u32::MAX,
            bytes_per_task: NonZeroU64::MAX,
        };
        assert_eq!(offsets(&cap, &[(u64::MAX, 1), (9, 1)])[1], 9);
        assert_eq!(offsets(&cap, &[(7, u64::MAX)]), [1]);
    }

    #[test]
    fn c11_each_partition_that_takes_part_gives_at_least_one_record() {
        let cap = Limits { bytes_per_run: NonZeroU64::new(1_500_000), ..limits() };
        assert_eq!(offsets(&cap, &[(10, 1_000_000), (1_000_000, 1_000)]), [1, 250]);
        let tiny = Limits { bytes_per_partition: NonZeroU64::new(1), ..limits() };
        assert_eq!(offsets(&tiny, &[(10, 1_000_000), (10, 1)]), [1, 1]);
        let one = Limits { bytes_per_run: NonZeroU64::new(1), ..limits() };
        assert_eq!(offsets(&one, &[(10, 1_000_000), (10, 5)]), [1, 0]);
    }

    #[test]
    fn a_task_s_capacity_bounds_the_run() {
        let small = Limits {
            readers: 2,
            bytes_per_task: NonZeroU64::new(1_000).expect("not 0"),
            ..limits()
        };
        assert_eq!(offsets(&small, &[(100, 100)]), [20]);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_it_wants_and_nothing_is_wasted(
            total in 0_u64..5_000,
            wanted in proptest::collection::vec(0_u64..1_000, 0..20),
        ) {
            let shares = fair_shares(total, &wanted);
            let sum: u64 = shares.iter().sum();
            prop_assert_eq!(sum, total.min(wanted.iter().sum()));
            let largest = shares.iter().max().copied().unwrap_or(0);
            for (share, want) in shares.iter().zip(&wanted) {
                prop_assert!(share <= want);
                prop_assert!(share == want || share + 1 >= largest);
            }
        }
    }
}
