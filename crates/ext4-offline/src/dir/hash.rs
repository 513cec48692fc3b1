//! The hashes of names that order a directory's hash tree.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/directory.rst` and the
//! published algorithms: TEA, and MD4 with half of its steps.

/// The kernel uses the greatest hash as the end of a directory, so names with that hash get the one
/// before it.
const END: u32 = 0xffff_fffe;

/// The initial state of MD4, for filesystems without a seed of their own.
const DEFAULT_SEED: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The hash function, and whether bytes count as signed, as on the machine that made the
/// filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    algorithm: Algorithm,
    signed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Legacy,
    HalfMd4,
    Tea,
}

impl Version {
    /// The version with this number, 0 to 5; `None` for others. Number 6 is for
    /// encrypted directories that ignore case.
    pub fn new(number: u8) -> Option<Self> {
        let algorithm = match number % 3 {
            0 => Algorithm::Legacy,
            1 => Algorithm::HalfMd4,
            _ => Algorithm::Tea,
        };
        (number < 6).then_some(Version { algorithm, signed: number < 3 })
    }

    /// Its number in a `dx_root`, which does not include the signedness.
    pub fn on_disk(self) -> u8 {
        match self.algorithm {
            Algorithm::Legacy => 0,
            Algorithm::HalfMd4 => 1,
            Algorithm::Tea => 2,
        }
    }

    /// The hash of a name. The lowest bit is 0, because the tree uses it for something else.
    pub fn hash(self, name: &[u8], seed: &[u32; 4]) -> u32 {
        let seed = if seed.iter().all(|&word| word == 0) { &DEFAULT_SEED } else { seed };
        let hash = match self.algorithm {
            Algorithm::Legacy => self.legacy(name),
            Algorithm::HalfMd4 => self.blocks::<8>(name, *seed, half_md4)[1],
            Algorithm::Tea => self.blocks::<4>(name, *seed, tea)[0],
        };
        match hash & !1 {
            END => END - 2,
            hash => hash,
        }
    }

    fn byte(self, byte: u8) -> u32 {
        if self.signed { i32::from(byte as i8) as u32 } else { byte.into() }
    }

    fn legacy(self, name: &[u8]) -> u32 {
        let (mut last, mut before) = (0x12a3_fe2d_u32, 0x37ab_e8f9_u32);
        for &byte in name {
            let mut hash = before.wrapping_add(last ^ self.byte(byte).wrapping_mul(7_152_373));
            if hash & 0x8000_0000 != 0 {
                hash = hash.wrapping_sub(0x7fff_ffff);
            }
            (last, before) = (hash, last);
        }
        last << 1
    }

    /// Feeds a name to a compression function that takes `N` words at a time.
    fn blocks<const N: usize>(
        self,
        name: &[u8],
        mut state: [u32; 4],
        compress: fn(&mut [u32; 4], &[u32; N]),
    ) -> [u32; 4] {
        let mut left = name;
        while !left.is_empty() {
            compress(&mut state, &self.words(left));
            left = left.get(N * 4..).unwrap_or_default();
        }
        state
    }

    /// The next words of a name, padded with its length.
    fn words<const N: usize>(self, left: &[u8]) -> [u32; N] {
        let pad = (left.len() as u32 & 0xff) * 0x0101_0101;
        let mut words = [pad; N];
        for (word, bytes) in words.iter_mut().zip(left.chunks(4)) {
            for &byte in bytes {
                *word = (*word << 8).wrapping_add(self.byte(byte));
            }
        }
        words
    }
}

fn tea(state: &mut [u32; 4], key: &[u32; 4]) {
    let [mut left, mut right, ..] = *state;
    let mut sum = 0_u32;
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9e37_79b9);
        left = left.wrapping_add(tea_mix(right, sum, key[0], key[1]));
        right = right.wrapping_add(tea_mix(left, sum, key[2], key[3]));
    }
    state[0] = state[0].wrapping_add(left);
    state[1] = state[1].wrapping_add(right);
}

fn tea_mix(half: u32, sum: u32, first: u32, second: u32) -> u32 {
    (half << 4).wrapping_add(first) ^ half.wrapping_add(sum) ^ (half >> 5).wrapping_add(second)
}

/// A round of MD4: its function, its constant, the order of the words, and the rotations.
type Round = (fn(u32, u32, u32) -> u32, u32, [usize; 8], [u32; 4]);

const ROUNDS: [Round; 3] = [
    (|x, y, z| (x & y) | (!x & z), 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]),
    (|x, y, z| (x & y) | (x & z) | (y & z), 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]),
    (|x, y, z| x ^ y ^ z, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]),
];

fn half_md4(state: &mut [u32; 4], words: &[u32; 8]) {
    let [mut a, mut b, mut c, mut d] = *state;
    for (function, constant, order, rotations) in ROUNDS {
        for (step, word) in order.into_iter().enumerate() {
            let mixed = a
                .wrapping_add(function(b, c, d))
                .wrapping_add(words[word])
                .wrapping_add(constant)
                .rotate_left(rotations[step % 4]);
            (a, b, c, d) = (d, mixed, b, c);
        }
    }
    for (word, mixed) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(mixed);
    }
}
