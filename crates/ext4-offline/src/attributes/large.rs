//! Values in inodes of their own (`ea_inode`).
//!
//! Such an inode counts the attributes that name it, in the fields of its change
//! time and its version.

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

/// Longer than any value (`EXT4_XATTR_SIZE_MAX`), in bytes.
const MAX_SIZE: u32 = 1 << 24;

fn open(source: &dyn Source, number: u32) -> Result<Inode> {
    let inode = source.inode(number)?;
    if !inode.has_flag(EA_INODE) || !inode.is_regular() {
        return damaged(number, "it holds no value of an attribute, but is said to");
    }
    Ok(inode)
}

/// Reads a value of `size` bytes.
pub(super) fn read(source: &dyn Source, number: u32, size: u32) -> Result<Vec<u8>> {
    let inode = open(source, number)?;
    if u64::from(size) != inode.i_size() || size > MAX_SIZE {
        return damaged(number, "the value in it has another size");
    }
    let mut value = vec![0; size as usize];
    read_contents(source, &inode, 0, &mut value)?;
    Ok(value)
}

/// How many attributes have the value, as the inode tells it.
fn users(inode: &Inode) -> u64 {
    // The high half is the change time's 32 bits of seconds.
    let high = inode.time_bits(TimeField::Change);
    u64::from(high) << 32 | u64::from(inode.i_version())
}

/// The hash of the value, as the inode tells it: in the access time's seconds.
fn hash(inode: &Inode) -> u32 {
    inode.time_bits(TimeField::Access)
}

/// So many attributes more, or less, name this inode. With the last one it goes.
pub(super) fn change_users(volume: &mut Volume, number: u32, by: i64) -> Result<()> {
    let mut inode = open(volume, number)?;
    let Some(left) = users(&inode).checked_add_signed(by) else {
        return Err(Error::Attributes {
            inode: number,
            reason: "a value has fewer users than it has",
        });
    };
    if left == 0 {
        return release_inode(volume, inode);
    }
    inode.set_time_bits(TimeField::Change, (left >> 32) as u32);
    inode.set_i_version(left as u32);
    volume.put_inode(&mut inode)
}

/// Checks an inode that holds a value which so many attributes have.
pub(crate) fn verify_large(source: &dyn Source, value: &LargeValue, expected: u64) -> Result<()> {
    let bytes = read(source, value.number, value.size)?;
    let inode = source.inode(value.number)?;
    if users(&inode) != expected {
        return damaged(value.number, "another number of attributes has the value in it");
    }
    let fs = source.fs();
    let seed = fs.checksums.seed().unwrap_or_else(|| crc32c(!0, &fs.superblock.s_uuid()));
    let computed = crc32c(seed, &bytes);
    if computed != hash(&inode) {
        return damaged(value.number, "the hash of the value in it does not match");
    }
    match value.attribute.has_value_hash(computed) {
        true => Ok(()),
        false => damaged(value.owner, "the hash of an attribute does not match"),
    }
}
