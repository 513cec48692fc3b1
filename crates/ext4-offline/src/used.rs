//! The bytes of a filesystem that a copy needs.

use std::ops::Range;

use block_io::{Extents, ReadAt};

use crate::{Operation, Result, bitmap, filesystem::Filesystem};

/// From this number of ranges on, whole groups count as used: this bounds the memory for bitmaps
/// full of holes.
const MAX_RANGES: usize = 1 << 21;

/// Returns the byte ranges of a filesystem that a copy needs. The rest are blocks that are free in
/// the bitmaps and can hold anything.
///
/// The ranges are the boot block, superblocks and descriptors with all backups, the reserved
/// descriptor blocks, bitmaps and inode tables, and every allocated block, even if it holds zeros.
///
/// This includes bitmaps that are declared uninitialized and the unused parts of inode tables. The
/// kernel would compute or zero them, but `e2fsck -b`, which restores a filesystem from its
/// backups, ignores the flags that say so and would read garbage as bitmaps and inodes. After
/// [`grow`](crate::grow) they hold what it expects.
///
/// # Errors
/// Damage, an unknown feature, a journal that was not replayed, or a bitmap whose checksum does not
/// match, since skipping the blocks that it marks as free could lose files.
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
        // The bitmaps mark these blocks too, unless they are wrong.
        metadata.push(bytes(geometry.base_range(group)));
        let own = bitmap::own_metadata(geometry, &fs.descriptors.get(group));
        metadata.extend(own.into_iter().map(|(_, blocks)| bytes(blocks)));
    }
    // The boot block, and the superblock after it.
    metadata.push(0..2048);
    metadata.sort_unstable_by_key(|range| range.start);
    used.extend(&metadata.into_iter().collect());
    Ok(used)
}
