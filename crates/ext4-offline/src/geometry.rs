//! The layout of a filesystem: groups, superblocks, descriptor blocks.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/blockgroup.rst` and
//! `super.rst`. Nothing here reads a storage.

use std::ops::Range;

use crate::{Error, Result, Superblock};

/// The largest supported number of groups. With the usual groups of 128 MiB that is a
/// filesystem of 128 TiB.
pub const MAX_GROUPS: u32 = 1 << 20;

/// The largest number of clusters or inodes of a group: the counts must fit into 16 bits.
const MAX_PER_GROUP: u32 = 65528;

/// Which groups hold a copy of the superblock, besides group 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backups {
    /// All of them.
    All,
    /// Group 1 and the powers of 3, 5 and 7 (`sparse_super`).
    Sparse,
    /// These two; 0 stands for none (`sparse_super2`).
    Two([u32; 2]),
}

/// The metadata of the whole filesystem that a group begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseMetadata {
    /// Whether it holds a copy of the superblock.
    pub superblock: bool,
    /// How many descriptor blocks it holds.
    pub descriptor_blocks: u32,
    /// How many blocks it holds in reserve for more descriptors.
    pub reserved_blocks: u32,
}

impl BaseMetadata {
    /// Returns how many blocks that is altogether.
    pub fn blocks(&self) -> u32 {
        u32::from(self.superblock) + self.descriptor_blocks + self.reserved_blocks
    }
}

/// The layout parameters of a filesystem, checked against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes per block.
    pub block_size: u32,
    /// All blocks, including those before `first_data_block`.
    pub blocks: u64,
    /// The first block of group 0.
    pub first_data_block: u32,
    /// Blocks per group.
    pub blocks_per_group: u32,
    /// Blocks per cluster; 1 without `bigalloc`.
    pub cluster_blocks: u32,
    /// Inodes per group.
    pub inodes_per_group: u32,
    /// Bytes per inode.
    pub inode_size: u32,
    /// Bytes per group descriptor.
    pub descriptor_size: u32,
    /// Number of groups.
    pub groups: u32,
    /// Descriptor blocks held in reserve after those in use.
    pub reserved_gdt_blocks: u32,
    /// With `meta_bg`: the first descriptor block that is in its meta group.
    pub first_meta_bg: Option<u32>,
    /// Which groups hold backups.
    pub backups: Backups,
}

fn check(ok: bool, field: &'static str, value: impl Into<u64>, reason: &'static str) -> Result<()> {
    if ok { Ok(()) } else { Err(Error::Superblock { field, value: value.into(), reason }) }
}

/// The size of a descriptor in bytes. Without `64bit` it is 32 whatever the field says, but e2fsck
/// still rejects values that are impossible with it.
fn descriptor_size(superblock: &Superblock) -> Result<u32> {
    let (field, size) = ("s_desc_size", superblock.s_desc_size());
    let bits64 = superblock.features().bits64();
    let possible = size.is_power_of_two() && size <= 1024 && (size >= 64 || !bits64);
    let reason = "the size of a descriptor is a power of 2 from 64 to 1024";
    check(possible || (size == 0 && !bits64), field, size, reason)?;
    match (bits64, size) {
        (false, _) => Ok(32),
        (true, 64) => Ok(64),
        (true, size) => {
            let reason = "only descriptors of 32 and 64 bytes are supported";
            Err(Error::Unsupported { field, value: size.into(), reason })
        }
    }
}

