//! The plan of growing: everything that it will write.

use std::{collections::BTreeMap, ops::Range};

use block_io::ReadAt;

use super::{layout, resize_inode};
use crate::{
    Error, Geometry, Operation, Result, Timestamp,
    bitmap::{self, Bitmap},
    features::flag,
    filesystem::Filesystem,
    group_desc::{BLOCK_UNINIT, GroupDescriptor, INODE_UNINIT, INODE_ZEROED},
};

/// What to do with bitmaps and tables that flags can declare uninitialized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// Write them.
    Complete,
    /// Leave them to the kernel.
    Lazy,
}

/// Everything that growing will write.
///
/// The bitmaps of `block_bitmaps` and `inode_bitmaps` follow from geometry and descriptors, so they
/// are not kept here.
#[derive(Debug)]
pub(crate) struct Plan {
    pub old: Geometry,
    /// The filesystem after growing.
    pub new: Filesystem,
    /// Blocks of the old filesystem with their new contents, besides
    /// superblocks and descriptors.
    pub blocks: BTreeMap<u64, Vec<u8>>,
    /// Groups whose block bitmap, with only metadata in use, is written.
    pub block_bitmaps: Vec<u32>,
    /// Groups whose inode bitmap, with no inode in use, is written.
    pub inode_bitmaps: Vec<u32>,
    /// Bytes of inode tables that must be zero.
    pub zeroed: Vec<Range<u64>>,
}

impl Plan {
    /// Makes the plan, or returns why growing is not possible.
    pub fn new(storage: &dyn ReadAt, target: u64, now: Timestamp, tables: Tables) -> Result<Self> {
        let fs = Filesystem::open(storage, Operation::Grow)?;
        fs.check_state(Operation::Grow)?;
        check_features(&fs)?;
        let current = fs.geometry.bytes();
        if target < current {
            return Err(Error::Shrink { current, target });
        }
        if target > storage.size() {
            return Err(Error::NoSpace { target, storage: storage.size() });
        }
        let blocks = target / u64::from(fs.geometry.block_size);
        let geometry = layout::grown(&fs.geometry, &fs.superblock.features(), blocks)?;
        let mut planner = Planner {
            edited: BTreeMap::new(),
            tables,
            plan: Plan {
                old: fs.geometry.clone(),
                new: Filesystem { geometry, ..fs.clone() },
                blocks: BTreeMap::new(),
                block_bitmaps: Vec::new(),
                inode_bitmaps: Vec::new(),
                zeroed: Vec::new(),
            },
        };
        if !planner.plan.is_empty() {
            planner.extend_last_group(&fs, storage)?;
            planner.free_old_backups(&fs, storage)?;
            planner.grow_resize_inode(&fs, storage)?;
            planner.add_groups();
            planner.initialize_tables();
            planner.finish_bitmaps();
            planner.finish_superblock(now);
        }
        Ok(planner.plan)
    }

    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.old == self.new.geometry
    }
}

/// Refuses combinations that the kernel and e2fsprogs reject or disagree about.
fn check_features(fs: &Filesystem) -> Result<()> {
    let features = fs.superblock.features();
    let reserved = fs.superblock.s_reserved_gdt_blocks();
    if features.resize_inode() && features.meta_bg() {
        return Err(Error::Superblock {
            field: "s_feature_incompat",
            value: features.incompat.into(),
            reason: "meta_bg and resize_inode exclude each other",
        });
    }
    if reserved != 0 && !features.resize_inode() {
        return Err(Error::Superblock {
            field: "s_reserved_gdt_blocks",
            value: reserved.into(),
            reason: "only filesystems with resize_inode can have reserved blocks",
        });
    }
    Ok(())
}

struct Planner {
    /// Block bitmaps of old groups that change.
    edited: BTreeMap<u32, Bitmap>,
    tables: Tables,
    plan: Plan,
}

impl Planner {
    /// Adds the missing blocks of the old last group, as whole clusters.
    fn extend_last_group(&mut self, fs: &Filesystem, storage: &dyn ReadAt) -> Result<()> {
        let Some(group) = fs.geometry.groups.checked_sub(1) else { return Ok(()) };
        let (before, after) =
            (fs.geometry.group_clusters(group), self.plan.new.geometry.group_clusters(group));
        if before < after {
            let mut bitmap = fs.block_bitmap(storage, group)?;
            bitmap.fill(before..after, false);
            self.edited.insert(group, bitmap);
            self.add_free_clusters(group, after - before);
        }
        Ok(())
    }

