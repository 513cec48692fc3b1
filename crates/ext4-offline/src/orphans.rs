//! The mark that orphans may be present.
//!
//! The kernel sets the feature `orphan_present` whenever it mounts a filesystem
//! with an orphan file for writing, and takes it back at the unmount. A
//! filesystem that was copied in between has the mark, and mostly no orphans.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/orphan.rst`.

use block_io::{ReadAt, WriteAt};

use crate::{Result, Superblock, features::Operation, filesystem::Filesystem, superblock::OFFSET};

/// What stands before the checksum at the end of each block of the orphan file.
const MAGIC: u32 = 0x0b10_ca04;

/// Takes the mark `orphan_present` back where the orphan file holds no orphan.
/// Tells whether it did; if it did not, the filesystem is as it was.
///
/// # Errors
/// As for opening: damage or an unknown feature, before the first write.
pub fn settle_orphans(storage: &dyn WriteAt) -> Result<bool> {
    let fs = Filesystem::open(storage, Operation::Count)?;
    if !fs.superblock.features().orphan_present() || !is_empty(&fs, storage)? {
        return Ok(false);
    }
    const ORPHAN_PRESENT: u32 = 0x1_0000;
    let mut superblock: Superblock = fs.superblock;
    superblock.set_s_feature_ro_compat(superblock.s_feature_ro_compat() & !ORPHAN_PRESENT);
    superblock.update_checksum();
    storage.write_at(OFFSET, superblock.as_bytes())?;
    Ok(true)
}

/// Whether the orphan file is surely empty. One that is not as mke2fs makes it
/// is taken for one that is not.
fn is_empty(fs: &Filesystem, storage: &dyn ReadAt) -> Result<bool> {
    let geometry = &fs.geometry;
    let number = fs.superblock.s_orphan_file_inum();
    let Some(index) = number.checked_sub(1) else { return Ok(false) };
    let (group, position) = (index / geometry.inodes_per_group, index % geometry.inodes_per_group);
    if group >= geometry.groups {
        return Ok(false);
    }
    let table = geometry.offset(fs.descriptors.get(group).bg_inode_table());
    let offset = table + u64::from(position) * u64::from(geometry.inode_size);
    let inode = storage.read_vec(offset, geometry.inode_size as usize)?;
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    };
    // An extent node: its magic number and entries, then a depth of 0.
    let (magic, entries) = (word(&inode, 0x28) & 0xffff, word(&inode, 0x28) >> 16);
    let depth = word(&inode, 0x2c) >> 16;
    if magic != 0xf30a || depth != 0 || !(1..=4).contains(&entries) {
        return Ok(false);
    }
    let mut blocks = 0u64;
    for entry in 0..entries as usize {
        let at = 0x34 + entry * 12;
        let length = u64::from(word(&inode, at + 4) & 0xffff);
        let start = u64::from(word(&inode, at + 4) >> 16) << 32 | u64::from(word(&inode, at + 8));
        if length > 0x8000 || start.saturating_add(length) > geometry.blocks {
            return Ok(false);
        }
        for block in start..start + length {
            let bytes = fs.read_block(storage, block)?;
            let (orphans, tail) = bytes.split_at(bytes.len() - 8);
            if word(tail, 0) != MAGIC || orphans.iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
        }
        blocks += length;
    }
    // The whole file was seen.
    let size = u64::from(word(&inode, 0x6c)) << 32 | u64::from(word(&inode, 4));
    Ok(size == blocks * u64::from(geometry.block_size))
}
