//! The superblock.
//!
//! Source of all offsets: the kernel's
//! `Documentation/filesystems/ext4/super.rst`.

use block_io::ReadAt;

use crate::{
    Error, Features, Result, Timestamp,
    digest::crc32c,
    features::{FeatureSet, Flag, flag},
};

/// Where the primary superblock is, in bytes.
pub const OFFSET: u64 = 1024;
/// The size of a superblock in bytes.
pub const SIZE: usize = 1024;
const MAGIC: u16 = 0xef53;
const CHECKSUM: usize = 0x3fc;

/// The first inode that is not reserved, in revision 0 of the format.
const FIRST_OLD_INODE: u32 = 11;

/// `s_state`: unmounted cleanly.
pub(crate) const STATE_VALID: u16 = 1;
/// `s_state`: errors were found.
pub(crate) const STATE_ERROR: u16 = 2;

/// A superblock: its 1024 bytes, read and changed field by field.
///
/// Fields have their names in the specification; low and high halves are
/// joined.
#[derive(Clone, PartialEq, Eq)]
pub struct Superblock {
    raw: [u8; SIZE],
}

impl std::fmt::Debug for Superblock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Superblock")
            .field("s_blocks_count", &self.s_blocks_count())
            .field("s_inodes_count", &self.s_inodes_count())
            .field("features", &self.features().to_string())
            .finish_non_exhaustive()
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $(/ $set:ident)?: $type:ty = $offset:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> $type {
            <$type>::from_le_bytes(self.bytes::<$offset, { size_of::<$type>() }>())
        }
        $(pub(crate) fn $set(&mut self, value: $type) {
            self.set_bytes::<$offset, { size_of::<$type>() }>(value.to_le_bytes());
        })?
    )*};
}

macro_rules! halves {
    ($($(#[$doc:meta])* $name:ident / $set:ident = $low:literal, $high:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> u64 {
            let low = u64::from(u32::from_le_bytes(self.bytes::<$low, 4>()));
            if self.features().bits64() {
u64::from(u32::from_le_bytes(self.bytes::<$high, 4>())) << 32 | low
} else {
low
            }
        }
        /// Changes the high half only if the feature `64bit` gives it a meaning.
        pub(crate) fn $set(&mut self, value: u64) {
            self.set_bytes::<$low, 4>((value as u32).to_le_bytes());
            if self.features().bits64() {
                self.set_bytes::<$high, 4>(((value >> 32) as u32).to_le_bytes());
            }
        }
    )*};
}

