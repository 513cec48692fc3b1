//! The bytes of cards, piece by piece.

use std::{ops::Range, sync::Arc};

use block_io::{Extents, Layer, ReadAt};

use super::digest::{Sha256Sum, sum};

/// The number of bytes that are read and handed on at once. Larger pieces are not written
/// faster, and cost memory for every image that is being written.
pub(super) const PIECE: u64 = 512 << 10;

/// A part of the storage that all cards share, which is read once for all of them.
#[derive(Debug)]
pub(super) struct SharedPiece {
    offset: u64,
    bytes: Vec<u8>,
    /// The checksums of the used parts, which hold for every card that does not differ here.
    sums: Vec<RangeSum>,
}

impl SharedPiece {
    /// Reads a part of the shared storage, of which `used` must be on every card.
    pub fn read(shared: &Layer, range: Range<u64>, used: &Extents) -> block_io::Result<Self> {
        let bytes = shared.read_vec(range.start, (range.end - range.start) as usize)?;
        let mut piece = SharedPiece { offset: range.start, bytes, sums: Vec::new() };
        piece.sums =
            used.within(range).map(|part| (part.clone(), sum(piece.slice(&part)))).collect();
        Ok(piece)
    }

    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes.len() as u64
    }

    fn slice(&self, range: &Range<u64>) -> &[u8] {
        &self.bytes[(range.start - self.offset) as usize..(range.end - self.offset) as usize]
    }
}

/// A range of an image, in bytes, with its checksum.
pub(super) type RangeSum = (Range<u64>, Sha256Sum);

/// The bytes of one card, most of which are those of the shared pieces.
#[derive(Debug)]
pub(super) struct CardBytes {
    layer: Arc<Layer>,
    /// What must be on the card, in whole blocks of the block map.
    used: Extents,
    /// What differs from the shared storage.
    changed: Extents,
}

impl CardBytes {
    pub fn new(layer: Arc<Layer>, used: Extents) -> Self {
        let changed = layer.changed();
        CardBytes { layer, used, changed }
    }

    pub fn used(&self) -> &Extents {
        &self.used
    }

    /// Returns the card's storage.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Returns what differs from the shared storage.
    pub fn changed(&self) -> &Extents {
        &self.changed
    }

    /// Returns whether the card's bytes in `range` are the shared ones.
    pub fn is_shared(&self, range: Range<u64>) -> bool {
        self.changed.within(range).next().is_none()
    }

    /// Returns whether both cards hold the same in the range of a shared piece.
    pub fn agrees(&self, other: &CardBytes, piece: &SharedPiece) -> bool {
        let range = || piece.range();
        self.is_shared(range())
            && other.is_shared(range())
            && self.used.within(range()).eq(other.used.within(range()))
    }

    /// Returns the checksums of the card's used parts that lie within a shared piece.
    pub fn sums(&self, piece: &SharedPiece) -> block_io::Result<Vec<RangeSum>> {
        let used = || self.used.within(piece.range());
        if self.is_shared(piece.range()) && used().eq(piece.sums.iter().map(|(r, _)| r.clone())) {
            return Ok(piece.sums.clone());
        }
        let mut sums = Vec::new();
        self.each(piece, |offset, bytes| {
            sums.push((offset..offset + bytes.len() as u64, sum(bytes)));
            Ok::<(), block_io::Error>(())
        })?;
        Ok(sums)
    }

    /// Calls `take` with the used parts of this card that lie within a shared piece, in
    /// ascending order, each with its offset.
    pub fn each<E: From<block_io::Error>>(
        &self,
        piece: &SharedPiece,
        mut take: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let shared = self.is_shared(piece.range());
        for range in self.used.within(piece.range()) {
            if shared {
                take(range.start, piece.slice(&range))?;
            } else {
                let own = self.layer.read_vec(range.start, (range.end - range.start) as usize)?;
                take(range.start, &own)?;
            }
        }
        Ok(())
    }
}

/// Splits the ranges of a set at multiples of [`PIECE`].
pub(super) fn cut(extents: &Extents) -> impl Iterator<Item = Range<u64>> + '_ {
    extents.iter().flat_map(|range| {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let piece = at..((at / PIECE + 1) * PIECE).min(range.end);
            at = piece.end;
            (!piece.is_empty()).then_some(piece)
        })
    })
}

/// The size of the units in which parts of an image are written or not, in bytes.
const UNIT: usize = 4096;

/// Returns the parts of `bytes`, which begin at `offset`, that are not zero, in units of 4 KiB
/// of the image.
pub(super) fn non_zero(offset: u64, bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    const ZEROS: [u8; UNIT] = [0; UNIT];
    // Comparing slices is several times faster than comparing each byte.
    runs(offset, bytes.len(), |unit| bytes[unit.clone()] != ZEROS[..unit.len()])
}

/// Returns the runs of units with something in common, in `length` bytes of the image that begin at
/// `offset`. The ranges count from there.
pub(super) fn runs(
    offset: u64,
    length: usize,
    has: impl Fn(Range<usize>) -> bool,
) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let unit = |start: usize| {
            let misalignment = ((offset + start as u64) % UNIT as u64) as usize;
            start..(start + UNIT - misalignment).min(length)
        };
        while at < length && !has(unit(at)) {
            at = unit(at).end;
        }
        let start = at;
        while at < length && has(unit(at)) {
            at = unit(at).end;
        }
        (start < at).then_some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_multiples() {
        let extents: Extents = [100..PIECE + 1, 3 * PIECE..4 * PIECE].into_iter().collect();
        let pieces: Vec<_> = cut(&extents).collect();
        assert_eq!(pieces, [100..PIECE, PIECE..PIECE + 1, 3 * PIECE..4 * PIECE]);
    }

    #[test]
    fn finds_what_is_not_zero() {
        let mut bytes = vec![0; 5 * 4096];
        assert_eq!(non_zero(0, &bytes).count(), 0);
        bytes[4096] = 1;
        bytes[3 * 4096 - 1] = 1;
        bytes[5 * 4096 - 1] = 1;
        let found: Vec<_> = non_zero(0, &bytes).collect();
        assert_eq!(found, [4096..3 * 4096, 4 * 4096..5 * 4096]);
        // Units are aligned in the image, not in the slice.
        let mut found = non_zero(4096 - 512, &bytes[..8192]);
        assert_eq!((found.next(), found.next()), (Some(512..4608), None));
    }
}
