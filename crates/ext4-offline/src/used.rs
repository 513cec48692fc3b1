//! Which bytes of a filesystem matter.

use std::ops::Range;

use block_io::{Extents, ReadAt};

use crate::{Operation, Result, bitmap, filesystem::Filesystem};

/// From this many ranges on, whole groups count as used, so that bitmaps full
/// of holes cannot take memory without bound.
const MAX_RANGES: usize = 1 << 21;

/// The byte ranges of a filesystem that a copy must have; the rest are blocks
/// that are free in the bitmaps, and can hold anything.
///
/// That is: the boot block, superblocks and descriptors with all backups, the
/// reserved descriptor blocks, bitmaps and inode tables, and every allocated
/// block, even if it holds zeros.
///
/// Parts of that would not be missed at first: a bitmap that descriptors
/// declare uninitialized is computed, and the kernel zeroes what was never
/// used of an inode table by itself if `INODE_ZEROED` is not set. They are
/// here nevertheless, because `e2fsck -b`, which is to rescue a card from its
/// backups, trusts none of these flags: it would read garbage as bitmaps and
/// inodes. After [`grow`](crate::grow) they hold what it expects.
///
/// # Errors
/// As for opening: damage, an unknown feature, a journal to be replayed; a
/// bitmap whose checksum does not match, since skipping what it calls free
/// could lose files.
pub fn used_extents(storage: &dyn ReadAt) -> Result<Extents> {
    let fs = Filesystem::open(storage, Operation::Map)?;
    let geometry = &fs.geometry;
    let bytes = |blocks: Range<u64>| geometry.offset(blocks.start)..geometry.offset(blocks.end);

    let mut used = Extents::new();
    let mut metadata = Vec::with_capacity(geometry.groups as usize * 4);
    for group in 0..geometry.groups {
        let whole = geometry.group_range(group);
        let bitmap = fs.block_bitmap(storage, group)?;
        if used.count() > MAX_RANGES {
            used.insert(bytes(whole));
            continue;
        }
        let cluster = u64::from(geometry.cluster_blocks);
        for run in bitmap.runs(geometry.group_clusters(group)) {
            let start = whole.start + u64::from(run.start) * cluster;
            let end = whole.start + u64::from(run.end) * cluster;
            used.insert(bytes(start..end.min(whole.end)));
        }
        // All of it is marked in the bitmaps, unless they are wrong.
        metadata.push(bytes(geometry.base_range(group)));
        let own = bitmap::own_metadata(geometry, &fs.descriptors.get(group));
        metadata.extend(own.into_iter().map(|(_, blocks)| bytes(blocks)));
    }
    // The boot block, and the superblock behind it.
    metadata.push(0..2048);
    metadata.sort_unstable_by_key(|range| range.start);
    used.extend(&metadata.into_iter().collect());
    Ok(used)
}
