//! Sums of what was written, by which reading back is judged.

use std::sync::OnceLock;

use crate::{
    error::CardFault,
    plan::{BLOCK, Piece},
};

/// A sum for every block of every piece of one card.
///
/// Sums are kept instead of reading the source again: the source is shared and
/// may be far behind by then, and a sum for each 4 KiB tells where the bytes of
/// a wrong block came from. CRC-32C is enough against accidents: it misses one
/// damaged block in four thousand million, and no burst of up to 32 bits.
#[derive(Debug)]
pub(crate) struct Sums {
    pieces: Vec<OnceLock<Vec<u32>>>,
}

/// A block that reads back wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Where it lies on the card.
    offset: u64,
    found: u32,
    reads: &'static str,
}

impl Sums {
    pub fn new(pieces: usize) -> Self {
        Sums { pieces: std::iter::repeat_with(OnceLock::new).take(pieces).collect() }
    }

    /// Remembers what is about to be written as piece number `index`.
    pub fn remember(&self, index: usize, piece: &Piece, buffer: &[u8]) {
        let sums = blocks(piece, buffer).map(|(_, bytes)| crc32c::crc32c(bytes)).collect();
        self.pieces[index].get_or_init(|| sums);
    }

    /// The blocks of piece number `index` that read back wrong.
    pub fn wrong(&self, index: usize, piece: &Piece, buffer: &[u8]) -> Vec<Wrong> {
        let expected = self.pieces[index].get().map_or(&[][..], Vec::as_slice);
        let compare = |(number, (offset, bytes)): (usize, (u64, &[u8]))| {
            let found = crc32c::crc32c(bytes);
            (expected.get(number) != Some(&found)).then(|| Wrong::new(offset, bytes))
        };
        blocks(piece, buffer).enumerate().filter_map(compare).collect()
    }

    /// What wrong blocks, none of them missing up to the last, say about the
    /// card.
    pub fn judge(&self, pieces: &[Piece], wrong: &[Wrong]) -> CardFault {
        for block in wrong.iter().filter(|block| block.reads == OTHER).take(64) {
            let mut places = pieces.iter().zip(&self.pieces).flat_map(|(piece, sums)| {
                let sums = sums.get().map_or(&[][..], Vec::as_slice);
                let offsets = offsets(piece).zip(sums);
                offsets.filter(|(_, sum)| **sum == block.found).map(|(offset, _)| offset)
            });
            // Contents that occur twice do not tell where they came from.
            if let (Some(holds), None) = (places.next(), places.next())
                && holds != block.offset
            {
                let real = holds.abs_diff(block.offset);
                return CardFault::Wraps { offset: block.offset, holds, real };
            }
        }
        let first = wrong.iter().min_by_key(|block| block.offset);
        let (offset, reads) = first.map_or((0, OTHER), |block| (block.offset, block.reads));
        CardFault::Differs { offset, reads }
    }
}

const OTHER: &str = "neither zeros nor ones";

impl Wrong {
    pub fn new(offset: u64, bytes: &[u8]) -> Self {
        let all = |value: u8| bytes.iter().all(|&byte| byte == value);
        let reads = match bytes.first() {
            Some(0) if all(0) => "all zeros",
            Some(0xff) if all(0xff) => "all ones",
            _ => OTHER,
        };
        Wrong { offset, found: crc32c::crc32c(bytes), reads }
    }
}

/// The blocks of a piece, each with its place on the card.
pub(crate) fn blocks<'a>(
    piece: &'a Piece,
    buffer: &'a [u8],
) -> impl Iterator<Item = (u64, &'a [u8])> {
    piece.runs.iter().flat_map(move |run| {
        let bytes = buffer[piece.place(run)].chunks(BLOCK as usize);
        (run.start..).step_by(BLOCK as usize).zip(bytes)
    })
}

/// The blocks of a piece that are not as expected, both in buffers for its window.
pub(crate) fn wrong_blocks(piece: &Piece, found: &[u8], expected: &[u8]) -> Vec<Wrong> {
    blocks(piece, found)
        .zip(blocks(piece, expected))
        .filter(|((_, found), (_, expected))| found != expected)
        .map(|((offset, found), _)| Wrong::new(offset, found))
        .collect()
}

fn offsets(piece: &Piece) -> impl Iterator<Item = u64> {
    piece.runs.iter().flat_map(|run| run.clone().step_by(BLOCK as usize))
}
