//! Checksums of the pieces of a decoded image.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The size of a piece in bytes. Smaller ones would cost memory, larger ones time when little is
/// read.
pub(super) const PIECE: usize = 16 << 10;

/// A checksum, or zeros if the piece holds nothing but zeros.
type Sum = [u8; SUM as usize];

/// The size of a checksum in bytes.
pub(super) const SUM: u64 = 32;

const OF_ZEROS: Sum = [0; SUM as usize];

/// The SHA-256 sums of an image's pieces, in the order of the image. The last piece can be
/// shorter.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct PieceSums {
    sums: Vec<Sum>,
}

impl PieceSums {
    /// Adds the next bytes of the image. Only the last ones of the image can be anything but
    /// whole pieces.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.sums.extend(bytes.chunks(PIECE).map(sum));
    }

    /// Returns the number of pieces.
    pub(super) fn len(&self) -> usize {
        self.sums.len()
    }

    /// Returns whether the piece holds nothing but zeros.
    pub(super) fn is_zero(&self, piece: usize) -> bool {
        self.sums.get(piece) == Some(&OF_ZEROS)
    }

    /// Returns whether these are the piece's bytes.
    pub(super) fn agrees(&self, piece: usize, bytes: &[u8]) -> bool {
        self.sums.get(piece).is_some_and(|known| *known == sum(bytes))
    }

    /// Returns one checksum of them all.
    pub(super) fn total(&self) -> [u8; 32] {
        Sha256::digest(self.sums.as_flattened()).into()
    }

    /// Returns them as the contents of a file.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.sums.as_flattened()
    }

    /// Reads the contents of a file.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sums, rest) = bytes.as_chunks();
        rest.is_empty().then(|| PieceSums { sums: sums.to_vec() })
    }
}

impl fmt::Debug for PieceSums {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "PieceSums({})", self.sums.len())
    }
}

fn sum(bytes: &[u8]) -> Sum {
    const ZEROS: [u8; PIECE] = [0; PIECE];
    if ZEROS.starts_with(bytes) { OF_ZEROS } else { Sha256::digest(bytes).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_agree() {
        let mut image = vec![0; 3 * PIECE + 100];
        image[PIECE + 5] = 1;
        image[3 * PIECE + 99] = 2;
        let mut sums = PieceSums::default();
        // In two parts, as buffers come.
        sums.add(&image[..2 * PIECE]);
        sums.add(&image[2 * PIECE..]);
        assert_eq!(sums.len(), 4);
        for (piece, bytes) in image.chunks(PIECE).enumerate() {
            assert!(sums.agrees(piece, bytes));
            assert_eq!(sums.is_zero(piece), piece % 2 == 0);
            let mut other = bytes.to_vec();
            other[7] ^= 1;
            assert!(!sums.agrees(piece, &other));
            assert!(!sums.agrees(piece + 1, bytes));
        }
        assert!(!sums.agrees(4, b"") && !sums.is_zero(4));
        let back = PieceSums::from_bytes(sums.as_bytes()).unwrap();
        assert!(back == sums && back.total() == sums.total());
        assert!(PieceSums::from_bytes(&sums.as_bytes()[1..]).is_none());
    }
}
