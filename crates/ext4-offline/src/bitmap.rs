//! Block and inode bitmaps.

use std::ops::Range;

use crate::{Geometry, group_desc::GroupDescriptor};

/// A bitmap of one block. Bits beyond its end count as set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    bytes: Vec<u8>,
}

impl Bitmap {
    /// The bitmap that a block holds.
    pub fn new(bytes: Vec<u8>) -> Self {
        Bitmap { bytes }
    }

    /// A bitmap of `size` bytes whose first `bits` are clear. The others stand for nothing and
    /// are set, as the format requires.
    pub fn clear(size: u32, bits: u32) -> Self {
        let mut bitmap = Bitmap { bytes: vec![0; size as usize] };
        bitmap.fill(bits..size * 8, true);
        bitmap
    }

    pub fn get(&self, bit: u32) -> bool {
        self.bytes.get(bit as usize / 8).is_none_or(|byte| byte & (1 << (bit % 8)) != 0)
    }

    /// Sets or clears bits.
    pub fn fill(&mut self, bits: Range<u32>, value: bool) {
        let mut bit = bits.start;
        while bit < bits.end {
            let Some(byte) = self.bytes.get_mut(bit as usize / 8) else { return };
            let (first, last) = (bit % 8, (bits.end - bit + bit % 8).min(8));
            let mask = ((1u16 << last) - (1u16 << first)) as u8;
            if value {
                *byte |= mask
            } else {
                *byte &= !mask
            }
            bit += last - first;
        }
    }

    /// Returns how many of the first `bits` are set.
    pub fn count_set(&self, bits: u32) -> u32 {
        let bits = bits.min(self.bytes.len() as u32 * 8);
        let (whole, rest) = self.bytes.split_at(bits as usize / 8);
        let mut set: u32 = whole.iter().map(|byte| byte.count_ones()).sum();
        if !bits.is_multiple_of(8) {
            set += rest.first().map_or(0, |byte| (byte & ((1 << (bits % 8)) - 1)).count_ones());
        }
        set
    }

    /// The runs of set bits among the first `bits`, in ascending order.
    pub fn runs(&self, bits: u32) -> impl Iterator<Item = Range<u32>> + '_ {
        let bits = bits.min(self.bytes.len() as u32 * 8);
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = self.find(at..bits, true)?;
            at = self.find(start..bits, false).unwrap_or(bits);
            Some(start..at)
        })
    }

    /// The first bit in `bits` that equals `value`.
    fn find(&self, bits: Range<u32>, value: bool) -> Option<u32> {
        let skip = if value { 0 } else { 0xff };
        let mut bit = bits.start;
        while bit < bits.end {
            let byte = *self.bytes.get(bit as usize / 8)?;
            if bit.is_multiple_of(8) && byte == skip {
                bit += 8;
                continue;
            }
            if (byte & (1 << (bit % 8)) != 0) == value {
                return Some(bit);
            }
            bit += 1;
        }
        None
    }

    /// The first run of at least `least` clear bits in `bits`, cut off after `most` bits.
    pub fn find_clear(&self, bits: Range<u32>, least: u32, most: u32) -> Option<Range<u32>> {
        let mut at = bits.start;
        loop {
            let start = self.find(at..bits.end, false)?;
            let limit = start.saturating_add(most).min(bits.end);
            let end = self.find(start..limit, true).unwrap_or(limit);
            if end - start >= least {
                return Some(start..end);
            }
            at = end;
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes that hold the first `bits`, which checksums cover.
    pub fn covered(&self, bits: u32) -> &[u8] {
        self.bytes.get(..bits.div_ceil(8) as usize).unwrap_or(&self.bytes)
    }
}

/// The block bitmap of a group in which only metadata is in use: superblock, descriptors, and
/// those of its own bitmaps and its inode table that lie in the group. A group with
/// `BLOCK_UNINIT` has this bitmap.
pub(crate) fn metadata_only(
    geometry: &Geometry,
    group: u32,
    descriptor: &GroupDescriptor,
) -> Bitmap {
    let mut bitmap = Bitmap::clear(geometry.block_size, geometry.group_clusters(group));
    let mut mark = |blocks: Range<u64>| {
        if let Some(bits) = bits_of(geometry, group, blocks) {
            bitmap.fill(bits, true);
        }
    };
    mark(geometry.base_range(group));
    for (_, blocks) in own_metadata(geometry, descriptor) {
        mark(blocks);
    }
    bitmap
}

/// The blocks of a group's bitmaps and inode table, which may lie in other groups, with the
/// names of their fields.
pub(crate) fn own_metadata(
    geometry: &Geometry,
    descriptor: &GroupDescriptor,
) -> [(&'static str, Range<u64>); 3] {
    let blocks = |start: u64, count: u32| start..start.saturating_add(count.into());
    [
        ("bg_block_bitmap", blocks(descriptor.bg_block_bitmap(), 1)),
        ("bg_inode_bitmap", blocks(descriptor.bg_inode_bitmap(), 1)),
        ("bg_inode_table", blocks(descriptor.bg_inode_table(), geometry.inode_table_blocks())),
    ]
}

/// The bits of a group's block bitmap that stand for those of `blocks` that
/// lie in the group.
pub(crate) fn bits_of(geometry: &Geometry, group: u32, blocks: Range<u64>) -> Option<Range<u32>> {
    let whole = geometry.group_range(group);
    let (start, end) = (blocks.start.max(whole.start), blocks.end.min(whole.end));
    let cluster = u64::from(geometry.cluster_blocks);
    (start < end).then(|| {
        ((start - whole.start) / cluster) as u32..(end - whole.start).div_ceil(cluster) as u32
    })
}

/// The inode bitmap of a group without inodes in use.
pub(crate) fn no_inodes(geometry: &Geometry) -> Bitmap {
    Bitmap::clear(geometry.block_size, geometry.inodes_per_group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_list_of_bits() {
        let mut state = 3u64;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as u32 % below
        };
        for _ in 0..300 {
            let bits = random(256) + 1;
            let mut bitmap = Bitmap::clear(32, bits);
            let mut model = [true; 256];
            model[..bits as usize].fill(false);
            for _ in 0..random(10) {
                let start = random(bits);
                let end = start + random(bits - start + 1);
                let value = random(3) > 0;
                bitmap.fill(start..end, value);
                model[start as usize..end as usize].fill(value);
            }
            assert!((0..256).all(|bit| bitmap.get(bit) == model[bit as usize]));
            let some = random(257);
            let set = model[..some as usize].iter().filter(|&&bit| bit).count();
            assert_eq!(bitmap.count_set(some) as usize, set);
            let mut from_runs = [false; 256];
            for run in bitmap.runs(bits) {
                assert!(run.start < run.end);
                from_runs[run.start as usize..run.end as usize].fill(true);
            }
            assert_eq!(from_runs[..bits as usize], model[..bits as usize]);

            let (from, least) = (random(bits), random(9) + 1);
            let most = least + random(9);
            let is_clear = |at: u32| (at..at + least).all(|bit| bit < bits && !model[bit as usize]);
            let found = bitmap.find_clear(from..bits, least, most);
            assert_eq!(found.as_ref().map(|run| run.start), (from..bits).find(|&at| is_clear(at)));
            if let Some(run) = found {
                let whole = (run.start..bits).take_while(|&bit| !model[bit as usize]).count();
                assert_eq!(run.len(), whole.min(most as usize));
            }
        }
    }
}