    /// Frees the backups of `sparse_super2` that move elsewhere.
    fn free_old_backups(&mut self, fs: &Filesystem, storage: &dyn ReadAt) -> Result<()> {
        let old = &fs.geometry;
        for group in old.backup_groups() {
            if self.plan.new.geometry.has_superblock(group) {
                continue;
            }
            // A cluster can also hold tables, and with `meta_bg` descriptors stay.
            let still_used = self.clusters_with_metadata(fs, group);
            let Some(bits) = bitmap::bits_of(old, group, old.base_range(group)) else { continue };
            let mut bitmap = match self.edited.remove(&group) {
                Some(bitmap) => bitmap,
                None => fs.block_bitmap(storage, group)?,
            };
            let mut freed = 0;
            for bit in bits {
                if bitmap.get(bit) && !still_used.get(bit) {
                    bitmap.fill(bit..bit + 1, false);
                    freed += 1;
                }
            }
            self.edited.insert(group, bitmap);
            self.add_free_clusters(group, freed);
        }
        Ok(())
    }

    /// The clusters of an old group that hold metadata of any group after growing.
    fn clusters_with_metadata(&self, fs: &Filesystem, group: u32) -> Bitmap {
        let new = &self.plan.new.geometry;
        let mut bitmap = Bitmap::clear(new.block_size, new.group_clusters(group));
        let tables = (0..fs.geometry.groups)
            .flat_map(|other| bitmap::own_metadata(&fs.geometry, &fs.descriptors.get(other)))
            .map(|(_, blocks)| blocks);
        for blocks in tables.chain([new.base_range(group)]) {
            if let Some(bits) = bitmap::bits_of(new, group, blocks) {
                bitmap.fill(bits, true);
            }
        }
        bitmap
    }

    fn add_free_clusters(&mut self, group: u32, count: u32) {
        let descriptors = &mut self.plan.new.descriptors;
        let mut descriptor = descriptors.get(group);
        let free = descriptor.bg_free_blocks_count().saturating_add(count);
        descriptor.set_bg_free_blocks_count(free);
        // Its bitmap is stored now.
        descriptor.set_bg_flags(descriptor.bg_flags() & !BLOCK_UNINIT);
        descriptors.set(group, &descriptor);
    }

    fn grow_resize_inode(&mut self, fs: &Filesystem, storage: &dyn ReadAt) -> Result<()> {
        let changes = resize_inode::plan(fs, storage, &self.plan.new.geometry)?;
        self.plan.blocks.extend(changes.blocks);
        let Some(block) = changes.freed else { return Ok(()) };

        let wrong = |reason| Err(Error::ResizeInode { block, reason });
        let geometry = &fs.geometry;
        let from_first = block.saturating_sub(geometry.first_data_block.into());
        let group = (from_first / u64::from(geometry.blocks_per_group)) as u32;
        let bit = (from_first % u64::from(geometry.blocks_per_group)) as u32;
        let bit = bit / geometry.cluster_blocks;
        let mut bitmap = match self.edited.remove(&group) {
            Some(bitmap) => bitmap,
            None => fs.block_bitmap(storage, group)?,
        };
        let metadata = bitmap::metadata_only(geometry, group, &fs.descriptors.get(group));
        if !bitmap.get(bit) {
            return wrong("its double-indirect block is not marked as in use");
        }
        if metadata.get(bit) {
            return wrong("its double-indirect block is in the place of other metadata");
        }
        bitmap.fill(bit..bit + 1, false);
        self.edited.insert(group, bitmap);
        self.add_free_clusters(group, 1);
        Ok(())
    }

    /// Plans new groups: their base metadata, two bitmaps and the inode table.
    fn add_groups(&mut self) {
        let has_flags = self.plan.new.superblock.features().group_checksums();
        let geometry = self.plan.new.geometry.clone();
        for group in self.plan.old.groups..geometry.groups {
            let mut descriptor = GroupDescriptor::new(geometry.descriptor_size);
            let base = geometry.base_metadata(group).blocks();
            let start = geometry.group_start(group) + u64::from(base);
            descriptor.set_bg_block_bitmap(start);
            descriptor.set_bg_inode_bitmap(start + 1);
            descriptor.set_bg_inode_table(start + 2);
            let used = (base + 2 + geometry.inode_table_blocks()).div_ceil(geometry.cluster_blocks);
            let free = geometry.group_clusters(group).saturating_sub(used);
            descriptor.set_bg_free_blocks_count(free);
            descriptor.set_bg_free_inodes_count(geometry.inodes_per_group);
            if has_flags {
                descriptor.set_bg_itable_unused(geometry.inodes_per_group);
                // The kernel expects the block bitmap of the last group to be stored.
                let last = group + 1 == geometry.groups;
                let flags = if last { INODE_UNINIT } else { INODE_UNINIT | BLOCK_UNINIT };
                descriptor.set_bg_flags(flags);
            }
            self.plan.new.descriptors.set(group, &descriptor);
        }
    }

