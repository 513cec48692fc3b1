//! The superblock of the journal, in its first block.

use super::blocks::{be32, put_be32};
use crate::{Error, Result, digest::crc32c};

/// The size of the superblock in bytes; the rest of its block is unused.
pub(super) const SIZE: usize = 1024;
/// `h_magic` of every block that is not a copy of another.
pub(super) const MAGIC: u32 = 0xc03b_3998;
/// The smallest journal that the kernel accepts, in blocks.
const MIN_BLOCKS: u32 = 1024;
/// The value of `s_num_fc_blks` if the field is 0.
const DEFAULT_FC_BLOCKS: u32 = 256;

const VERSION_1: u32 = 3;
const VERSION_2: u32 = 4;
/// `s_checksum_type`: CRC-32C.
const CRC32C: u8 = 4;

const H_MAGIC: usize = 0x0;
const H_BLOCKTYPE: usize = 0x4;
const S_BLOCKSIZE: usize = 0xc;
const S_MAXLEN: usize = 0x10;
const S_FIRST: usize = 0x14;
const S_SEQUENCE: usize = 0x18;
const S_START: usize = 0x1c;
const S_ERRNO: usize = 0x20;
const S_FEATURE_COMPAT: usize = 0x24;
const S_FEATURE_INCOMPAT: usize = 0x28;
const S_FEATURE_RO_COMPAT: usize = 0x2c;
const S_UUID: usize = 0x30;
const S_NR_USERS: usize = 0x40;
const S_CHECKSUM_TYPE: usize = 0x50;
const S_NUM_FC_BLKS: usize = 0x54;
const S_CHECKSUM: usize = 0xfc;

/// `s_feature_compat`: commit blocks have a checksum of their transaction.
const CHECKSUM: u32 = 0x1;
const BITS64: u32 = 0x2;
const ASYNC_COMMIT: u32 = 0x4;
const CSUM_V2: u32 = 0x8;
const CSUM_V3: u32 = 0x10;
const FAST_COMMIT: u32 = 0x20;
/// The known bits of `s_feature_incompat`; the first is `journal_incompat_revoke`.
const KNOWN_INCOMPAT: u32 = 0x3f;

/// The superblock of a journal, checked.
#[derive(Debug, Clone)]
pub(super) struct JournalSuperblock {
    raw: Vec<u8>,
}

impl JournalSuperblock {
    /// Makes the superblock of an empty journal of `blocks` blocks, as mke2fs does.
    pub fn new(block_size: u32, blocks: u32) -> Self {
        let mut superblock = JournalSuperblock { raw: vec![0; SIZE] };
        for (field, value) in [
            (H_MAGIC, MAGIC),
            (H_BLOCKTYPE, VERSION_2),
            (S_BLOCKSIZE, block_size),
            (S_MAXLEN, blocks),
            (S_FIRST, 1),
            (S_SEQUENCE, 1),
            (S_NR_USERS, 1),
        ] {
            put_be32(&mut superblock.raw, field, value);
        }
        superblock
    }

    /// Parses the first block of a journal with `blocks` blocks.
    ///
    /// # Errors
    /// [`Error::Journal`] if it is damaged, [`Error::JournalFeature`] if it has an
    /// unknown feature.
    pub fn parse(mut raw: Vec<u8>, block_size: u32, blocks: u64) -> Result<Self> {
        raw.truncate(SIZE);
        let superblock = JournalSuperblock { raw };
        if superblock.field(H_MAGIC) != MAGIC {
            return wrong("it is not a journal's superblock");
        }
        match superblock.field(H_BLOCKTYPE) {
            VERSION_1 => {}
            VERSION_2 => superblock.check_features()?,
            _ => return wrong("its h_blocktype is not that of a journal's superblock"),
        }
        superblock.check_layout(block_size, blocks)?;
        Ok(superblock)
    }

    fn check_features(&self) -> Result<()> {
        let unknown = [
            ('I', self.field(S_FEATURE_INCOMPAT) & !KNOWN_INCOMPAT),
            ('R', self.field(S_FEATURE_RO_COMPAT)),
        ];
        for (letter, bits) in unknown {
            if bits != 0 {
                let feature = format!("FEATURE_{letter}{}", bits.trailing_zeros());
                return Err(Error::JournalFeature { feature, reason: "it is unknown" });
            }
        }
        if self.field(S_NR_USERS) > 1 {
            return wrong("s_nr_users says that several filesystems share it");
        }
        if self.csum_v2() && self.csum_v3() || self.csum_v2_or_3() && self.checksum() {
            return wrong("its features name several kinds of checksums");
        }
        if self.csum_v2_or_3() {
            if self.raw.get(S_CHECKSUM_TYPE) != Some(&CRC32C) {
                return wrong("its s_checksum_type is not 4 (CRC-32C)");
            }
            if self.field(S_CHECKSUM) != self.computed_checksum() {
                return wrong("the checksum of the journal's superblock does not match");
            }
        }
        Ok(())
    }

