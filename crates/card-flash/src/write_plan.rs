//! The order and the portions in which a card is written.

use std::ops::Range;

use block_io::Extents;

use crate::probes;

/// The size of one write in bytes, to which writes are also aligned. Smaller writes are
/// slower on most cards, and larger ones are no faster.
pub(crate) const PIECE: u64 = 1 << 20;

/// The size in bytes of the head, which is written when everything else has been verified.
/// It holds the partition table and the boot loader, without which no card boots.
pub(crate) const HEAD: u64 = 1 << 20;

/// Writes begin and end at multiples of this, and there is a checksum for each such
/// block, in bytes: the size of the largest logical block of any device, and of a page.
pub(crate) const BLOCK: u64 = 4096;

/// Gaps of unused bytes below this are filled with zeros instead of being skipped: another
/// write takes a card longer.
const SMALL_GAP: u64 = 64 << 10;

/// The last bytes of a card, which are always written: an old backup GPT or old RAID
/// superblocks there would describe what is no longer on the card.
const TAIL: u64 = 1 << 20;

/// The pieces in which one card is written.
#[derive(Debug)]
pub(crate) struct WritePlan {
    size: u64,
    pieces: Vec<Piece>,
    probes: Vec<Range<u64>>,
}

/// What is written in one window of [`PIECE`] bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where the window begins.
    pub start: u64,
    /// The ranges of the card to be written, in multiples of [`BLOCK`] except at the end of
    /// the card.
    pub runs: Vec<Range<u64>>,
}

impl WritePlan {
    /// Makes a plan for a card of `size` bytes, of which `used` must be written.
    pub fn new(size: u64, used: &Extents) -> Self {
        let mut runs = Extents::new();
        let mut last_end = HEAD;
        let tail = size.saturating_sub(TAIL)..size;
        for range in used.within(HEAD..tail.start).chain([tail]) {
            let start = (range.start / BLOCK * BLOCK).max(HEAD);
            let start = if start < last_end + SMALL_GAP { last_end } else { start };
            last_end = range.end.next_multiple_of(BLOCK).min(size).max(last_end);
            runs.insert(start..last_end);
        }
        let probes = probes::probes(size, &runs);
        for probe in &probes {
            runs.insert(probe.clone());
        }
        let mut pieces: Vec<Piece> = Vec::new();
        for range in runs.iter() {
            let mut start = range.start;
            while start < range.end {
                let window = start / PIECE * PIECE;
                let end = range.end.min(window + PIECE);
                match pieces.last_mut().filter(|piece| piece.start == window) {
                    Some(piece) => piece.runs.push(start..end),
                    None => pieces.push(Piece::new(window, start..end)),
                }
                start = end;
            }
        }
        WritePlan { size, pieces, probes }
    }

    /// Returns the head, which is written last.
    pub fn head(&self) -> Piece {
        Piece::new(0, 0..HEAD.min(self.size))
    }

    /// Returns everything else, in ascending order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Returns the blocks that hold a pattern until everything has been read back. They are
    /// part of the pieces.
    pub fn probes(&self) -> &[Range<u64>] {
        &self.probes
    }

    /// Returns the number of bytes that are written, including the head.
    pub fn total(&self) -> u64 {
        self.pieces.iter().chain([&self.head()]).map(Piece::length).sum()
    }
}

impl Piece {
    /// Makes a piece of one run in the window at `start`.
    pub fn new(start: u64, run: Range<u64>) -> Self {
        Piece { start, runs: std::iter::once(run).collect() }
    }

    /// Returns the window that the piece lies in.
    pub fn window(&self) -> Range<u64> {
        self.start..self.start + PIECE
    }

