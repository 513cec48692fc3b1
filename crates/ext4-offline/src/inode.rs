//! The few fields of inodes that matter here.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/inodes.rst`.

use crate::{Error, Result, checksum::crc32c};

/// `i_mode`: the bits that tell the kind of file, and the one for directories.
pub(crate) const S_IFMT: u16 = 0xf000;
pub(crate) const S_IFDIR: u16 = 0x4000;

/// An inode: its bytes, read and changed field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inode {
    number: u32,
    /// At least 128 bytes.
    raw: Vec<u8>,
}

impl Inode {
    /// The inode with this number and these bytes; those that are missing to
    /// 128 read as zero.
    pub fn new(number: u32, mut raw: Vec<u8>) -> Self {
        raw.resize(raw.len().max(128), 0);
        Inode { number, raw }
    }

    fn u16_at(&self, offset: usize) -> u16 {
        self.raw.get(offset..offset + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
    }

    fn u32_at(&self, offset: usize) -> u32 {
        u32::from(self.u16_at(offset + 2)) << 16 | u32::from(self.u16_at(offset))
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        if let Some(place) = self.raw.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Sets how many sectors of 512 bytes it takes.
    pub fn set_i_blocks(&mut self, sectors: u64) {
        self.put(0x1c, &(sectors as u32).to_le_bytes());
        self.put(0x74, &((sectors >> 32) as u16).to_le_bytes());
    }

    /// The block that lists the blocks that list this file's blocks.
    pub fn double_indirect(&self) -> u32 {
        self.u32_at(0x28 + 13 * 4)
    }

    /// Makes it an inode that is not in use.
    pub fn clear(&mut self) {
        self.raw.fill(0);
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Whether it is large enough to hold its checksum's high half, and says so.
    fn has_high_checksum(&self) -> bool {
        self.raw.len() > 128 && self.u16_at(0x80) >= 4
    }

    fn stored_checksum(&self) -> u32 {
        let high = if self.has_high_checksum() { self.u16_at(0x82) } else { 0 };
        u32::from(high) << 16 | u32::from(self.u16_at(0x7c))
    }

    fn computed_checksum(&self, seed: u32) -> u32 {
        let mut zeroed = self.clone();
        zeroed.put(0x7c, &[0; 2]);
        let high = self.has_high_checksum();
        if high {
            zeroed.put(0x82, &[0; 2]);
        }
        let mut crc = crc32c(seed, &self.number.to_le_bytes());
        crc = crc32c(crc, &self.u32_at(0x64).to_le_bytes());
        crc = crc32c(crc, &zeroed.raw);
        if high { crc } else { crc & 0xffff }
    }

    /// Errors if the checksum does not match; `seed` is `None` where inodes
    /// have none.
    pub fn verify_checksum(&self, seed: Option<u32>) -> Result<()> {
        let Some(seed) = seed else { return Ok(()) };
        let (stored, computed) = (self.stored_checksum(), self.computed_checksum(seed));
        // An inode that was never used holds zeros, its checksum too.
        if stored == computed || self.raw.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        Err(Error::InodeChecksum { inode: self.number, stored, computed })
    }

    pub fn update_checksum(&mut self, seed: Option<u32>) {
        let Some(seed) = seed else { return };
        let checksum = self.computed_checksum(seed);
        self.put(0x7c, &(checksum as u16).to_le_bytes());
        if self.has_high_checksum() {
            self.put(0x82, &((checksum >> 16) as u16).to_le_bytes());
        }
    }
}
