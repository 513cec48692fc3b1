//! Values in inodes of their own (`ea_inode`).
//!
//! Such an inode counts the attributes that name it, in the fields of its change
//! time and its version.

use super::damaged;
use crate::{
    Error, Result,
    files::{self, Volume},
    inode::{EA_INODE, Inode, Time, TimeField},
    source::Source,
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
    files::read_contents(source, &inode, 0, &mut value)?;
    Ok(value)
}

/// How many attributes have the value, as the inode tells it.
pub(super) fn users(inode: &Inode) -> u64 {
    // The high half is the change time's 32 bits of seconds.
    let high = inode.time(TimeField::Change).seconds as u32;
    u64::from(high) << 32 | u64::from(inode.i_version())
}

/// The hash of the value, as the inode tells it: in the access time's seconds.
pub(super) fn hash(inode: &Inode) -> u32 {
    inode.time(TimeField::Access).seconds as u32
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
        return volume.release_inode(inode);
    }
    let seconds = i64::from((left >> 32) as u32 as i32);
    inode.set_time(TimeField::Change, Time { seconds, nanoseconds: 0 });
    inode.set_i_version(left as u32);
    volume.put_inode(&mut inode)
}