impl Geometry {
    /// Reads the parameters from a superblock and checks them.
    ///
    /// # Errors
    /// [`Error::Superblock`] names the field with the impossible value;
    /// [`Error::Unsupported`], [`Error::TooManyGroups`].
    pub fn of(superblock: &Superblock) -> Result<Self> {
        let features = superblock.features();
        let log = superblock.s_log_block_size();
        check(log <= 6, "s_log_block_size", log, "blocks have 1 to 64 KiB")?;
        let block_size = 1024u32 << log;
        let bits = block_size * 8;

        let cluster_blocks = if features.bigalloc() {
            let cluster_log = superblock.s_log_cluster_size();
            check(
                (log..=20).contains(&cluster_log),
                "s_log_cluster_size",
                cluster_log,
                "clusters have at least a block and at most 1 GiB",
            )?;
            1u32 << (cluster_log - log)
        } else {
            1
        };
        let blocks_per_group = superblock.s_blocks_per_group();
        let clusters_per_group = blocks_per_group / cluster_blocks;
        check(
            blocks_per_group.is_multiple_of(cluster_blocks)
                && (256..=bits.min(MAX_PER_GROUP)).contains(&clusters_per_group)
                && clusters_per_group.is_multiple_of(8),
            "s_blocks_per_group",
            blocks_per_group,
            "a group has a multiple of 8 blocks, at least 256 and at most as many as its bitmap has bits",
        )?;
        if features.bigalloc() {
            check(
                superblock.s_clusters_per_group() == clusters_per_group,
                "s_clusters_per_group",
                superblock.s_clusters_per_group(),
                "it contradicts s_blocks_per_group",
            )?;
        }

        let first_data_block = superblock.s_first_data_block();
        check(
            first_data_block == u32::from(log == 0 && !features.bigalloc()),
            "s_first_data_block",
            first_data_block,
            "it must be 1 with blocks of 1 KiB and no bigalloc, otherwise 0",
        )?;
        let blocks = superblock.s_blocks_count();
        check(
            blocks > u64::from(first_data_block) + 8 && blocks <= u64::MAX / u64::from(block_size),
            "s_blocks_count",
            blocks,
            "a filesystem cannot have this size",
        )?;
        let groups = (blocks - u64::from(first_data_block)).div_ceil(blocks_per_group.into());
        let groups = match u32::try_from(groups) {
            Ok(groups) if groups <= MAX_GROUPS => groups,
            _ => return Err(Error::TooManyGroups { groups, limit: MAX_GROUPS }),
        };

        let inode_size = match superblock.s_rev_level() {
            0 => 128,
            _ => u32::from(superblock.s_inode_size()),
        };
        check(
            inode_size.is_power_of_two() && (128..=block_size).contains(&inode_size),
            "s_inode_size",
            inode_size,
            "the size of an inode is a power of 2 from 128 to the block size",
        )?;
        let inodes_per_group = superblock.s_inodes_per_group();
        check(
            (8..=bits.min(MAX_PER_GROUP)).contains(&inodes_per_group),
            "s_inodes_per_group",
            inodes_per_group,
            "a group has at least 8 inodes and no more than its bitmap has bits",
        )?;
        check(
            u64::from(superblock.s_inodes_count())
                == u64::from(groups) * u64::from(inodes_per_group),
            "s_inodes_count",
            superblock.s_inodes_count(),
            "it must be the number of groups times s_inodes_per_group",
        )?;

        let descriptor_size = descriptor_size(superblock)?;

        let reserved = u32::from(superblock.s_reserved_gdt_blocks());
        check(
            reserved <= block_size / 4,
            "s_reserved_gdt_blocks",
            reserved,
            "the resize inode has room for fewer",
        )?;
        let mut geometry = Geometry {
            block_size,
            blocks,
            first_data_block,
            blocks_per_group,
            cluster_blocks,
            inodes_per_group,
            inode_size,
            descriptor_size,
            groups,
            reserved_gdt_blocks: reserved,
            first_meta_bg: None,
            backups: match (features.sparse_super2(), features.sparse_super()) {
                (true, _) => Backups::Two(superblock.s_backup_bgs()),
                (false, true) => Backups::Sparse,
                (false, false) => Backups::All,
            },
        };
        if features.meta_bg() {
            let first = superblock.s_first_meta_bg();
            check(
                first <= geometry.descriptor_blocks(),
                "s_first_meta_bg",
                first,
                "there are fewer descriptor blocks",
            )?;
            geometry.first_meta_bg = Some(first);
            // Meaningless with meta_bg: nothing can come after those in use.
            geometry.reserved_gdt_blocks = 0;
        }
        let base = u64::from(geometry.base_metadata(0).blocks());
        check(
            base + 2 <= u64::from(geometry.group_blocks(0)),
            "s_blocks_count",
            blocks,
            "the first group has no room for the descriptors",
        )?;
        Ok(geometry)
    }

    /// Sets the superblock's fields to this geometry, for a new size. The same share of the
    /// blocks stays reserved for root, with the rounding of resize2fs, so that both agree to
    /// the block.
    pub(crate) fn store_in(&self, superblock: &mut Superblock) {
        let old = (superblock.s_r_blocks_count(), superblock.s_blocks_count());
        let percent = old.0 as f64 * 100.0 / old.1 as f64;
        let reserved = (percent * self.blocks as f64 / 100.0) as u64;
        superblock.set_s_blocks_count(self.blocks);
        superblock.set_s_r_blocks_count(reserved.min(self.blocks / 2));
        superblock.set_s_inodes_count(self.groups.saturating_mul(self.inodes_per_group));
        // The number was read from this field, or is smaller.
        superblock.set_s_reserved_gdt_blocks(self.reserved_gdt_blocks as u16);
        if let Backups::Two(groups) = self.backups {
            superblock.set_s_backup_bgs(groups);
        }
        if let Some(first) = self.first_meta_bg {
            superblock.set_s_first_meta_bg(first);
        }
        // Zero makes every version of the kernel compute it.
        superblock.set_s_overhead_clusters(0);
    }

