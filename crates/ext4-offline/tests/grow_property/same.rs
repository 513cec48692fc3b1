//! The bytes that growing may change.

use std::{collections::HashSet, path::Path};

use block_io::{FileStorage, ReadAt};
use ext4_offline::{
    internals::{BLOCK_UNINIT, Geometry, Superblock},
    used_extents,
};

use crate::{account::descriptors, common::*};

struct Opened {
    storage: FileStorage,
    geometry: Geometry,
}

fn open(image: &Path) -> Opened {
    Opened { storage: FileStorage::open(image).unwrap(), geometry: geometry(image) }
}

/// Panics if growing changed any block that was in use before, unless it is a
/// superblock, a descriptor block, a bitmap or the resize inode. Since e2fsck checks those, no file
/// can have changed.
pub fn assert_only_metadata_changed(before: &Path, after: &Path, context: &str) {
    let (before, after) = (open(before), open(after));
    let mut allowed = HashSet::new();
    for Opened { storage, geometry } in [&before, &after] {
        allowed.extend((0..geometry.groups).flat_map(|group| geometry.base_range(group)));
        for descriptor in descriptors(storage, geometry) {
            allowed.extend([descriptor.bg_block_bitmap(), descriptor.bg_inode_bitmap()]);
        }
    }
    let first = &descriptors(&before.storage, &before.geometry)[0];
    let geometry = &before.geometry;
    let resize_inode = geometry.offset(first.bg_inode_table()) + 6 * u64::from(geometry.inode_size);
    let resize_inode = resize_inode..resize_inode + u64::from(geometry.inode_size);
    if let Some(block) = double_indirect(&before, resize_inode.start) {
        allowed.insert(block);
    }
    let size = u64::from(geometry.block_size);
    for block in differing(&before, &after) {
        if allowed.contains(&block) {
            continue;
        }
        let read = |opened: &Opened| opened.storage.read_vec(block * size, size as usize).unwrap();
        let (old, new) = (read(&before), read(&after));
        for (at, (old, new)) in (block * size..).zip(old.iter().zip(&new)) {
            // The primary superblock may share a block with the boot block.
            let superblock = (1024..2048).contains(&at);
            assert!(
                old == new || resize_inode.contains(&at) || superblock,
                "{context}: byte {at} in block {block} was {old:#x} and is {new:#x}"
            );
        }
    }
}

fn double_indirect(opened: &Opened, inode: u64) -> Option<u64> {
    let bytes = opened.storage.read_vec(inode + 0x28 + 13 * 4, 4).unwrap();
    let block = u32::from_le_bytes(bytes.try_into().unwrap());
    (block != 0).then_some(block.into())
}

/// The blocks that were in use before and differ in `after`.
fn differing(before: &Opened, after: &Opened) -> Vec<u64> {
    let size = u64::from(before.geometry.block_size);
    let mut found = Vec::new();
    let used = used_extents(&before.storage).unwrap();
    for range in used.iter() {
        let mut at = range.start / size * size;
        while at < range.end {
            let part = (range.end - at).min(MIB).next_multiple_of(size) as usize;
            let old = before.storage.read_vec(at, part).unwrap();
            let new = after.storage.read_vec(at, part).unwrap();
            let pairs = old.chunks(size as usize).zip(new.chunks(size as usize));
            let blocks = (at / size..).zip(pairs);
            found.extend(blocks.filter(|(_, (old, new))| old != new).map(|(block, _)| block));
            at += part as u64;
        }
    }
    found
}

/// Panics unless growing in two steps gives the same used blocks as growing once, apart from the
/// bitmap that only a last group must have.
pub fn assert_same_filesystem(once: &Path, steps: &Path, old_blocks: u64, context: &str) {
    let (once, steps) = (open(once), open(steps));
    assert_eq!(once.geometry, steps.geometry, "{context}: in two steps");
    let geometry = &once.geometry;
    let base: HashSet<u64> =
        (0..geometry.groups).flat_map(|group| geometry.base_range(group)).collect();
    let superblock_in_0 = |block: u64| block == 0 && geometry.superblock_block(0) == 0;
    let other: Vec<u64> = differing(&once, &steps)
        .into_iter()
        .filter(|&block| !base.contains(&block) && !superblock_in_0(block))
        .collect();
    assert!(other.is_empty(), "{context}: in two steps, blocks {other:?} differ");

    let tables = [&once, &steps].map(|opened| descriptors(&opened.storage, geometry));
    for (group, (once, steps)) in tables[0].iter().zip(&tables[1]).enumerate() {
        let fields = |d: &ext4_offline::internals::GroupDescriptor| {
            (
                [d.bg_block_bitmap(), d.bg_inode_bitmap(), d.bg_inode_table()],
                [d.bg_free_blocks_count(), d.bg_free_inodes_count(), d.bg_used_dirs_count()],
                [d.bg_itable_unused(), d.bg_block_bitmap_csum(), d.bg_inode_bitmap_csum()],
                d.bg_flags() & !BLOCK_UNINIT,
            )
        };
        assert_eq!(fields(once), fields(steps), "{context}: in two steps, group {group}");
    }
    let [once, steps] = [&once, &steps].map(|opened| Superblock::read(&opened.storage).unwrap());
    // The first step rounds the reserve down, and the second multiplies what is lost.
    let lost = once.s_r_blocks_count().abs_diff(steps.s_r_blocks_count());
    let most = once.s_blocks_count() / old_blocks + 1;
    assert!(lost <= most, "{context}: in two steps, {lost} blocks less are reserved");
    let counts = |s: &Superblock| (s.s_free_blocks_count(), s.s_free_inodes_count(), s.features());
    assert_eq!(counts(&once), counts(&steps), "{context}: in two steps");
}
