//! What a filesystem says of itself.

use block_io::ReadAt;

use crate::{
    Error, Features, Result, Superblock,
    superblock::{STATE_ERROR, STATE_VALID},
};

/// The generation of a filesystem, told by its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No journal and nothing that ext3 or ext4 brought.
    Ext2,
    /// A journal, but nothing that ext4 brought.
    Ext3,
    /// Extents, checksums or another of ext4's features.
    Ext4,
}

/// What the superblock tells of a filesystem.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Info {
    /// ext2, ext3 or ext4.
    pub kind: Kind,
    /// The UUID's bytes in the order in which they are written.
    pub uuid: [u8; 16],
    /// The label; empty if there is none.
    pub label: String,
    /// Where it was mounted last; empty if nowhere.
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
    /// When it was written last, in seconds since 1970.
    pub last_written: u32,
    /// It was unmounted cleanly, or has a journal that can be replayed.
    pub clean: bool,
    /// It is marked as having errors.
    pub errors: bool,
    /// Its journal must be replayed before anything else.
    pub needs_recovery: bool,
    /// Deleted files that were still open wait for their removal.
    pub orphans: bool,
}

impl Info {
    /// The filesystem's size in bytes.
    pub fn size(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size.into())
    }

    /// Whether it has the feature that tune2fs calls `name`.
    pub fn has_feature(&self, name: &str) -> bool {
        self.features.names().iter().any(|feature| feature == name)
    }
}

/// Reads the superblock of the filesystem that fills `storage`.
///
/// Only that is looked at: a filesystem that can be inspected may still be
/// too damaged for anything else.
///
/// # Errors
/// [`Error::NotExt`] if there is none, [`Error::SuperblockChecksum`] or
/// [`Error::Superblock`] if it is damaged, [`Error::Storage`].
pub fn inspect(storage: &dyn ReadAt) -> Result<Info> {
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
    Ok(Info {
        kind: kind(&features),
        uuid: superblock.s_uuid(),
        label: text(&superblock.s_volume_name()),
        last_mounted: text(&superblock.s_last_mounted()),
        features,
        block_size: 1024 << log,
        blocks: superblock.s_blocks_count(),
        free_blocks: superblock.s_free_blocks_count(),
        inodes: superblock.s_inodes_count(),
        free_inodes: superblock.s_free_inodes_count(),
        last_written: superblock.s_wtime(),
        clean: superblock.s_state() & STATE_VALID != 0,
        errors: superblock.s_state() & STATE_ERROR != 0,
        needs_recovery: features.needs_recovery(),
        orphans: features.orphan_present() || superblock.s_last_orphan() != 0,
    })
}

fn text(padded: &[u8]) -> String {
    let end = padded.iter().position(|&byte| byte == 0).unwrap_or(padded.len());
    String::from_utf8_lossy(padded.get(..end).unwrap_or(padded)).into_owned()
}

fn kind(features: &Features) -> Kind {
    // What the kernel's ext3 driver knew: filetype, needs_recovery, journal_dev,
    // meta_bg; sparse_super, large_file, btree_dir.
    let ext3 = features.incompat & !0x1e == 0 && features.ro_compat & !0x7 == 0;
    match (ext3, features.has_journal()) {
        (false, _) => Kind::Ext4,
        (true, true) => Kind::Ext3,
        (true, false) => Kind::Ext2,
    }
}
