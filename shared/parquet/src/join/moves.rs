//! The bytes of a joined file, one move after another.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

/// How much is fetched at a time: what a join holds in memory.
const FETCH_BYTES_MAX: u64 = 8 << 20;

/// Bytes of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) input: usize,
    pub(super) range: Range<u64>,
}

impl Piece {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// One step towards the joined file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// These bytes.
    Write(Bytes),
    /// Bytes of an input, without fetching them.
    Copy(Piece),
    /// Bytes of inputs that are fetched.
    Pass(Passage),
}

/// Pieces that are fetched together, and what is written of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passage {
    /// What is fetched: pieces that stand side by side in an input are one.
    pub(super) fetches: Vec<Piece>,
    /// In the order of the joined file: which fetch, and which bytes of it.
    pub(super) writes: Vec<(usize, Range<usize>)>,
}

/// The moves of a join as they are planned.
///
/// They keep to what [`tidegate_core::ports::Upload`] asks for: what is written between two
/// copies has no bytes or at least `copy_bytes_min`, and so has what is copied.
#[derive(Debug)]
pub(super) struct Moves {
    queue: VecDeque<Move>,
    /// Pieces that wait to be put into a passage.
    waiting: Vec<Piece>,
    waiting_bytes: u64,
    copy_bytes_min: u64,
    /// Length of the joined file so far.
    position: u64,
    /// Bytes since the last copy.
    since_copy: u64,
}

impl Moves {
    pub(super) fn new(copy_bytes_min: u64) -> Self {
        Self {
            queue: VecDeque::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            copy_bytes_min,
            position: 0,
            since_copy: 0,
        }
    }

    /// Length of the joined file so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The file goes on with `bytes`.
    pub(super) fn write(&mut self, bytes: Bytes) {
        self.flush();
        self.advance(bytes.len() as u64);
        self.queue.push_back(Move::Write(bytes));
    }

    /// The file goes on with `piece`, which is fetched.
    pub(super) fn pass(&mut self, piece: Piece) {
        self.advance(piece.len());
        let mut left = piece.range;
        while !left.is_empty() {
            let taken = (FETCH_BYTES_MAX - self.waiting_bytes).min(left.end - left.start);
            let range = left.start..left.start + taken;
            left.start = range.end;
            match self.waiting.last_mut() {
                Some(last) if last.input == piece.input && last.range.end == range.start => {
                    last.range.end = range.end;
                }
                Some(_) | None => self.waiting.push(Piece { input: piece.input, range }),
            }
            self.waiting_bytes += taken;
            if self.waiting_bytes == FETCH_BYTES_MAX {
                self.flush();
            }
        }
    }

    /// The file goes on with `piece`: copied, but for the first bytes where too few stand before
    /// it.
    pub(super) fn copy(&mut self, piece: Piece) {
        let missing = match self.since_copy {
            0 => 0,
            bytes => self.copy_bytes_min.saturating_sub(bytes),
        };
        if piece.len() < missing.saturating_add(self.copy_bytes_min) {
            return self.pass(piece);
        }
        let Piece { input, range } = piece;
        let cut = range.start + missing;
        self.pass(Piece { input, range: range.start..cut });
        self.flush();
        self.position += range.end - cut;
        self.since_copy = 0;
        self.queue.push_back(Move::Copy(Piece { input, range: cut..range.end }));
    }

    /// All moves.
    pub(super) fn into_queue(mut self) -> VecDeque<Move> {
        self.flush();
        self.queue
    }

    fn advance(&mut self, bytes: u64) {
        self.position += bytes;
        self.since_copy += bytes;
    }

    fn flush(&mut self) {
        self.waiting_bytes = 0;
        if !self.waiting.is_empty() {
            let passage = passage(&std::mem::take(&mut self.waiting));
            self.queue.push_back(Move::Pass(passage));
        }
    }
}

/// The fetches that bring `pieces`, and where each piece is found in them.
fn passage(pieces: &[Piece]) -> Passage {
    let mut order: Vec<_> = (0..pieces.len()).collect();
    order.sort_by_key(|index| (pieces[*index].input, pieces[*index].range.start));
    let mut fetches: Vec<Piece> = Vec::new();
    let mut writes = vec![(0, 0..0); pieces.len()];
    for index in order {
        let piece = &pieces[index];
        match fetches.last_mut() {
            Some(last) if last.input == piece.input && last.range.end == piece.range.start => {
                last.range.end = piece.range.end;
            }
            Some(_) | None => fetches.push(piece.clone()),
        }
        let fetch = fetches.len() - 1;
        // No larger than FETCH_BYTES_MAX.
        let within = |at: u64| (at - fetches[fetch].range.start) as usize;
        writes[index] = (fetch, within(piece.range.start)..within(piece.range.end));
    }
    Passage { fetches, writes }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn piece(input: usize, range: Range<u64>) -> Piece {
        Piece { input, range }
    }

    fn copied(queue: &VecDeque<Move>) -> Vec<&Piece> {
        let copies = queue.iter().filter_map(|step| match step {
            Move::Copy(piece) => Some(piece),
            Move::Write(_) | Move::Pass(_) => None,
        });
        copies.collect()
    }

    #[test]
    fn pieces_that_stand_side_by_side_are_fetched_at_once_and_written_in_order() {
        let made = passage(&[piece(0, 10..20), piece(1, 5..9), piece(0, 0..10), piece(0, 30..31)]);
        assert_eq!(made.fetches, [piece(0, 0..20), piece(0, 30..31), piece(1, 5..9)]);
        assert_eq!(made.writes, [(0, 10..20), (2, 0..4), (0, 0..10), (1, 0..1)]);
    }

    #[test]
    fn a_large_piece_is_fetched_bit_by_bit() {
        let mut moves = Moves::new(MIB);
        moves.pass(piece(0, 4..30 * MIB));
        assert_eq!(moves.position(), 30 * MIB - 4);
        let queue = moves.into_queue();
        assert_eq!(queue.len(), 4);
        for step in &queue {
            let Move::Pass(Passage { fetches, .. }) = step else { panic!("{step:?}") };
            assert!(fetches.iter().map(Piece::len).sum::<u64>() <= FETCH_BYTES_MAX);
        }
    }

    #[test]
    fn what_stands_between_two_copies_is_a_whole_part_of_an_upload() {
        let mut moves = Moves::new(5 * MIB);
        moves.copy(piece(0, 0..5 * MIB));
        moves.copy(piece(1, 4..9 * MIB));
        moves.pass(piece(2, 4..MIB + 4));
        moves.copy(piece(3, 4..20 * MIB));
        moves.pass(piece(4, 4..MIB + 4));
        // 4 MiB of it would fill the part up, too few would be left.
        moves.copy(piece(5, 0..8 * MIB));
        moves.copy(piece(6, 0..5 * MIB));
        assert_eq!(moves.position(), (5 + 9 + 1 + 20 + 1 + 8 + 5) * MIB - 8);
        let queue = moves.into_queue();
        let expected = [
            &piece(0, 0..5 * MIB),
            &piece(1, 4..9 * MIB),
            &piece(3, 4 * MIB + 4..20 * MIB),
            &piece(6, 0..5 * MIB),
        ];
        assert_eq!(copied(&queue), expected);
    }
}
