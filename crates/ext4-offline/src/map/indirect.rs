//! Direct and indirect blocks.
//!
//! `i_block` has twelve blocks, then one block each with one, two and three
//! levels of block numbers below. Source: the kernel's
//! `Documentation/filesystems/ext4/blockmap.rst`.

use super::{Loader, Run, extents::u32_at};
use crate::{Result, inode::Inode};

/// Blocks that are listed in the inode itself.
pub(super) const DIRECT: u64 = 12;

/// Loads all of a file's blocks.
pub(super) fn load(loader: &mut Loader<'_>, inode: &Inode) -> Result<()> {
    let per_block = u64::from(loader.source.fs().geometry.block_size / 4);
    let mut logical = 0;
    for (index, pointer) in inode.i_block().chunks_exact(4).enumerate() {
        let levels = index.saturating_sub(DIRECT as usize - 1) as u32;
        load_pointer(loader, u32_at(pointer, 0), levels, logical)?;
        logical += per_block.pow(levels);
    }
    Ok(())
}

/// A block, or a block of pointers with so many levels below.
fn load_pointer(loader: &mut Loader<'_>, pointer: u32, levels: u32, logical: u64) -> Result<()> {
    let physical = u64::from(pointer);
    match (physical, levels) {
        (0, _) => Ok(()),
        (_, 0) => loader.run(Run { logical, physical, length: 1, unwritten: false }),
        _ => {
            let node = loader.node(physical)?;
            let below = (node.len() as u64 / 4).pow(levels - 1);
            for (index, pointer) in node.chunks_exact(4).enumerate() {
                let logical = logical + index as u64 * below;
                load_pointer(loader, u32_at(pointer, 0), levels - 1, logical)?;
            }
            Ok(())
        }
    }
}

/// The run that begins with a block of the file, one block long.
pub(super) fn find(loader: &mut Loader<'_>, inode: &Inode, logical: u64) -> Result<Option<Run>> {
    let per_block = u64::from(loader.source.fs().geometry.block_size / 4);
    let i_block = inode.i_block();
    let (mut levels, mut rest) = (0, logical);
    let mut slot = rest;
    if rest >= DIRECT {
        rest -= DIRECT;
        levels = 1;
        while levels <= 3 && rest >= per_block.pow(levels) {
            rest -= per_block.pow(levels);
            levels += 1;
        }
        if levels > 3 {
            return Ok(None);
        }
        slot = DIRECT - 1 + u64::from(levels);
    }
    let mut pointer = u32_at(&i_block, slot as usize * 4);
    while levels > 0 && pointer != 0 {
        let node = loader.node(pointer.into())?;
        let below = per_block.pow(levels - 1);
        pointer = u32_at(&node, (rest / below) as usize * 4);
        rest %= below;
        levels -= 1;
    }
    if pointer == 0 {
        return Ok(None);
    }
    let physical = u64::from(pointer);
    loader.check(physical, 1)?;
    Ok(Some(Run { logical, physical, length: 1, unwritten: false }))
}
