//! The superblock, for whoever wants to know what is there.

use block_io::ReadAt;

use crate::{
    Error, Features, Result, Superblock, Timestamp,
    superblock::{STATE_ERROR, STATE_VALID},
};

/// The generation of a filesystem, as its features show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtVersion {
    /// No journal and nothing that ext3 or ext4 brought.
    Ext2,
    /// A journal, but nothing that ext4 brought.
    Ext3,
    /// Extents, checksums or another of ext4's features.
    Ext4,
}

/// The superblock's information about a filesystem.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FilesystemInfo {
    /// ext2, ext3 or ext4.
    pub version: ExtVersion,
    /// The UUID's bytes in the order in which they are written.
    pub uuid: [u8; 16],
    /// The label; empty if there is none.
    pub label: String,
    /// The directory where it was mounted last; empty if it never was.
    pub last_mounted: String,
    /// Its features.
    pub features: Features,
    /// Bytes per block.
    pub block_size: u32,
    /// All blocks.
    pub blocks: u64,
    /// Free blocks, as the superblock counts them.
    pub free_blocks: u64,
    /// All inodes.
    pub inodes: u32,
    /// Free inodes, as the superblock counts them.
    pub free_inodes: u32,
    /// The time of the last write.
    pub last_written: Timestamp,
    /// It was unmounted cleanly, or has a journal that can be replayed.
    pub clean: bool,
    /// It is marked as having errors.
    pub errors: bool,
    /// Its journal must be replayed before anything else.
    pub needs_recovery: bool,
    /// Deleted files that were still open wait for their removal.
    pub orphans: bool,
    /// See [`group_overhead`](Self::group_overhead).
    group_overhead: u64,
}

impl FilesystemInfo {
    /// The filesystem's size in bytes.
    pub fn size(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size.into())
    }

    /// Returns how many bytes growing must add at most to gain a block group: the metadata of a
    /// group that holds backups, and a few blocks for data. Growing by less may change nothing.
    pub fn group_overhead(&self) -> u64 {
        self.group_overhead
    }

    /// Returns whether it has the feature that tune2fs calls `name`.
    pub fn has_feature(&self, name: &str) -> bool {
        self.features.contains(name)
    }
}

/// Reads the superblock of the filesystem that fills `storage`.
///
/// It reads nothing else: a filesystem that can be inspected may still be too damaged for any
/// other operation.
///
/// # Errors
/// [`Error::NotExt`] if there is no such filesystem, [`Error::SuperblockChecksum`] or
/// [`Error::Superblock`] if it is damaged, [`Error::Storage`].
pub fn inspect(storage: &dyn ReadAt) -> Result<FilesystemInfo> {
    let superblock = Superblock::read(storage)?;
    let log = superblock.s_log_block_size();
    if log > 6 {
        return Err(Error::Superblock {
            field: "s_log_block_size",
            value: log.into(),
            reason: "blocks have 1 to 64 KiB",
        });
    }
    let features = superblock.features();
    Ok(FilesystemInfo {
        version: version(&features),
        uuid: superblock.s_uuid(),
        label: text(&superblock.s_volume_name()),
        last_mounted: text(&superblock.s_last_mounted()),
        features,
        block_size: 1024 << log,
        blocks: superblock.s_blocks_count(),
        free_blocks: superblock.s_free_blocks_count(),
        inodes: superblock.s_inodes_count(),
        free_inodes: superblock.s_free_inodes_count(),
        last_written: superblock.write_time(),
        clean: superblock.s_state() & STATE_VALID != 0,
        errors: superblock.s_state() & STATE_ERROR != 0,
        needs_recovery: features.needs_recovery(),
        orphans: features.orphan_present() || superblock.s_last_orphan() != 0,
        group_overhead: group_overhead(&superblock, 1024 << log),
    })
}

fn group_overhead(superblock: &Superblock, block_size: u64) -> u64 {
    let inodes = u64::from(superblock.s_inodes_per_group());
    let table = (inodes * u64::from(superblock.s_inode_size())).div_ceil(block_size);
    let per_group = u64::from(superblock.s_blocks_per_group()).max(1);
    let groups = superblock.s_blocks_count().div_ceil(per_group);
    let descriptors = groups.saturating_mul(64).div_ceil(block_size);
    let reserved = u64::from(superblock.s_reserved_gdt_blocks());
    // A superblock and two bitmaps; mke2fs wants 50 blocks for data in the last group.
    let blocks = table + descriptors + reserved + 3 + 50;
    blocks.saturating_mul(block_size)
}

fn text(padded: &[u8]) -> String {
    let end = padded.iter().position(|&byte| byte == 0).unwrap_or(padded.len());
    String::from_utf8_lossy(padded.get(..end).unwrap_or(padded)).into_owned()
}

fn version(features: &Features) -> ExtVersion {
    match (features.are_those_of_ext3(), features.has_journal()) {
        (false, _) => ExtVersion::Ext4,
        (true, true) => ExtVersion::Ext3,
        (true, false) => ExtVersion::Ext2,
    }
}
