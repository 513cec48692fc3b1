//! Checksums of images, computed while the images are written.

use sha2::{Digest as _, Sha256, block_api::compress256};

/// A SHA-256 sum.
pub type Sha256Sum = [u8; 32];

/// Returns the checksum of some bytes.
pub(crate) fn sum(bytes: &[u8]) -> Sha256Sum {
    Sha256::digest(bytes).into()
}

/// The size of the blocks that SHA-256 works on, in bytes.
const BLOCK: u64 = 64;

/// The initial state of SHA-256 (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a, //
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Computes the checksums of several images from their bytes that are not zero.
///
/// Nearly all of a large card's image is zeros, and hashing them is most of the work of making
/// one. Every step of SHA-256 waits for the one before, which leaves a core idle half of the
/// time, so two images with the same bytes are hashed block by block in turn.
#[derive(Debug)]
pub(super) struct SparseDigests {
    lanes: Vec<DigestLane>,
}

/// The checksum of one image.
#[derive(Debug)]
struct DigestLane {
    state: [u32; 8],
    /// The number of bytes of the image hashed so far.
    at: u64,
}

impl SparseDigests {
    /// Begins the checksums of so many images.
    pub fn new(images: usize) -> Self {
        SparseDigests { lanes: (0..images).map(|_| DigestLane { state: INITIAL, at: 0 }).collect() }
    }

    /// Adds bytes of one image from `offset` on. The bytes between them and those added before
    /// are zeros. Offset and length are multiples of 64.
    pub fn update(&mut self, image: usize, offset: u64, bytes: &[u8]) {
        let lane = &mut self.lanes[image..image + 1];
        zeros(lane, offset);
        absorb(lane, bytes);
    }

    /// Adds bytes that all images hold, like [`update`](Self::update).
    pub fn update_all(&mut self, offset: u64, bytes: &[u8]) {
        zeros(&mut self.lanes, offset);
        absorb(&mut self.lanes, bytes);
    }

    /// Returns the number of bytes up to which all images are hashed.
    pub fn position(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.at).min().unwrap_or(0)
    }

    /// Returns the checksums of the whole images, each of `size` bytes.
    pub fn finish(mut self, size: u64) -> Vec<Sha256Sum> {
        zeros(&mut self.lanes, size / BLOCK * BLOCK);
        self.lanes.into_iter().map(|lane| lane.finish(size % BLOCK)).collect()
    }
}

/// Hashes the same bytes in all images.
fn absorb(lanes: &mut [DigestLane], bytes: &[u8]) {
    let (blocks, rest) = bytes.as_chunks();
    debug_assert!(rest.is_empty());
    for block in blocks {
        for lane in &mut *lanes {
            compress256(&mut lane.state, std::slice::from_ref(block));
        }
    }
    lanes.iter_mut().for_each(|lane| lane.at += bytes.len() as u64);
}

/// Hashes zeros up to `offset` in all images.
fn zeros(lanes: &mut [DigestLane], offset: u64) {
    const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    let common = lanes.iter().map(|lane| lane.at).max().unwrap_or(0).min(offset);
    for lane in &mut *lanes {
        while lane.at < common {
            absorb(std::slice::from_mut(lane), &ZEROS);
        }
    }
    while lanes.first().is_some_and(|lane| lane.at < offset) {
        absorb(lanes, &ZEROS);
    }
}

impl DigestLane {
    /// Returns the checksum after `rest` more zeros, which do not fill a block (FIPS 180-4,
    /// 5.1.1).
    fn finish(mut self, rest: u64) -> Sha256Sum {
        let mut end = [0; 2 * BLOCK as usize];
        end[rest as usize] = 0x80;
        // The length in bits is at the end of the last block.
        let length = if rest + 9 <= BLOCK { BLOCK } else { 2 * BLOCK } as usize;
        let bits = (self.at + rest) * 8;
        end[length - 8..length].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut self.state, end[..length].as_chunks().0);
        let mut sum = [0; 32];
        for (bytes, word) in sum.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_digests_equal_those_of_the_whole_image() {
        for size in [0, 1, 55, 56, 63, 64, 640, 4096 + 512, (3 << 20) + 512] {
            let mut digests = SparseDigests::new(3);
            let mut images = vec![vec![0u8; size]; 3];
            for start in (0..size / 64 * 64).step_by(448) {
                let bytes: Vec<u8> = (0..64).map(|i| (i + start) as u8).collect();
                match start % 5 {
                    0 => {
                        digests.update_all(start as u64, &bytes);
                        images.iter_mut().for_each(|image| {
                            image[start..start + 64].copy_from_slice(&bytes);
                        });
                    }
                    lane @ 1..4 => {
                        digests.update(lane - 1, start as u64, &bytes);
                        images[lane - 1][start..start + 64].copy_from_slice(&bytes);
                    }
                    _ => {}
                }
            }
            assert!(digests.position() <= size as u64);
            let expected: Vec<Sha256Sum> = images.iter().map(|image| sum(image)).collect();
            assert_eq!(digests.finish(size as u64), expected, "{size} bytes");
        }
    }
}
