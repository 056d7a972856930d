//! Which task reads what: splitting of hot partitions, packing of small ones, by bytes.

use crate::words::OffsetRange;

/// A partition's part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// Where it begins.
    pub start: i64,
    /// How many offsets: at least 1.
    pub offsets: u64,
    /// Bytes per offset: at least 1.
    pub mean_bytes: u64,
}

/// A piece of an item, in a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The item's index.
    pub item: usize,
    /// Its offsets.
    pub range: OffsetRange,
    /// Whether it is the item's only piece.
    pub whole: bool,
}

/// Packs `items` into at most `readers` tasks of about `capacity` bytes each (one offset may
/// exceed it).
///
/// The pieces of an item are contiguous from its start; what does not fit is left for the next
/// run, from the item's end. Items that fit into one task are not split, but for the last room
/// there is. First-fit decreasing: at most 11/9 of the fewest tasks, and one more.
pub(super) fn pack(items: &[Item], readers: usize, capacity: u64) -> Vec<Vec<Piece>> {
    let mut pieces: Vec<(u64, Piece)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        pieces.extend(split(index, item, capacity));
    }
    // Largest first; the pieces of one item in their order, since a later one is dropped if an
    // earlier one was cut.
    pieces
        .sort_by_key(|(bytes, piece)| (std::cmp::Reverse(*bytes), piece.item, piece.range.start()));
    let mut tasks = Tasks { readers, capacity, tasks: Vec::new() };
    let mut cut = vec![false; items.len()];
    for (_, piece) in pieces {
        if cut[piece.item] {
            continue;
        }
        let placed = tasks.place(piece, items[piece.item].mean_bytes);
        cut[piece.item] = placed < piece.range.count();
    }
    let mut tasks: Vec<Vec<Piece>> = tasks.tasks.into_iter().map(|(_, pieces)| pieces).collect();
    for pieces in &mut tasks {
        pieces.sort_by_key(|piece| (piece.item, piece.range.start()));
    }
    tasks
}

/// The pieces of an item, equally large to an offset, each with the bytes of the largest.
fn split(index: usize, item: &Item, capacity: u64) -> Vec<(u64, Piece)> {
    let parts = item.offsets.div_ceil((capacity / item.mean_bytes).max(1));
    let largest = item.offsets.div_ceil(parts).saturating_mul(item.mean_bytes);
    let at = |part: u64| {
        let offsets = u128::from(item.offsets) * u128::from(part) / u128::from(parts);
        let offsets = i64::try_from(offsets).expect("no more than the item's offsets");
        item.start.saturating_add(offsets)
    };
    (0..parts)
        .filter_map(|part| OffsetRange::new(at(part), at(part + 1)))
        .map(|range| (largest, Piece { item: index, range, whole: parts == 1 }))
        .collect()
}

struct Tasks {
    readers: usize,
    capacity: u64,
    /// Bytes and pieces of each.
    tasks: Vec<(u64, Vec<Piece>)>,
}

impl Tasks {
    /// Places as much of a piece as fits; answers how many offsets that was.
    fn place(&mut self, piece: Piece, mean_bytes: u64) -> u64 {
        let bytes = piece.range.count().saturating_mul(mean_bytes);
        let fits = self.tasks.iter().position(|(used, _)| bytes <= self.capacity - used);
        if let Some(at) = fits {
            self.put(at, bytes, piece);
            return piece.range.count();
        }
        if self.tasks.len() < self.readers {
            self.tasks.push((0, Vec::new()));
            self.put(self.tasks.len() - 1, bytes.min(self.capacity), piece);
            return piece.range.count();
        }
        let roomiest = (0..self.tasks.len()).min_by_key(|at| self.tasks[*at].0);
        let Some(at) = roomiest else { return 0 };
        let offsets = (self.capacity - self.tasks[at].0) / mean_bytes;
        let start = piece.range.start();
        let end = start.saturating_add(i64::try_from(offsets).unwrap_or(i64::MAX));
        let Some(range) = OffsetRange::new(start, end.min(piece.range.end())) else { return 0 };
        self.put(at, range.count().saturating_mul(mean_bytes), Piece { range, ..piece });
        range.count()
    }

    fn put(&mut self, at: usize, bytes: u64, piece: Piece) {
        let (used, pieces) = &mut self.tasks[at];
        *used = used.saturating_add(bytes).min(self.capacity);
        pieces.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(tasks: &[Vec<Piece>]) -> Vec<Vec<(usize, i64, i64)>> {
        let piece = |p: &Piece| (p.item, p.range.start(), p.range.end());
        tasks.iter().map(|task| task.iter().map(piece).collect()).collect()
    }

    fn item(start: i64, offsets: u64, mean_bytes: u64) -> Item {
        Item { start, offsets, mean_bytes }
    }

    #[test]
    fn p01_small_partitions_share_a_task_one_slice_each() {
        let items = [item(0, 10, 1), item(5, 10, 1), item(7, 1, 1)];
        assert_eq!(ranges(&pack(&items, 4, 100)), [[(0, 0, 10), (1, 5, 15), (2, 7, 8)]]);
    }

    #[test]
    fn p03_p06_a_hot_partition_is_split_evenly() {
        let tasks = pack(&[item(1, 4, 10)], 8, 10);
        assert_eq!(ranges(&tasks), [[(0, 1, 2)], [(0, 2, 3)], [(0, 3, 4)], [(0, 4, 5)]]);
        let mut tasks = ranges(&pack(&[item(1, 10, 1)], 8, 4));
        tasks.sort();
        assert_eq!(tasks, [[(0, 1, 4)], [(0, 4, 7)], [(0, 7, 11)]]);
    }

    #[test]
    fn p24_no_work_makes_no_task() {
        assert!(pack(&[], 4, 100).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_left_for_the_next_run() {
        let tasks = pack(&[item(0, 10, 10), item(0, 10, 10)], 1, 150);
        assert_eq!(ranges(&tasks), [[(0, 0, 10), (1, 0, 5)]]);
    }

    #[test]
    fn an_offset_larger_than_a_task_is_read_all_the_same() {
        assert_eq!(ranges(&pack(&[item(3, 2, 1_000)], 2, 10)), [[(0, 3, 4)], [(0, 4, 5)]]);
    }

    proptest! {
        /// P23: no task exceeds its capacity by more than an offset, and what is planned of an
        /// item is a prefix of it without hole or overlap.
        #[test]
        fn p23_tasks_keep_their_capacity_and_items_their_order(
            sizes in proptest::collection::vec((0_i64..100, 1_u64..200, 1_u64..50), 0..40),
            readers in 1_usize..12,
            capacity in 1_u64..2_000,
        ) {
            let items: Vec<_> = sizes.iter().map(|&(s, o, m)| item(s, o, m)).collect();
            let tasks = pack(&items, readers, capacity);
            prop_assert!(tasks.len() <= readers);
            for task in &tasks {
                let bytes: u64 =
                    task.iter().map(|p| p.range.count() * items[p.item].mean_bytes).sum();
                let one_offset = task.len() == 1 && task[0].range.count() == 1;
                prop_assert!(bytes <= capacity || one_offset);
            }
            let mut pieces: Vec<_> = tasks.concat();
            pieces.sort_by_key(|p| (p.item, p.range.start()));
            for (index, item) in items.iter().enumerate() {
                let mut at = item.start;
                for piece in pieces.iter().filter(|p| p.item == index) {
                    prop_assert_eq!(piece.range.start(), at);
                    at = piece.range.end();
                }
                prop_assert!(at.abs_diff(item.start) <= item.offsets);
            }
        }
    }
}
