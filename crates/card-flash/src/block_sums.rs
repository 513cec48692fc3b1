//! Checksums of what was written, for comparing it with what is read back.

use std::sync::OnceLock;

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
        BlockSums { pieces: std::iter::repeat_with(OnceLock::new).take(pieces).collect() }
    }

    /// Records what is about to be written as piece number `index`.
    pub fn record(&self, index: usize, piece: &Piece, buffer: &[u8]) {
        let sums = blocks(piece, buffer).map(|(_, bytes)| crc32c::crc32c(bytes)).collect();
        self.pieces[index].get_or_init(|| sums);
    }

    /// Returns the blocks of piece number `index` that read back wrong.
    pub fn wrong(&self, index: usize, piece: &Piece, buffer: &[u8]) -> Vec<WrongBlock> {
        let expected = self.pieces[index].get().map_or(&[][..], Vec::as_slice);
        let compare = |(number, (offset, bytes)): (usize, (u64, &[u8]))| {
            let found = crc32c::crc32c(bytes);
            (expected.get(number) != Some(&found)).then(|| WrongBlock::new(offset, bytes))
        };
        blocks(piece, buffer).enumerate().filter_map(compare).collect()
    }

    /// Returns the fault of a card with these wrong blocks, which are all up to the last.
    pub fn diagnose(&self, pieces: &[Piece], wrong: &[WrongBlock]) -> CardFault {
        for block in wrong.iter().filter(|block| block.reads == OTHER_DATA).take(64) {
            let mut places = pieces.iter().zip(&self.pieces).flat_map(|(piece, sums)| {
                let sums = sums.get().map_or(&[][..], Vec::as_slice);
                let offsets = offsets(piece).zip(sums);
                offsets.filter(|(_, sum)| **sum == block.found).map(|(offset, _)| offset)
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

fn offsets(piece: &Piece) -> impl Iterator<Item = u64> {
    piece.runs.iter().flat_map(|run| run.clone().step_by(BLOCK as usize))
}