    /// Returns how many descriptors a block holds.
    pub fn descriptors_per_block(&self) -> u32 {
        self.block_size / self.descriptor_size
    }

    /// Returns how many blocks the descriptors of all groups take.
    pub fn descriptor_blocks(&self) -> u32 {
        self.groups.div_ceil(self.descriptors_per_block())
    }

    /// Returns how many blocks of descriptors follow each superblock, without the reserved
    /// ones. With `meta_bg` the others are in their meta groups.
    pub fn leading_descriptor_blocks(&self) -> u32 {
        self.first_meta_bg.unwrap_or_else(|| self.descriptor_blocks())
    }

    /// Returns how many blocks a group's inode table takes.
    pub fn inode_table_blocks(&self) -> u32 {
        // At most 2^19 inodes of 2^16 bytes: too much for 32 bits.
        let bytes = u64::from(self.inodes_per_group) * u64::from(self.inode_size);
        bytes.div_ceil(u64::from(self.block_size)) as u32
    }

    /// The first block of a group.
    pub fn group_start(&self, group: u32) -> u64 {
        u64::from(self.first_data_block) + u64::from(group) * u64::from(self.blocks_per_group)
    }

    /// Returns how many blocks a group has; only the last may have fewer than the others.
    pub fn group_blocks(&self, group: u32) -> u32 {
        let left = self.blocks.saturating_sub(self.group_start(group));
        left.min(u64::from(self.blocks_per_group)) as u32
    }

    /// The blocks of a group.
    pub fn group_range(&self, group: u32) -> Range<u64> {
        let start = self.group_start(group);
        start..start + u64::from(self.group_blocks(group))
    }

    /// Returns how many bits of a group's block bitmap stand for clusters.
    pub fn group_clusters(&self, group: u32) -> u32 {
        self.group_blocks(group).div_ceil(self.cluster_blocks)
    }

    /// Returns how many clusters every group but the last has.
    pub fn clusters_per_group(&self) -> u32 {
        self.blocks_per_group / self.cluster_blocks
    }

    /// Returns whether a group holds a copy of the superblock.
    pub fn has_superblock(&self, group: u32) -> bool {
        if group == 0 {
            return true;
        }
        match self.backups {
            Backups::All => true,
            Backups::Two(groups) => groups.contains(&group),
            Backups::Sparse => group == 1 || [3, 5, 7].iter().any(|&base| is_power(group, base)),
        }
    }

