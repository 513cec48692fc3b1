//! The owners of all blocks of a filesystem: blocks are free if nothing owns them.

use std::{ops::Range, path::Path};

use block_io::{FileStorage, ReadAt};
use ext4_offline::internals::{
    DescriptorTable, Geometry, GroupDescriptor, INODE_UNINIT, Superblock,
};

/// The clusters of a filesystem, by owner.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// All clusters that have bits in the bitmaps.
    pub clusters: u64,
    /// Superblocks, descriptors, and blocks reserved for descriptors.
    pub base: u64,
    /// Bitmaps and inode tables that are not in `base`.
    pub tables: u64,
    /// Blocks of inodes, without the reserved blocks, which are in `base`.
    pub inodes: u64,
}

impl Account {
    /// Counts them.
    pub fn of(image: &Path) -> Account {
        let storage = FileStorage::open(image).unwrap();
        let superblock = Superblock::read(&storage).unwrap();
        let geometry = Geometry::of(&superblock).unwrap();
        let descriptors = descriptors(&storage, &geometry);
        let base: Vec<_> = (0..geometry.groups).map(|group| geometry.base_range(group)).collect();
        let mut all = base.clone();
        for descriptor in &descriptors {
            let table = descriptor.bg_inode_table();
            let bitmaps = [descriptor.bg_block_bitmap(), descriptor.bg_inode_bitmap()];
            all.extend(bitmaps.map(|block| block..block + 1));
            all.push(table..table + u64::from(geometry.inode_table_blocks()));
        }
        let (base, all) = (clusters(base, &geometry), clusters(all, &geometry));
        Account {
            clusters: (0..geometry.groups).map(|g| u64::from(geometry.group_clusters(g))).sum(),
            base,
            tables: all - base,
            inodes: inodes(&storage, &superblock, &geometry, &descriptors),
        }
    }

    /// The clusters without an owner.
    pub fn free(&self) -> u64 {
        self.clusters - self.base - self.tables - self.inodes
    }
}

/// The descriptors of all groups.
pub fn descriptors(storage: &FileStorage, geometry: &Geometry) -> Vec<GroupDescriptor> {
    let size = geometry.descriptor_size as usize;
    let mut table = Vec::new();
    for index in 0..geometry.descriptor_blocks() {
        let offset = geometry.offset(geometry.descriptor_block(index));
        table.extend(storage.read_vec(offset, geometry.block_size as usize).unwrap());
    }
    table.truncate(geometry.groups as usize * size);
    let table = DescriptorTable::new(geometry.descriptor_size, table);
    (0..geometry.groups).map(|group| table.get(group)).collect()
}

/// The number of clusters that hold these blocks.
fn clusters(mut ranges: Vec<Range<u64>>, geometry: &Geometry) -> u64 {
    let cluster = u64::from(geometry.cluster_blocks);
    let first = u64::from(geometry.first_data_block);
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let (mut count, mut end) = (0, 0);
    for range in ranges {
        let start = ((range.start - first) / cluster).max(end);
        end = (range.end - first).div_ceil(cluster).max(end);
        count += end - start.min(end);
    }
    count
}

fn inodes(
    storage: &FileStorage,
    superblock: &Superblock,
    geometry: &Geometry,
    descriptors: &[GroupDescriptor],
) -> u64 {
    let size = geometry.inode_size as usize;
    let cluster_sectors = u64::from(geometry.block_size / 512 * geometry.cluster_blocks);
    let flags =
        ["uninit_bg", "metadata_csum"].iter().any(|name| superblock.features().contains(name));
    let mut count = 0;
    for (group, descriptor) in descriptors.iter().enumerate() {
        if flags && descriptor.bg_flags() & INODE_UNINIT != 0 {
            continue;
        }
        let unused = if flags { descriptor.bg_itable_unused() } else { 0 };
        let used = (geometry.inodes_per_group - unused) as usize;
        let offset = geometry.offset(descriptor.bg_inode_table());
        let table = storage.read_vec(offset, used * size).unwrap();
        for (index, inode) in table.chunks_exact(size).enumerate() {
            let u32_at = |at: usize| u32::from_le_bytes(inode[at..at + 4].try_into().unwrap());
            count += match (group, index + 1) {
                // The resize inode: its double-indirect block.
                (0, 7) => u64::from(u32_at(0x28 + 13 * 4) != 0),
                _ => u64::from(u32_at(0x1c)).div_ceil(cluster_sectors),
            };
        }
    }
    count
}
