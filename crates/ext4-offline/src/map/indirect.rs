//! Direct and indirect blocks.
//!
//! `i_block` lists twelve blocks, and then one block each with one, two and three levels of block
//! numbers below it. Source: the kernel's
//! `Documentation/filesystems/ext4/blockmap.rst`.

use super::{Loader, Mapping, Run, extents::u32_at};
use crate::{Error, Result, inode::Inode, source::Source, volume::Volume};

/// The number of blocks that are listed in the inode itself.
pub(super) const DIRECT: u64 = 12;

/// Returns how many blocks can be listed.
pub(super) fn most_blocks(block_size: u32) -> u64 {
    let per_block = u64::from(block_size / 4);
    DIRECT + (1..=3).map(|levels| per_block.pow(levels)).sum::<u64>()
}

/// Loads all blocks of a file.
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

/// Loads a block, or a block of pointers with this many levels below.
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

/// Writes all blocks of a file.
pub(super) fn store(mapping: &mut Mapping, volume: &mut Volume, inode: &mut Inode) -> Result<()> {
    let per_block = u64::from(volume.fs().geometry.block_size / 4);
    let too_large = Error::Limit { inode: inode.number(), what: "a larger file" };
    let end = mapping.runs.last().map_or(0, Run::end);
    let highest = mapping.runs.iter().map(|run| run.blocks().end).max().unwrap_or_default();
    if end > most_blocks(volume.fs().geometry.block_size) || highest > 1 << 32 {
        return Err(too_large);
    }
    let count = nodes_needed(mapping, volume.fs().geometry.block_size);
    mapping.resize_nodes(volume, inode, count)?;

    let mut nodes = mapping.nodes.iter().copied();
    let mut pointers = Vec::new();
    for logical in 0..DIRECT {
        pointers.push(mapping.find(logical).map_or(0, |run| run.physical));
    }
    for (levels, first) in trees(per_block) {
        pointers.push(store_tree(mapping, volume, levels, first, per_block, &mut nodes));
    }
    let mut i_block = [0; 60];
    for (slot, pointer) in i_block.chunks_exact_mut(4).zip(pointers) {
        slot.copy_from_slice(&(pointer as u32).to_le_bytes());
    }
    inode.set_i_block(&i_block);
    Ok(())
}

/// The trees below `i_block`: their numbers of levels, and their first blocks of the file.
fn trees(per_block: u64) -> impl Iterator<Item = (u32, u64)> {
    (1..=3).scan(DIRECT, move |start, levels| {
        let first = *start;
        *start += per_block.pow(levels);
        Some((levels, first))
    })
}

/// Returns how many nodes a file needs. Each tree has only those that its blocks need.
pub(super) fn nodes_needed(mapping: &Mapping, block_size: u32) -> usize {
    let per_block = u64::from(block_size / 4);
    let count =
        trees(per_block).map(|(levels, first)| count_nodes(mapping, levels, first, per_block));
    count.sum::<u64>() as usize
}

/// Returns whether the file has any block in `length` blocks from `first` on.
fn has_any(mapping: &Mapping, first: u64, length: u64) -> bool {
    let index = mapping.runs.partition_point(|run| run.end() <= first);
    mapping.runs.get(index).is_some_and(|run| run.logical < first + length)
}

/// Returns how many nodes a tree with this many levels needs for the blocks from `first` on.
fn count_nodes(mapping: &Mapping, levels: u32, first: u64, per_block: u64) -> u64 {
    let (length, below) = (per_block.pow(levels), per_block.pow(levels - 1));
    if !has_any(mapping, first, length) {
        return 0;
    }
    if levels == 1 {
        return 1;
    }
    1 + (0..per_block)
        .map(|slot| count_nodes(mapping, levels - 1, first + slot * below, per_block))
        .sum::<u64>()
}

/// Writes such a tree into the next nodes, and returns its root, or 0.
fn store_tree(
    mapping: &Mapping,
    volume: &mut Volume,
    levels: u32,
    first: u64,
    per_block: u64,
    nodes: &mut impl Iterator<Item = u64>,
) -> u64 {
    let (length, below) = (per_block.pow(levels), per_block.pow(levels - 1));
    if !has_any(mapping, first, length) {
        return 0;
    }
    let root = nodes.next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(per_block as usize * 4);
    for slot in 0..per_block {
        let logical = first + slot * below;
        let pointer = match levels {
            1 => mapping.find(logical).map_or(0, |run| run.physical),
            _ => store_tree(mapping, volume, levels - 1, logical, per_block, nodes),
        };
        bytes.extend((pointer as u32).to_le_bytes());
    }
    volume.stage(root, bytes);
    root
}
