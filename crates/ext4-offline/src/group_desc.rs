//! The table of group descriptors.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/group_descr.rst`.

use crate::{Geometry, checksum::Checksums};

/// `bg_flags`: no inode is in use, and the inode bitmap need not be read.
pub const INODE_UNINIT: u16 = 1;
/// `bg_flags`: only metadata is in use, and the block bitmap need not be read.
pub const BLOCK_UNINIT: u16 = 2;
/// `bg_flags`: the unused part of the inode table holds zeros.
pub const INODE_ZEROED: u16 = 4;

/// A group descriptor: its bytes, read and changed field by field.
///
/// Fields have their names in the specification, the low and high halves
/// joined. High halves exist in descriptors of 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupDescriptor {
    raw: [u8; 64],
    size: usize,
}

macro_rules! halves_u32 {
    ($($(#[$doc:meta])* $name:ident / $set:ident = $low:literal, $high:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> u64 {
            u64::from(self.u32_at::<$high>()) << 32 | u64::from(self.u32_at::<$low>())
        }
        pub(crate) fn $set(&mut self, value: u64) {
            self.put::<$low, 4>((value as u32).to_le_bytes());
            self.put::<$high, 4>(((value >> 32) as u32).to_le_bytes());
        }
    )*};
}

macro_rules! halves_u16 {
    ($($(#[$doc:meta])* $name:ident / $set:ident = $low:literal, $high:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> u32 {
            u32::from(self.u16_at::<$high>()) << 16 | u32::from(self.u16_at::<$low>())
        }
        pub(crate) fn $set(&mut self, value: u32) {
            self.put::<$low, 2>((value as u16).to_le_bytes());
            self.put::<$high, 2>(((value >> 16) as u16).to_le_bytes());
        }
    )*};
}

impl GroupDescriptor {
    /// A descriptor of 32 or 64 bytes that holds zeros.
    pub(crate) fn new(size: u32) -> Self {
        GroupDescriptor { raw: [0; 64], size: if size >= 64 { 64 } else { 32 } }
    }

    /// What lies beyond the descriptor's size reads as zero.
    fn u32_at<const OFFSET: usize>(&self) -> u32 {
        const { assert!(OFFSET + 4 <= 64) };
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.raw[OFFSET..OFFSET + 4]);
        u32::from_le_bytes(bytes)
    }

    fn u16_at<const OFFSET: usize>(&self) -> u16 {
        const { assert!(OFFSET + 2 <= 64) };
        let mut bytes = [0; 2];
        bytes.copy_from_slice(&self.raw[OFFSET..OFFSET + 2]);
        u16::from_le_bytes(bytes)
    }

    /// What lies beyond the descriptor's size stays zero.
    fn put<const OFFSET: usize, const N: usize>(&mut self, bytes: [u8; N]) {
        const { assert!(OFFSET + N <= 64) };
        if OFFSET + N <= self.size {
            self.raw[OFFSET..OFFSET + N].copy_from_slice(&bytes);
        }
    }

    halves_u32! {
        /// The block of the block bitmap.
        bg_block_bitmap / set_bg_block_bitmap = 0x0, 0x20;
        /// The block of the inode bitmap.
        bg_inode_bitmap / set_bg_inode_bitmap = 0x4, 0x24;
        /// The first block of the inode table.
        bg_inode_table / set_bg_inode_table = 0x8, 0x28;
    }

    halves_u16! {
        /// Free blocks (clusters with `bigalloc`).
        bg_free_blocks_count / set_bg_free_blocks_count = 0xc, 0x2c;
        /// Free inodes.
        bg_free_inodes_count / set_bg_free_inodes_count = 0xe, 0x2e;
        /// Inodes that are directories.
        bg_used_dirs_count / set_bg_used_dirs_count = 0x10, 0x30;
        /// Inodes at the table's end that were never used.
        bg_itable_unused / set_bg_itable_unused = 0x1c, 0x32;
        /// The block bitmap's checksum; its high half exists in 64 bytes only.
        bg_block_bitmap_csum / set_bg_block_bitmap_csum = 0x18, 0x38;
        /// The inode bitmap's checksum; its high half exists in 64 bytes only.
        bg_inode_bitmap_csum / set_bg_inode_bitmap_csum = 0x1a, 0x3a;
    }

    /// Flags. They have a meaning only if descriptors have checksums.
    pub fn bg_flags(&self) -> u16 {
        self.u16_at::<0x12>()
    }

    pub(crate) fn set_bg_flags(&mut self, flags: u16) {
        self.put::<0x12, 2>(flags.to_le_bytes());
    }

    /// The descriptor's own checksum.
    pub fn bg_checksum(&self) -> u16 {
        self.u16_at::<0x1e>()
    }

    pub(crate) fn update_checksum(&mut self, group: u32, checksums: &Checksums) {
        if let Some(checksum) = checksums.descriptor(group, self.as_bytes()) {
            self.put::<0x1e, 2>(checksum.to_le_bytes());
        }
    }

    /// The part of a bitmap's checksum that this descriptor has room for.
    pub(crate) fn fit_checksum(&self, checksum: u32) -> u32 {
        if self.size >= 64 { checksum } else { checksum & 0xffff }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.raw.get(..self.size).unwrap_or(&self.raw)
    }
}

/// The descriptors of all groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptorTable {
    size: usize,
    bytes: Vec<u8>,
}

impl DescriptorTable {
    /// A table with these bytes, in which every descriptor takes `descriptor_size` bytes.
    pub fn new(descriptor_size: u32, bytes: Vec<u8>) -> Self {
        DescriptorTable { size: descriptor_size as usize, bytes }
    }

    /// A group's descriptor; zeros beyond the table's end.
    pub fn get(&self, group: u32) -> GroupDescriptor {
        let mut descriptor = GroupDescriptor::new(self.size as u32);
        let start = group as usize * self.size;
        if let Some(bytes) = self.bytes.get(start..start + descriptor.size)
            && let Some(raw) = descriptor.raw.get_mut(..bytes.len())
        {
            raw.copy_from_slice(bytes);
        }
        descriptor
    }

    /// Replaces a descriptor, or appends it at the end of the table.
    pub(crate) fn set(&mut self, group: u32, descriptor: &GroupDescriptor) {
        let start = group as usize * self.size;
        if self.bytes.len() < start + self.size {
            self.bytes.resize(start + self.size, 0);
        }
        if let Some(bytes) = self.bytes.get_mut(start..start + descriptor.size) {
            bytes.copy_from_slice(descriptor.as_bytes());
        }
    }

    /// Returns how many groups it describes.
    pub fn groups(&self) -> u32 {
        (self.bytes.len() / self.size) as u32
    }

    /// A block of the table as it is on disk, its end padded with zeros.
    pub(crate) fn block(&self, index: u32, geometry: &Geometry) -> Vec<u8> {
        let size = geometry.block_size as usize;
        let start = (index as usize * size).min(self.bytes.len());
        let end = (start + size).min(self.bytes.len());
        let mut block = self.bytes[start..end].to_vec();
        block.resize(size, 0);
        block
    }
}