    fn check_layout(&self, block_size: u32, blocks: u64) -> Result<()> {
        let s_maxlen = self.field(S_MAXLEN);
        if self.field(S_BLOCKSIZE) != block_size {
            return wrong("its s_blocksize is not the filesystem's block size");
        }
        if u64::from(s_maxlen) > blocks {
            return wrong("its s_maxlen is larger than the journal's inode");
        }
        let fast_commit = if self.fast_commit() { self.fast_commit_blocks() } else { 0 };
        if s_maxlen < MIN_BLOCKS || s_maxlen - MIN_BLOCKS < fast_commit {
            return wrong("its s_maxlen leaves fewer than 1024 blocks for the log");
        }
        if self.first() == 0 || self.first() >= self.last() {
            return wrong("its s_first is not within the journal");
        }
        let start = self.s_start();
        if start != 0 && !(self.first()..self.last()).contains(&start) {
            return wrong("its s_start is not within the log");
        }
        Ok(())
    }

    fn field(&self, offset: usize) -> u32 {
        be32(&self.raw, offset)
    }

    /// Features have a meaning in version 2 only.
    fn feature(&self, field: usize, bit: u32) -> bool {
        self.field(H_BLOCKTYPE) == VERSION_2 && self.field(field) & bit != 0
    }

    /// Commit blocks have a checksum of their whole transaction.
    pub fn checksum(&self) -> bool {
        self.feature(S_FEATURE_COMPAT, CHECKSUM)
    }

    /// Block numbers have 64 bits.
    pub fn bits64(&self) -> bool {
        self.feature(S_FEATURE_INCOMPAT, BITS64)
    }

    /// Commit blocks may be written before the blocks that they commit.
    pub fn async_commit(&self) -> bool {
        self.feature(S_FEATURE_INCOMPAT, ASYNC_COMMIT)
    }

    /// All blocks have checksums; those in tags have 16 bits.
    pub fn csum_v2(&self) -> bool {
        self.feature(S_FEATURE_INCOMPAT, CSUM_V2)
    }

    /// All blocks have checksums; those in tags have 32 bits.
    pub fn csum_v3(&self) -> bool {
        self.feature(S_FEATURE_INCOMPAT, CSUM_V3)
    }

    /// All blocks have checksums.
    pub fn csum_v2_or_3(&self) -> bool {
        self.csum_v2() || self.csum_v3()
    }

    /// Small changes may be in an area after the log.
    pub fn fast_commit(&self) -> bool {
        self.feature(S_FEATURE_INCOMPAT, FAST_COMMIT)
    }

    fn fast_commit_blocks(&self) -> u32 {
        match self.field(S_NUM_FC_BLKS) {
            0 => DEFAULT_FC_BLOCKS,
            blocks => blocks,
        }
    }

    /// The seed of all checksums.
    pub fn seed(&self) -> u32 {
        crc32c(!0, self.raw.get(S_UUID..S_UUID + 16).unwrap_or_default())
    }

    /// Returns how many blocks the journal has.
    pub fn s_maxlen(&self) -> u32 {
        self.field(S_MAXLEN)
    }

    /// The first block of the log.
    pub fn first(&self) -> u32 {
        self.field(S_FIRST)
    }

    /// The block after the last one of the log.
    pub fn last(&self) -> u32 {
        if self.fast_commit() {
            self.s_maxlen().saturating_sub(self.fast_commit_blocks())
        } else {
            self.s_maxlen()
        }
    }

    /// The first transaction that may be in the log.
    pub fn s_sequence(&self) -> u32 {
        self.field(S_SEQUENCE)
    }

    /// Returns where that transaction begins; 0 if the log is empty.
    pub fn s_start(&self) -> u32 {
        self.field(S_START)
    }

    /// The error with which the kernel aborted the journal, or 0.
    pub fn s_errno(&self) -> u32 {
        self.field(S_ERRNO)
    }

    /// Marks the log as empty, with this number for its next transaction, and clears the error.
    pub fn empty(&mut self, s_sequence: u32) {
        put_be32(&mut self.raw, S_SEQUENCE, s_sequence);
        put_be32(&mut self.raw, S_START, 0);
        put_be32(&mut self.raw, S_ERRNO, 0);
        self.update_checksum();
    }

    /// Marks the log as valid from its first block on, beginning with its next transaction.
    pub fn begin(&mut self) {
        let first = self.first();
        put_be32(&mut self.raw, S_START, first);
        self.update_checksum();
    }

    fn update_checksum(&mut self) {
        if self.csum_v2_or_3() {
            let checksum = self.computed_checksum();
            put_be32(&mut self.raw, S_CHECKSUM, checksum);
        }
    }

    fn computed_checksum(&self) -> u32 {
        let mut zeroed = self.raw.clone();
        put_be32(&mut zeroed, S_CHECKSUM, 0);
        crc32c(!0, &zeroed)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }
}

fn wrong<T>(reason: &'static str) -> Result<T> {
    Err(Error::Journal { block: 0, reason })
}
