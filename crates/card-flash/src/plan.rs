//! What is written where, in which portions.

use std::ops::Range;

use block_io::Extents;

use crate::probe;

/// How much is written at once, in bytes, and where writes are aligned: smaller
/// writes are slower on most cards, larger ones no faster.
pub(crate) const PIECE: u64 = 1 << 20;

/// What is withheld until all else has been verified: the partition table and
/// the boot loader, without which nothing takes a card for finished.
pub(crate) const HEAD: u64 = 1 << 20;

/// Writes begin and end at multiples of this, and sums are kept for as much, in
/// bytes: the largest logical block of any device, and a page.
pub(crate) const BLOCK: u64 = 4096;

/// A gap of unused bytes below this is filled with zeros instead of being
/// skipped: another write costs a card more than that.
const SMALL_GAP: u64 = 64 << 10;

/// As much at the end of a card is always written: copies of an earlier GPT or
/// RAID superblocks there would speak of what is no longer on the card.
const TAIL: u64 = 1 << 20;

/// The portions in which one card is written.
#[derive(Debug)]
pub(crate) struct Plan {
    size: u64,
    pieces: Vec<Piece>,
    probes: Vec<Range<u64>>,
}

/// What is written of one window of [`PIECE`] bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where the window begins.
    pub start: u64,
    /// The ranges of the card to be written, in multiples of [`BLOCK`] save at
    /// the end of the card.
    pub runs: Vec<Range<u64>>,
}

impl Plan {
    /// For a card of `size` bytes, of which `used` must be written.
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
        let probes = probe::probes(size, &runs);
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
        Plan { size, pieces, probes }
    }

    /// What is withheld until the end.
    pub fn head(&self) -> Piece {
        Piece::new(0, 0..HEAD.min(self.size))
    }

    /// All else, in ascending order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The blocks that hold a pattern until all has been read back. They are among the
    /// pieces.
    pub fn probes(&self) -> &[Range<u64>] {
        &self.probes
    }

    /// How many bytes are written, the head among them.
    pub fn total(&self) -> u64 {
        self.pieces.iter().chain([&self.head()]).map(Piece::length).sum()
    }
}

impl Piece {
    /// One run in the window at `start`.
    pub fn new(start: u64, run: Range<u64>) -> Self {
        Piece { start, runs: std::iter::once(run).collect() }
    }

    /// The window that the piece lies in.
    pub fn window(&self) -> Range<u64> {
        self.start..self.start + PIECE
    }

    /// How many bytes are written.
    pub fn length(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Where a range of the card lies in a buffer that holds the window.
    pub fn place(&self, range: &Range<u64>) -> Range<usize> {
        (range.start - self.start) as usize..(range.end - self.start) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn cuts_aligned_and_leaves_the_head_out() {
        // Deliberately unaligned, as a FAT with clusters of 512 bytes gives them.
        let used: Extents = [
            0..MIB + 512,
            MIB + 5000..MIB + 6000,
            3 * MIB - 512..4 * MIB + 512,
            6 * MIB..6 * MIB + 1024,
            6 * MIB + 100_000..6 * MIB + 100_001,
        ]
        .into_iter()
        .collect();
        let plan = Plan::new(16 * MIB, &used);
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
    fn ends_with_the_card() {
        let size = 4 * MIB + 512;
        let plan = Plan::new(size, &Extents::from(0..size));
        assert_eq!(plan.total(), size);
        assert_eq!(plan.pieces().last(), Some(&Piece::new(4 * MIB, 4 * MIB..size)));
        // As small as a card can be.
        assert_eq!(Plan::new(MIB, &Extents::from(0..MIB)).total(), MIB);
    }
}