    /// Decides which bitmaps are written and which tables zeroed, in old
    /// groups too: their flags may have left some uninitialized.
    fn initialize_tables(&mut self) {
        let new = &mut self.plan.new;
        let has_flags = new.superblock.features().group_checksums();
        let complete = self.tables == Tables::Complete;
        for group in 0..new.geometry.groups {
            let is_new = group >= self.plan.old.groups;
            let mut descriptor = new.descriptors.get(group);
            let (block_uninit, inode_uninit) =
                (new.block_uninit(&descriptor), new.inode_uninit(&descriptor));
            // Everything that is not declared uninitialized must be written.
            if (is_new && !block_uninit) || (block_uninit && complete) {
                self.plan.block_bitmaps.push(group);
            }
            if (is_new && !inode_uninit) || (inode_uninit && complete) {
                self.plan.inode_bitmaps.push(group);
            }
            let zeroed = descriptor.bg_flags() & INODE_ZEROED != 0;
            let must_zero = if has_flags { complete && !zeroed } else { is_new };
            if must_zero {
                let unused = if has_flags {
                    new.itable_unused(&descriptor)
                } else {
                    new.geometry.inodes_per_group
                };
                let table = descriptor.bg_inode_table();
                let first = new.geometry.inodes_per_group - unused;
                let start = new.geometry.offset(table)
                    + u64::from(first) * u64::from(new.geometry.inode_size);
                let end = table + u64::from(new.geometry.inode_table_blocks());
                self.plan.zeroed.push(start..new.geometry.offset(end));
                if has_flags {
                    descriptor.set_bg_flags(descriptor.bg_flags() | INODE_ZEROED);
                    new.descriptors.set(group, &descriptor);
                }
            }
        }
    }

    /// Updates all checksums of bitmaps and descriptors.
    fn finish_bitmaps(&mut self) {
        let new = &mut self.plan.new;
        for &group in &self.plan.block_bitmaps {
            let mut descriptor = new.descriptors.get(group);
            let bitmap = bitmap::metadata_only(&new.geometry, group, &descriptor);
            if let Some(checksum) = new.block_bitmap_checksum(&bitmap) {
                descriptor.set_bg_block_bitmap_csum(checksum);
                new.descriptors.set(group, &descriptor);
            }
        }
        for (&group, bitmap) in &self.edited {
            let mut descriptor = new.descriptors.get(group);
            if let Some(checksum) = new.block_bitmap_checksum(bitmap) {
                descriptor.set_bg_block_bitmap_csum(checksum);
                new.descriptors.set(group, &descriptor);
            }
            self.plan.blocks.insert(descriptor.bg_block_bitmap(), bitmap.as_bytes().to_vec());
        }
        let empty = new.inode_bitmap_checksum(&bitmap::no_inodes(&new.geometry));
        if let Some(checksum) = empty {
            for &group in &self.plan.inode_bitmaps {
                let mut descriptor = new.descriptors.get(group);
                descriptor.set_bg_inode_bitmap_csum(checksum);
                new.descriptors.set(group, &descriptor);
            }
        }
        for group in 0..new.geometry.groups {
            let mut descriptor = new.descriptors.get(group);
            descriptor.update_checksum(group, &new.checksums);
            new.descriptors.set(group, &descriptor);
        }
    }

    fn finish_superblock(&mut self, now: Timestamp) {
        self.plan.new.count_free();
        let Filesystem { superblock, geometry, .. } = &mut self.plan.new;
        geometry.store_in(superblock);
        if geometry.first_meta_bg.is_some() {
            superblock.set_feature(flag::RESIZE_INODE, false);
            superblock.set_feature(flag::META_BG, true);
        }
        superblock.set_write_time(now);
        superblock.update_checksum();
    }
}
