//! Checksums of what a card is to hold, for comparing it with what is read back.

use std::{
    collections::HashSet,
    ops::Range,
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{
    error::CardFault,
    write_plan::{BLOCK, Piece},
};

/// A checksum for every block of every piece of one card.
///
/// Checksums are kept so that the source need not be read again for comparing: it is shared,
/// and may be far ahead by then. A checksum for each 4 KiB also shows where the bytes of a
/// wrong block came from. CRC-32C is enough against accidents: it misses one damaged block
/// in four billion, and no burst of up to 32 bits.
#[derive(Debug)]
pub(crate) struct BlockSums {
    pieces: Vec<OnceLock<Vec<u32>>>,
    /// Checksums of what blocks held before they were replaced.
    replaced: Mutex<HashSet<u32>>,
}

/// A block that reads back wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongBlock {
    /// Its place on the card.
    offset: u64,
    found: u32,
    reads: &'static str,
}

impl BlockSums {
    pub fn new(pieces: usize) -> Self {
        let pieces = std::iter::repeat_with(OnceLock::new).take(pieces).collect();
        BlockSums { pieces, replaced: Mutex::default() }
    }

    /// Records what the card is to hold as piece number `index`.
    pub fn record(&self, index: usize, piece: &Piece, buffer: &[u8]) {
        let sums = blocks(piece, buffer).map(|(_, bytes)| crc32c::crc32c(bytes)).collect();
        self.pieces[index].get_or_init(|| sums);
    }

    /// Records what the blocks of a piece hold that are about to be replaced. Blocks that
    /// hold one value only are like too many others to be recorded.
    pub fn record_replaced(&self, piece: &Piece, found: &[u8]) {
        let is_distinct = |bytes: &&[u8]| bytes.iter().any(|byte| Some(byte) != bytes.first());
        let distinct = blocks(piece, found).map(|(_, bytes)| bytes).filter(is_distinct);
        let sums: Vec<u32> = distinct.map(crc32c::crc32c).collect();
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner).extend(sums);
    }

    /// Returns the blocks of piece number `index` that hold what another block held before it
    /// was replaced.
    ///
    /// On a card that is smaller than it claims, two places share their contents. If one of
    /// them was found equal, and the other one replaced later, then the other one held
    /// the contents of the first, which is among the returned ones.
    pub fn suspects(&self, index: usize, piece: &Piece) -> Vec<Range<u64>> {
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let sums = self.pieces[index].get().map_or(&[][..], Vec::as_slice);
        let suspects = block_ranges(piece).zip(sums).filter(|(_, sum)| replaced.contains(sum));
        suspects.map(|(block, _)| block).collect()
    }

    /// Returns the blocks of a `part` of piece number `index` that read back wrong.
    pub fn wrong(
        &self,
        index: usize,
        piece: &Piece,
        part: &Piece,
        found: &[u8],
    ) -> Vec<WrongBlock> {
        let sums = self.pieces[index].get().map_or(&[][..], Vec::as_slice);
        let mut expected = block_ranges(piece).zip(sums);
        let compare = |(offset, bytes): (u64, &[u8])| {
            let expected = expected.find(|(block, _)| block.start == offset).map(|(_, sum)| *sum);
            (expected != Some(crc32c::crc32c(bytes))).then(|| WrongBlock::new(offset, bytes))
        };
        blocks(part, found).filter_map(compare).collect()
    }

    /// Returns the fault of a card with these wrong blocks, which are all up to the last.
    pub fn diagnose(&self, pieces: &[Piece], wrong: &[WrongBlock]) -> CardFault {
        for block in wrong.iter().filter(|block| block.reads == OTHER_DATA).take(64) {
            let mut places = pieces.iter().zip(&self.pieces).flat_map(|(piece, sums)| {
                let sums = sums.get().map_or(&[][..], Vec::as_slice);
                let blocks = block_ranges(piece).zip(sums);
                blocks.filter(|(_, sum)| **sum == block.found).map(|(place, _)| place.start)
            });
            // Contents that occur twice do not show where they came from.
            if let (Some(holds), None) = (places.next(), places.next())
                && holds != block.offset
            {
                let real = holds.abs_diff(block.offset);
                return CardFault::Wraps { offset: block.offset, holds, real };
            }
        }
        let first = wrong.iter().min_by_key(|block| block.offset);
        let (offset, reads) = first.map_or((0, OTHER_DATA), |block| (block.offset, block.reads));
        CardFault::Differs { offset, reads }
    }
}

const OTHER_DATA: &str = "other data";

impl WrongBlock {
    pub fn new(offset: u64, bytes: &[u8]) -> Self {
        let all = |value: u8| bytes.iter().all(|&byte| byte == value);
        let reads = match bytes.first() {
            Some(0) if all(0) => "all zeros",
            Some(0xff) if all(0xff) => "all ones",
            _ => OTHER_DATA,
        };
        WrongBlock { offset, found: crc32c::crc32c(bytes), reads }
    }
}

/// Returns the blocks of a piece, each with its place on the card.
pub(crate) fn blocks<'a>(
    piece: &'a Piece,
    buffer: &'a [u8],
) -> impl Iterator<Item = (u64, &'a [u8])> {
    piece.runs.iter().flat_map(move |run| {
        let bytes = buffer[piece.place(run)].chunks(BLOCK as usize);
        (run.start..).step_by(BLOCK as usize).zip(bytes)
    })
}

/// Returns the blocks of a piece that differ from the expected ones. Both buffers hold the
/// piece's window.
pub(crate) fn wrong_blocks(piece: &Piece, found: &[u8], expected: &[u8]) -> Vec<WrongBlock> {
    blocks(piece, found)
        .zip(blocks(piece, expected))
        .filter(|((_, found), (_, expected))| found != expected)
        .map(|((offset, found), _)| WrongBlock::new(offset, found))
        .collect()
}

/// Returns the ranges of the blocks of a piece; the last block of a card may be shorter.
fn block_ranges(piece: &Piece) -> impl Iterator<Item = Range<u64>> {
    let blocks = |run: &Range<u64>| {
        let Range { start, end } = *run;
        (start..end).step_by(BLOCK as usize).map(move |at| at..end.min(at + BLOCK))
    };
    piece.runs.iter().flat_map(blocks)
}
