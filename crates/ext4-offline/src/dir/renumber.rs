//! Changing the numbers of inodes in a whole directory.

use std::collections::HashSet;

use super::{Format, ReadBlocks, Reader, htree::Node, leaf::Leaf};
use crate::Result;

/// Gives every inode that a directory refers to, itself and its parent included, the number that
/// `number` returns for it. Returns the blocks that change.
///
/// `before` and `after` differ in the inode and its checksum seed. Names stay where they are, since
/// their hashes do not depend on inodes.
///
/// # Errors
/// [`Error::Directory`](crate::Error::Directory).
pub(crate) fn renumber<B: ReadBlocks + ?Sized>(
    before: &Format,
    after: &Format,
    blocks: &B,
    indexed: bool,
    number: impl Fn(u32) -> u32,
) -> Result<Vec<(u32, Vec<u8>)>> {
    let leaves: Option<HashSet<u32>> = if indexed {
        let (_, leaves) = Reader::new(before, blocks, true).tree()?;
        Some(leaves.iter().map(|leaf| leaf.index).collect())
    } else {
        None
    };
    let mut changed = Vec::new();
    for index in 0..blocks.count() {
        let raw = before.block(blocks, index)?;
        let bytes = if leaves.as_ref().is_none_or(|leaves| leaves.contains(&index)) {
            let mut leaf = Leaf::parse(before, index, raw.clone())?;
            leaf.renumber(before, &number);
            leaf.seal(after)
        } else if index == 0 {
            let mut root = Node::parse_root(before, raw.clone())?;
            root.renumber_dots(before, &number)?;
            root.seal(after)
        } else {
            Node::parse(before, index, raw.clone(), 0, u32::MAX)?.seal(after)
        };
        if bytes != raw {
            changed.push((index, bytes));
        }
    }
    Ok(changed)
}