impl Superblock {
    fn bytes<const OFFSET: usize, const N: usize>(&self) -> [u8; N] {
        const { assert!(OFFSET + N <= SIZE) };
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.raw[OFFSET..OFFSET + N]);
        bytes
    }

    fn set_bytes<const OFFSET: usize, const N: usize>(&mut self, bytes: [u8; N]) {
        const { assert!(OFFSET + N <= SIZE) };
        self.raw[OFFSET..OFFSET + N].copy_from_slice(&bytes);
    }

    fields! {
        /// Total number of inodes.
        s_inodes_count / set_s_inodes_count: u32 = 0x0;
        /// Number of free inodes.
        s_free_inodes_count / set_s_free_inodes_count: u32 = 0x10;
        /// First block of group 0: 1 with blocks of 1 KiB, else 0.
        s_first_data_block: u32 = 0x14;
        /// The block size is 2 to the power of 10 plus this.
        s_log_block_size: u32 = 0x18;
        /// The cluster size is 2 to the power of 10 plus this (`bigalloc`).
        s_log_cluster_size: u32 = 0x1c;
        /// Blocks per group.
        s_blocks_per_group: u32 = 0x20;
        /// Clusters per group (`bigalloc`).
        s_clusters_per_group: u32 = 0x24;
        /// Inodes per group.
        s_inodes_per_group: u32 = 0x28;
        /// Time of the last write, in seconds since 1970.
        s_wtime / set_s_wtime: u32 = 0x30;
        /// 0xef53.
        s_magic: u16 = 0x38;
        /// Bits: 1 unmounted cleanly, 2 errors found, 4 orphans being removed.
        s_state / set_s_state: u16 = 0x3a;
        /// The system that made it: 0 Linux, 1 Hurd.
        s_creator_os: u32 = 0x48;
        /// 0: fixed inode size and no features; 1: everything that came later.
        s_rev_level: u32 = 0x4c;
        /// The first inode that is not reserved.
        s_first_ino: u32 = 0x54;
        /// Size of an inode in bytes.
        s_inode_size: u16 = 0x58;
        /// The group this copy of the superblock is in.
        s_block_group_nr / set_s_block_group_nr: u16 = 0x5a;
        /// See [`features`](Self::features).
        s_feature_compat / set_s_feature_compat: u32 = 0x5c;
        /// See [`features`](Self::features).
        s_feature_incompat / set_s_feature_incompat: u32 = 0x60;
        /// See [`features`](Self::features).
        s_feature_ro_compat / set_s_feature_ro_compat: u32 = 0x64;
        /// Descriptor blocks reserved for growing, after those in use.
        s_reserved_gdt_blocks / set_s_reserved_gdt_blocks: u16 = 0xce;
        /// The inode of the journal; 0 if the journal is elsewhere or does not exist.
        s_journal_inum / set_s_journal_inum: u32 = 0xe0;
        /// The device with the journal, if it is on another device.
        s_journal_dev: u32 = 0xe4;
        /// First inode of the list of orphans.
        s_last_orphan / set_s_last_orphan: u32 = 0xe8;
        /// The hash of directories that get a hash tree: 0 legacy, 1 half MD4,
        /// 2 TEA.
        s_def_hash_version: u8 = 0xfc;
        /// 1: `s_jnl_blocks` holds a copy of the location of the journal.
        s_jnl_backup_type: u8 = 0xfd;
        /// Size of a group descriptor in bytes (`64bit`).
        s_desc_size: u16 = 0xfe;
        /// First descriptor block that is in its own meta group (`meta_bg`).
        s_first_meta_bg / set_s_first_meta_bg: u32 = 0x104;
        /// How many bytes beyond the first 128 all inodes use at least.
        s_min_extra_isize: u16 = 0x15c;
        /// How many bytes beyond the first 128 new inodes use.
        s_want_extra_isize: u16 = 0x15e;
        /// Bits: 1 directory hashes take bytes as signed, 2 as unsigned.
        s_flags: u32 = 0x160;
        /// A flexible group has 2 to the power of this groups.
        s_log_groups_per_flex: u8 = 0x174;
        /// The kind of `metadata_csum` checksums; only 1 (CRC-32C) exists.
        s_checksum_type: u8 = 0x175;
        /// Clusters taken by metadata; 0 if they must be computed.
        s_overhead_clusters / set_s_overhead_clusters: u32 = 0x248;
        /// The seed of all checksums (`metadata_csum_seed`).
        s_checksum_seed: u32 = 0x270;
        /// The high byte of the time of the last write.
        s_wtime_hi / set_s_wtime_hi: u8 = 0x274;
        /// How names in directories with `casefold` are encoded; only 1 (UTF-8 with the rules of
        /// Unicode 12.1) exists.
        s_encoding: u16 = 0x27c;
        /// The inode of the orphan file (`orphan_file`).
        s_orphan_file_inum / set_s_orphan_file_inum: u32 = 0x280;
        /// CRC-32C of all bytes before it.
        s_checksum: u32 = 0x3fc;
    }

    halves! {
        /// Total number of blocks.
        s_blocks_count / set_s_blocks_count = 0x4, 0x150;
        /// Blocks that only root may use.
        s_r_blocks_count / set_s_r_blocks_count = 0x8, 0x154;
        /// Number of free blocks.
        s_free_blocks_count / set_s_free_blocks_count = 0xc, 0x158;
    }

    /// When it was written last.
    pub fn write_time(&self) -> Timestamp {
        Timestamp::from_superblock(self.s_wtime(), self.s_wtime_hi())
    }

    pub(crate) fn set_write_time(&mut self, time: Timestamp) {
        let (low, high) = time.superblock_fields();
        self.set_s_wtime(low);
        self.set_s_wtime_hi(high);
    }

    /// The block that records which machine has the filesystem mounted (`mmp`).
    pub(crate) fn mmp_block(&self) -> Option<u64> {
        let block = u64::from_le_bytes(self.bytes::<0x168, 8>());
        (self.features().has(flag::MMP) && block != 0).then_some(block)
    }

    /// The first inode that is not reserved.
    pub(crate) fn first_inode(&self) -> u32 {
        match self.s_rev_level() {
            0 => FIRST_OLD_INODE,
            _ => self.s_first_ino().max(FIRST_OLD_INODE),
        }
    }

    /// The inodes of quotas: of users, of groups, of projects.
    pub(crate) fn quota_inodes(&self) -> [u32; 3] {
        [
            u32::from_le_bytes(self.bytes::<0x240, 4>()),
            u32::from_le_bytes(self.bytes::<0x244, 4>()),
            u32::from_le_bytes(self.bytes::<0x26c, 4>()),
        ]
    }

    /// The filesystem's UUID.
    pub fn s_uuid(&self) -> [u8; 16] {
        self.bytes::<0x68, 16>()
    }

    /// The seed of directory hashes.
    pub fn s_hash_seed(&self) -> [u32; 4] {
        let bytes = self.bytes::<0xec, 16>();
        std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|j| bytes[i * 4 + j])))
    }

    /// The UUID of the journal, if it is on another device; otherwise zeros.
    pub fn s_journal_uuid(&self) -> [u8; 16] {
        self.bytes::<0xd0, 16>()
    }

    /// Names the inode of an internal journal, and keeps a copy of its mapping (`s_jnl_blocks`).
    pub(crate) fn set_journal(&mut self, inode: u32, i_block: [u8; 60], size: u64) {
        self.set_bytes::<0xe0, 4>(inode.to_le_bytes());
        // `EXT3_JNL_BACKUP_BLOCKS`.
        self.set_bytes::<0xfd, 1>([1]);
        self.set_bytes::<0x10c, 60>(i_block);
        let (low, high) = (size as u32, (size >> 32) as u32);
        self.set_bytes::<0x148, 4>(high.to_le_bytes());
        self.set_bytes::<0x14c, 4>(low.to_le_bytes());
        self.set_feature(flag::HAS_JOURNAL, true);
    }

    /// The label: up to 16 bytes, padded with zeros.
    pub fn s_volume_name(&self) -> [u8; 16] {
        self.bytes::<0x78, 16>()
    }

    /// Returns the directory where it was mounted last, padded with zeros.
    pub fn s_last_mounted(&self) -> [u8; 64] {
        self.bytes::<0x88, 64>()
    }

    /// The two groups with backups (`sparse_super2`); 0: none.
    pub fn s_backup_bgs(&self) -> [u32; 2] {
        [u32::from_le_bytes(self.bytes::<0x24c, 4>()), u32::from_le_bytes(self.bytes::<0x250, 4>())]
    }

    pub(crate) fn set_s_backup_bgs(&mut self, [first, second]: [u32; 2]) {
        self.set_bytes::<0x24c, 4>(first.to_le_bytes());
        self.set_bytes::<0x250, 4>(second.to_le_bytes());
    }

    /// Sets `s_jnl_blocks`, the copy of the location of the journal: its `i_block`, and its size
    /// with the high half first.
    pub(crate) fn set_s_jnl_blocks(&mut self, i_block: [u8; 60], size: u64) {
        self.set_bytes::<0x10c, 60>(i_block);
        self.set_bytes::<0x148, 4>(((size >> 32) as u32).to_le_bytes());
        self.set_bytes::<0x14c, 4>((size as u32).to_le_bytes());
    }

    /// All features. A filesystem of revision 0 has none.
    pub fn features(&self) -> Features {
        match self.s_rev_level() {
            0 => Features::default(),
            _ => Features {
                compat: self.s_feature_compat(),
                incompat: self.s_feature_incompat(),
                ro_compat: self.s_feature_ro_compat(),
            },
        }
    }

    /// Sets or clears the bit of a feature.
    pub(crate) fn set_feature(&mut self, flag: Flag, value: bool) {
        let apply = |bits: u32| if value { bits | flag.bit } else { bits & !flag.bit };
        match flag.set {
            FeatureSet::Compat => self.set_s_feature_compat(apply(self.s_feature_compat())),
            FeatureSet::Incompat => self.set_s_feature_incompat(apply(self.s_feature_incompat())),
            FeatureSet::RoCompat => {
                self.set_s_feature_ro_compat(apply(self.s_feature_ro_compat()));
            }
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; SIZE] {
        &self.raw
    }

    /// Reads the primary superblock.
    ///
    /// # Errors
    /// [`Error::Storage`], [`Error::NotExt`], and as
    /// [`verify_checksum`](Self::verify_checksum).
    pub fn read(storage: &dyn ReadAt) -> Result<Self> {
        let mut raw = [0; SIZE];
        if storage.size() < OFFSET + SIZE as u64 {
            return Err(Error::NotExt { magic: 0 });
        }
        storage.read_at(OFFSET, &mut raw)?;
        Superblock::parse(raw)
    }

    /// Parses and checks a superblock.
    pub(crate) fn parse(raw: [u8; SIZE]) -> Result<Self> {
        let superblock = Superblock { raw };
        match superblock.s_magic() {
            MAGIC => {}
            magic => return Err(Error::NotExt { magic }),
        }
        superblock.verify_checksum()?;
        Ok(superblock)
    }

    /// Returns an error if there is a checksum and it does not match.
    ///
    /// # Errors
    /// [`Error::SuperblockChecksum`], or [`Error::Superblock`] if the kind of
    /// checksum is unknown.
    pub fn verify_checksum(&self) -> Result<()> {
        if !self.features().metadata_csum() {
            return Ok(());
        }
        if self.s_checksum_type() != 1 {
            return Err(Error::Superblock {
                field: "s_checksum_type",
                value: self.s_checksum_type().into(),
                reason: "1 (CRC-32C) is the only known type",
            });
        }
        let (stored, computed) = (self.s_checksum(), self.computed_checksum());
        if stored == computed {
            Ok(())
        } else {
            Err(Error::SuperblockChecksum { stored, computed })
        }
    }

    fn computed_checksum(&self) -> u32 {
        crc32c(!0, &self.raw[..CHECKSUM])
    }

    /// Updates the checksum, if the superblock has one.
    pub(crate) fn update_checksum(&mut self) {
        if self.features().metadata_csum() {
            let checksum = self.computed_checksum();
            self.set_bytes::<CHECKSUM, 4>(checksum.to_le_bytes());
        }
    }

    /// The copy of this superblock for another group.
    ///
    /// It is not marked as clean, as libext2fs does it: whoever has to use a backup should check
    /// the whole filesystem.
    pub(crate) fn backup(&self, group: u32) -> Superblock {
        let mut backup = self.clone();
        backup.set_s_block_group_nr(group as u16);
        backup.set_s_state(self.s_state() & !STATE_VALID);
        backup.update_checksum();
        backup
    }
}