    /// Returns the number of bytes that are written.
    pub fn length(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Returns a part of the piece with other runs, all of them inside its own.
    pub fn part(&self, runs: impl IntoIterator<Item = Range<u64>>) -> Self {
        let runs = runs.into_iter().collect::<Extents>();
        Piece { start: self.start, runs: runs.iter().collect() }
    }

    /// Returns the part of the piece where two buffers for its window differ. Parts with gaps
    /// that are not worth another write are joined.
    pub fn differing(&self, found: &[u8], expected: &[u8]) -> Self {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for run in &self.runs {
            let joined = runs.len();
            for at in run.clone().step_by(BLOCK as usize) {
                let block = at..run.end.min(at + BLOCK);
                let place = self.place(&block);
                if found[place.clone()] == expected[place] {
                    continue;
                }
                match runs.get_mut(joined..).and_then(<[_]>::last_mut) {
                    Some(last) if at < last.end + SMALL_GAP => last.end = block.end,
                    _ => runs.push(block),
                }
            }
        }
        Piece { start: self.start, runs }
    }

    /// Returns whether there is anything but zeros in what this part of a piece leaves out, given
    /// the contents of the window.
    pub fn leaves_contents(&self, piece: &Piece, contents: &[u8]) -> bool {
        let part: Extents = self.runs.iter().cloned().collect();
        let mut left_out = piece.runs.iter().flat_map(|run| part.gaps(run.clone()));
        left_out.any(|run| contents[piece.place(&run)].iter().any(|byte| *byte != 0))
    }

    /// Returns the place of a range of the card in a buffer that holds the window.
    pub fn place(&self, range: &Range<u64>) -> Range<usize> {
        (range.start - self.start) as usize..(range.end - self.start) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn pieces_are_aligned_and_leave_out_the_head() {
        // Deliberately unaligned, as in a FAT with clusters of 512 bytes.
        let used: Extents = [
            0..MIB + 512,
            MIB + 5000..MIB + 6000,
            3 * MIB - 512..4 * MIB + 512,
            6 * MIB..6 * MIB + 1024,
            6 * MIB + 100_000..6 * MIB + 100_001,
        ]
        .into_iter()
        .collect();
        let plan = WritePlan::new(16 * MIB, &used);
        let runs: Vec<_> = plan.pieces().iter().flat_map(|piece| piece.runs.clone()).collect();
        assert_eq!(
            runs,
            [
                MIB..MIB + 8192,
                2 * MIB - 4096..2 * MIB,
                3 * MIB - 4096..3 * MIB,
                3 * MIB..4 * MIB,
                4 * MIB..4 * MIB + 4096,
                6 * MIB..6 * MIB + 4096,
                6 * MIB + 98_304..6 * MIB + 102_400,
                8 * MIB - 4096..8 * MIB,
                15 * MIB..16 * MIB,
            ]
        );
        assert!(plan.pieces().windows(2).all(|pair| pair[0].start < pair[1].start));
        assert_eq!(plan.total(), MIB + runs.iter().map(|run| run.end - run.start).sum::<u64>());
    }

    #[test]
    fn what_differs_is_joined_within_a_run() {
        let runs = vec![MIB..MIB + 400_000 / BLOCK * BLOCK, 2 * MIB - 8192..2 * MIB - 700];
        let piece = Piece { start: MIB, runs };
        let found = vec![0; PIECE as usize];
        let mut expected = found.clone();
        assert_eq!(piece.differing(&found, &expected).runs, []);
        for at in [5, 8192, 80_000, 200_000, 500_000, PIECE as usize - 5000, PIECE as usize - 701] {
            expected[at] = 1;
        }
        let block = |number: u64| MIB + number * BLOCK..MIB + (number + 1) * BLOCK;
        assert_eq!(
            piece.differing(&found, &expected).runs,
            [block(0).start..block(2).end, block(19), block(48), 2 * MIB - 8192..2 * MIB - 700]
        );
    }

    #[test]
    fn a_part_leaves_contents_only_where_it_does_not_write() {
        let piece = Piece::new(MIB, MIB..MIB + 4 * BLOCK);
        let mut contents = vec![0; PIECE as usize];
        contents[5 * BLOCK as usize] = 1;
        assert!(!piece.part([]).leaves_contents(&piece, &contents), "it is outside the piece");
        contents[BLOCK as usize] = 1;
        assert!(piece.part([]).leaves_contents(&piece, &contents));
        let part = piece.part(std::iter::once(MIB + BLOCK..MIB + 2 * BLOCK));
        assert!(!part.leaves_contents(&piece, &contents));
    }

    #[test]
    fn pieces_end_with_the_card() {
        let size = 4 * MIB + 512;
        let plan = WritePlan::new(size, &Extents::from(0..size));
        assert_eq!(plan.total(), size);
        assert_eq!(plan.pieces().last(), Some(&Piece::new(4 * MIB, 4 * MIB..size)));
        // The smallest card.
        assert_eq!(WritePlan::new(MIB, &Extents::from(0..MIB)).total(), MIB);
    }
}
