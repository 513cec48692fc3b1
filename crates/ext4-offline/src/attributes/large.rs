//! Values in inodes of their own (`ea_inode`).
//!
//! Such an inode counts the attributes that refer to it, in the fields for its change time and
//! its version.

use super::store::release_inode;
use crate::{
    Error, Result,
    contents::read_contents,
    digest::crc32c,
    inode::{EA_INODE, Inode, TimeField},
    source::Source,
    volume::Volume,
    xattr::{LargeValue, damaged},
};

/// The largest size of a value in bytes (`EXT4_XATTR_SIZE_MAX`).
const MAX_SIZE: u32 = 1 << 24;

fn open(source: &dyn Source, number: u32) -> Result<Inode> {
    let inode = source.inode(number)?;
    if !inode.has_flag(EA_INODE) || !inode.is_regular() {
        return damaged(number, "an attribute refers to it, but it does not hold a value");
    }
    Ok(inode)
}

/// Reads a value of `size` bytes.
pub(super) fn read(source: &dyn Source, number: u32, size: u32) -> Result<Vec<u8>> {
    let inode = open(source, number)?;
    if u64::from(size) != inode.i_size() || size > MAX_SIZE {
        return damaged(number, "its value has another size");
    }
    let mut value = vec![0; size as usize];
    read_contents(source, &inode, 0, &mut value)?;
    Ok(value)
}

/// Returns how many attributes refer to the inode, according to itself.
fn users(inode: &Inode) -> u64 {
    // The high half is the change time's 32 bits of seconds.
    let high = inode.time_bits(TimeField::Change);
    u64::from(high) << 32 | u64::from(inode.i_version())
}

/// The hash of the value, which the inode has in the seconds of its access time.
fn hash(inode: &Inode) -> u32 {
    inode.time_bits(TimeField::Access)
}

/// Changes the number of attributes that refer to this inode. It is freed with the last one.
pub(super) fn change_users(volume: &mut Volume, number: u32, by: i64) -> Result<()> {
    let mut inode = open(volume, number)?;
    let Some(left) = users(&inode).checked_add_signed(by) else {
        return Err(Error::Attributes { inode: number, reason: "its count of users is too low" });
    };
    if left == 0 {
        return release_inode(volume, inode);
    }
    inode.set_time_bits(TimeField::Change, (left >> 32) as u32);
    inode.set_i_version(left as u32);
    volume.put_inode(&mut inode)
}

/// Checks an inode that holds a value to which `expected` attributes refer.
pub(crate) fn verify_large(source: &dyn Source, value: &LargeValue, expected: u64) -> Result<()> {
    let bytes = read(source, value.number, value.size)?;
    let inode = source.inode(value.number)?;
    if users(&inode) != expected {
        return damaged(value.number, "another number of attributes refers to its value");
    }
    let fs = source.fs();
    let seed = fs.checksums.seed().unwrap_or_else(|| crc32c(!0, &fs.superblock.s_uuid()));
    let computed = crc32c(seed, &bytes);
    if computed != hash(&inode) {
        return damaged(value.number, "the hash of its value does not match");
    }
    if value.attribute.has_value_hash(computed) {
        Ok(())
    } else {
        damaged(value.owner, "the hash of an attribute does not match")
    }
}