    /// The groups that hold backups, in ascending order, without group 0.
    pub fn backup_groups(&self) -> Vec<u32> {
        let mut groups: Vec<u32> = match self.backups {
            Backups::All => (1..self.groups).collect(),
            Backups::Two(groups) => groups.into_iter().filter(|&group| group != 0).collect(),
            Backups::Sparse => [3u32, 5, 7]
                .into_iter()
                .flat_map(|base| std::iter::successors(Some(base), move |p| p.checked_mul(base)))
                .chain([1])
                .collect(),
        };
        groups.retain(|&group| group < self.groups);
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// The block that holds, or would hold, a group's copy of the superblock.
    pub fn superblock_block(&self, group: u32) -> u64 {
        match self.group_start(group) {
            // Only with bigalloc: the primary superblock never begins at byte 0.
            0 if self.block_size == 1024 => 1,
            start => start,
        }
    }

    /// Returns how many blocks a group's metadata takes that has its bitmaps and inode table
    /// inside.
    pub(crate) fn metadata_blocks(&self, group: u32) -> u64 {
        u64::from(self.base_metadata(group).blocks()) + 2 + u64::from(self.inode_table_blocks())
    }

    /// What a group begins with.
    pub fn base_metadata(&self, group: u32) -> BaseMetadata {
        let superblock = self.has_superblock(group);
        if self.in_meta_group(group) {
            let holds = self.holds_meta_descriptors(group);
            let descriptor_blocks = u32::from(holds);
            return BaseMetadata { superblock, descriptor_blocks, reserved_blocks: 0 };
        }
        BaseMetadata {
            superblock,
            descriptor_blocks: if superblock { self.leading_descriptor_blocks() } else { 0 },
            reserved_blocks: if superblock { self.reserved_gdt_blocks } else { 0 },
        }
    }

    /// The blocks that a group's base metadata takes.
    pub fn base_range(&self, group: u32) -> Range<u64> {
        let start = self.superblock_block(group);
        start..start + u64::from(self.base_metadata(group).blocks())
    }

    /// Returns whether the group's descriptor is where `meta_bg` puts it.
    pub(crate) fn in_meta_group(&self, group: u32) -> bool {
        self.first_meta_bg.is_some_and(|first| group / self.descriptors_per_block() >= first)
    }

    /// A meta group's descriptors are in its first, second and last group.
    fn holds_meta_descriptors(&self, group: u32) -> bool {
        let per_block = self.descriptors_per_block();
        let position = group % per_block;
        position <= 1 || position == per_block - 1
    }

    /// All blocks that hold the given block of the descriptor table: the
    /// primary first, then the copies.
    pub fn descriptor_block_locations(&self, index: u32) -> Vec<u64> {
        let meta = self.first_meta_bg.is_some_and(|first| index >= first);
        if !meta {
            return std::iter::once(0)
                .chain(self.backup_groups().into_iter().filter(|&group| !self.in_meta_group(group)))
                .map(|group| self.superblock_block(group) + 1 + u64::from(index))
                .collect();
        }
        let per_block = self.descriptors_per_block();
        let first = index.saturating_mul(per_block);
        [first, first.saturating_add(1), first.saturating_add(per_block - 1)]
            .into_iter()
            .filter(|&group| group < self.groups)
            .map(|group| self.superblock_block(group) + u64::from(self.has_superblock(group)))
            .collect()
    }

    /// Returns where the primary copy of the given block of the descriptor table is.
    pub fn descriptor_block(&self, index: u32) -> u64 {
        if self.first_meta_bg.is_some_and(|first| index >= first) {
            let group = index.saturating_mul(self.descriptors_per_block());
            self.superblock_block(group) + u64::from(self.has_superblock(group))
        } else {
            self.superblock_block(0) + 1 + u64::from(index)
        }
    }

    /// The size of the filesystem in bytes.
    pub fn bytes(&self) -> u64 {
        self.blocks * u64::from(self.block_size)
    }

    /// The first byte of a block.
    pub fn offset(&self, block: u64) -> u64 {
        block.saturating_mul(u64::from(self.block_size))
    }
}

fn is_power(value: u32, base: u32) -> bool {
    let mut power = u64::from(base);
    while power < u64::from(value) {
        power *= u64::from(base);
    }
    power == u64::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(groups: u32, first_meta_bg: Option<u32>) -> Geometry {
        Geometry {
            block_size: 1024,
            blocks: 1 + u64::from(groups) * 8192,
            first_data_block: 1,
            blocks_per_group: 8192,
            cluster_blocks: 1,
            inodes_per_group: 2048,
            inode_size: 256,
            descriptor_size: 64,
            groups,
            reserved_gdt_blocks: if first_meta_bg.is_some() { 0 } else { 10 },
            first_meta_bg,
            backups: Backups::Sparse,
        }
    }

    #[test]
    fn sparse_backups_are_in_powers_of_3_5_and_7() {
        let geometry = geometry(130, None);
        let marked: Vec<_> = (1..130).filter(|&group| geometry.has_superblock(group)).collect();
        assert_eq!(geometry.backup_groups(), marked);
        assert_eq!(marked, [1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }

    #[test]
    fn leading_descriptors_follow_every_superblock() {
        let geometry = geometry(40, None);
        assert_eq!(geometry.descriptor_blocks(), 3);
        assert_eq!(geometry.descriptor_block(2), 4);
        assert_eq!(geometry.descriptor_block_locations(2)[..2], [4, 8193 + 3]);
        assert_eq!(geometry.base_range(3), 3 * 8192 + 1..3 * 8192 + 15);
        assert!(geometry.base_range(4).is_empty());
    }

    #[test]
    fn meta_groups_hold_their_own_descriptors() {
        let geometry = geometry(100, Some(1));
        // Meta group 1 is groups 16 to 31: descriptors in 16, 17 and 31.
        let start = |group| geometry.group_start(group);
        assert_eq!(geometry.descriptor_block_locations(1), [start(16), start(17), start(31)]);
        // Group 81 has a superblock before them.
        assert_eq!(geometry.descriptor_block_locations(5)[..2], [start(80), start(81) + 1]);
        // The last meta group is cut short.
        assert_eq!(geometry.descriptor_block_locations(6), [start(96), start(97)]);
        // A backup within the meta groups has no leading descriptors.
        assert_eq!(geometry.base_metadata(27).blocks(), 1);
        assert_eq!(geometry.base_metadata(9).blocks(), 2);
    }
}
