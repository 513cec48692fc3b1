//! Changes that leave every entry and value where it is.

use std::ops::Range;

use super::{INLINE, INSIDE_HEADER, MAGIC, block, entries};
use crate::{Result, inode::Inode};

/// The offset of `e_value_inum` in an entry: the inode that holds the value.
const VALUE_INODE: usize = 4;

/// Changes the area of attributes in an inode, if it has any.
fn edit_inside<T>(inode: &mut Inode, edit: impl FnOnce(&mut [u8]) -> T) -> Option<T> {
    let mut bytes = inode.extra().to_vec();
    let (magic, area) = bytes.split_first_chunk_mut::<INSIDE_HEADER>()?;
    if u32::from_le_bytes(*magic) != MAGIC {
        return None;
    }
    let result = edit(area);
    inode.set_extra(&bytes);
    Some(result)
}

/// Changes the part of inline contents that is not in `i_block`, if there is any.
pub(crate) fn edit_inline_value(
    inode: &mut Inode,
    edit: impl FnOnce(&mut [u8]) -> Result<()>,
) -> Result<()> {
    let edited = edit_inside(inode, |area| {
        let value: Option<Range<usize>> = entries::value_range(area, INLINE);
        value.and_then(|range| area.get_mut(range)).map(edit)
    });
    edited.flatten().unwrap_or(Ok(()))
}

fn renumber(area: &mut [u8], number: impl Fn(u32) -> u32) {
    for at in entries::offsets(area) {
        let place = area.get_mut(at + VALUE_INODE..).and_then(|rest| rest.first_chunk_mut::<4>());
        if let Some(place) = place
            && *place != [0; 4]
        {
            *place = number(u32::from_le_bytes(*place)).to_le_bytes();
        }
    }
}

/// Gives the attributes in an inode whose values are in other inodes the numbers that `number`
/// returns for those.
pub(crate) fn renumber_inside(inode: &mut Inode, number: impl Fn(u32) -> u32) {
    edit_inside(inode, |area| renumber(area, number));
}

/// The bytes of a block of attributes at a new place, whose values in other inodes got the numbers
/// that `number` returns.
pub(crate) fn moved_block(
    mut bytes: Vec<u8>,
    block: u64,
    seed: Option<u32>,
    number: impl Fn(u32) -> u32,
) -> Vec<u8> {
    if let Some(area) = bytes.get_mut(block::HEADER..) {
        renumber(area, number);
    }
    block::seal(&mut bytes, block, seed);
    bytes
}
