//! Checksums of images, computed while they are written.

use sha2::{Digest as _, Sha256};

/// A SHA-256 sum.
pub type Sum = [u8; 32];

/// The lower-case hexadecimal digits of a sum.
pub(crate) fn hex(sum: &Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

/// The sum of an image that is told only where it is not zero.
#[derive(Debug, Default)]
pub(super) struct SparseDigest {
    hasher: Sha256,
    /// How far the image has been told.
    at: u64,
}

impl SparseDigest {
    /// Takes bytes from `offset` on; all between them and the bytes taken
    /// before are zeros.
    pub fn update(&mut self, offset: u64, bytes: &[u8]) {
        self.zeros_up_to(offset);
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
    }

    /// Up to where the image has been told, in bytes.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The sum of the whole image of `size` bytes.
    pub fn finish(mut self, size: u64) -> Sum {
        self.zeros_up_to(size);
        self.hasher.finalize().into()
    }

    fn zeros_up_to(&mut self, offset: u64) {
        while self.at < offset {
            let step = (offset - self.at).min(ZEROS.len() as u64);
            self.hasher.update(&ZEROS[..step as usize]);
            self.at += step;
        }
    }
}

/// The sum of some bytes.
pub(crate) fn sum(bytes: &[u8]) -> Sum {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparse_digest_is_that_of_the_whole() {
        let mut image = vec![0; (3 << 20) + 17];
        image[5..8].copy_from_slice(b"abc");
        image[2_500_000..2_500_003].copy_from_slice(b"def");
        let mut digest = SparseDigest::default();
        digest.update(5, b"abc");
        digest.update(2_500_000, b"def");
        let expected: Sum = Sha256::digest(&image).into();
        assert_eq!(digest.finish(image.len() as u64), expected);
    }
}
