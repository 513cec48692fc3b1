//! Extent trees.
//!
//! A node is a header of 12 bytes and entries of 12 bytes, in the inode's
//! `i_block` or in a block. Source: the kernel's
//! `Documentation/filesystems/ext4/ifork.rst`.

use std::ops::Range;

use super::{Loader, Mapping, Run};
use crate::{Error, Result, digest::crc32c, inode::Inode, source::Source, volume::Volume};

const MAGIC: u16 = 0xf30a;
/// The size of a header, and of an entry, in bytes.
pub(super) const ENTRY: usize = 12;
/// The largest depth of a tree (`EXT4_MAX_EXTENT_DEPTH` in the kernel).
const MAX_DEPTH: u16 = 5;
/// A greater length means an unwritten extent, whose length is the excess.
pub(super) const MAX_LENGTH: u64 = 0x8000;

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..offset + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from(u16_at(bytes, offset + 2)) << 16 | u32::from(u16_at(bytes, offset))
}

/// An entry of a node above the leaves.
struct Index {
    /// The first block of the file below it.
    logical: u64,
    /// The node.
    child: u64,
}

impl Index {
    fn parse(entry: &[u8]) -> Self {
        let child = u64::from(u16_at(entry, 8)) << 32 | u64::from(u32_at(entry, 4));
        Index { logical: u32_at(entry, 0).into(), child }
    }
}

/// An entry of a leaf.
fn parse_extent(entry: &[u8]) -> Run {
    let length = u64::from(u16_at(entry, 4));
    let unwritten = length > MAX_LENGTH;
    Run {
        logical: u32_at(entry, 0).into(),
        physical: u64::from(u16_at(entry, 6)) << 32 | u64::from(u32_at(entry, 8)),
        length: if unwritten { length - MAX_LENGTH } else { length },
        unwritten,
    }
}

/// The depth and the entries of a node, checked. `at` has its block, the depth that it must have
/// and the inode's checksum seed; it is `None` for the node in the inode.
fn parse_node<'n>(
    loader: &Loader<'_>,
    node: &'n [u8],
    at: Option<(u64, u16, Option<u32>)>,
) -> Result<(u16, impl DoubleEndedIterator<Item = &'n [u8]> + use<'n>)> {
    let block = at.map_or(0, |(block, ..)| block);
    let (entries, most, depth) =
        (usize::from(u16_at(node, 2)), usize::from(u16_at(node, 4)), u16_at(node, 6));
    let room = node.len().saturating_sub(ENTRY) / ENTRY;
    // e2fsck rejects nodes that leave more than two places unused.
    if u16_at(node, 0) != MAGIC || entries > most || most > room || most + 2 < room {
        return loader.wrong(block, "does not hold extents");
    }
    if depth > MAX_DEPTH || at.is_some_and(|(_, wanted, _)| depth != wanted) {
        return loader.wrong(block, "is at the wrong depth of its extent tree");
    }
    if let Some((_, _, Some(seed))) = at {
        let tail = ENTRY * (1 + most);
        // A block of any size has 4 or 8 bytes to spare.
        if node.get(..tail).is_some_and(|covered| crc32c(seed, covered) != u32_at(node, tail)) {
            return loader.wrong(block, "holds extents whose checksum does not match");
        }
    }
    Ok((depth, node.chunks_exact(ENTRY).skip(1).take(entries)))
}

/// Loads a whole tree.
pub(super) fn load(loader: &mut Loader<'_>, inode: &Inode) -> Result<()> {
    let seed = inode.checksum_seed(loader.source.fs().checksums.seed());
    load_node(loader, &inode.i_block(), None, 0..1 << 32, seed)
}

/// `bounds`: the blocks of the file that may be below the node; it begins with
/// the first, unless it is the root.
fn load_node(
    loader: &mut Loader<'_>,
    node: &[u8],
    at: Option<(u64, u16, Option<u32>)>,
    bounds: Range<u64>,
    seed: Option<u32>,
) -> Result<()> {
    let block = at.map_or(0, |(block, ..)| block);
    let (depth, entries) = parse_node(loader, node, at)?;
    let mut entries = entries.peekable();
    let starts = entries.peek().map(|entry| u64::from(u32_at(entry, 0)));
    if at.is_some() && starts != Some(bounds.start) {
        return loader.wrong(block, "does not begin with the block that the extent tree says");
    }
    let mut first = bounds.start;
    while let Some(entry) = entries.next() {
        let next = entries.peek().map_or(bounds.end, |entry| u32_at(entry, 0).into());
        if depth > 0 {
            let index = Index::parse(entry);
            if index.logical < first || next <= index.logical || next > bounds.end {
                return loader.wrong(block, "holds extents out of order");
            }
            let child = loader.node(index.child)?;
            let at = Some((index.child, depth - 1, seed));
            load_node(loader, &child, at, index.logical..next, seed)?;
            first = next;
        } else {
            let run = parse_extent(entry);
            if run.logical < first || run.length == 0 || run.end() > bounds.end {
                return loader.wrong(block, "holds extents out of order");
            }
            first = run.end();
            loader.run(run)?;
        }
    }
    Ok(())
}

/// The run that begins with a block of the file.
pub(super) fn find(loader: &mut Loader<'_>, inode: &Inode, logical: u64) -> Result<Option<Run>> {
    let seed = inode.checksum_seed(loader.source.fs().checksums.seed());
    let mut node = inode.i_block().to_vec();
    let mut at = None;
    loop {
        let (depth, run, child) = {
            let (depth, mut entries) = parse_node(loader, &node, at)?;
            let below = entries.rfind(|entry| u64::from(u32_at(entry, 0)) <= logical);
            let Some(entry) = below else { return Ok(None) };
            (depth, parse_extent(entry), Index::parse(entry).child)
        };
        if depth == 0 {
            let Some(run) = run.after(logical) else { return Ok(None) };
            loader.check(run.physical, run.length)?;
            return Ok(Some(run));
        }
        node = loader.node(child)?;
        at = Some((child, depth - 1, seed));
    }
}

/// Returns how many entries fit into a node of this size in bytes.
fn capacity(bytes: usize) -> usize {
    (bytes - ENTRY) / ENTRY
}

/// The bytes of a node.
fn build_node(bytes: usize, depth: u16, entries: &[[u8; ENTRY]], seed: Option<u32>) -> Vec<u8> {
    let most = capacity(bytes);
    let mut node = Vec::with_capacity(bytes);
    node.extend(MAGIC.to_le_bytes());
    node.extend((entries.len() as u16).to_le_bytes());
    node.extend((most as u16).to_le_bytes());
    node.extend(depth.to_le_bytes());
    node.extend([0; 4]);
    entries.iter().for_each(|entry| node.extend(entry));
    node.resize(ENTRY * (1 + most), 0);
    if let Some(seed) = seed {
        node.extend(crc32c(seed, &node).to_le_bytes());
    }
    node.resize(bytes, 0);
    node
}

fn extent_entry(run: &Run) -> [u8; ENTRY] {
    let length = run.length + if run.unwritten { MAX_LENGTH } else { 0 };
    let mut entry = [0; ENTRY];
    entry[0..4].copy_from_slice(&(run.logical as u32).to_le_bytes());
    entry[4..6].copy_from_slice(&(length as u16).to_le_bytes());
    entry[6..8].copy_from_slice(&((run.physical >> 32) as u16).to_le_bytes());
    entry[8..12].copy_from_slice(&(run.physical as u32).to_le_bytes());
    entry
}

fn index_entry(logical: u32, child: u64) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[0..4].copy_from_slice(&logical.to_le_bytes());
    entry[4..8].copy_from_slice(&(child as u32).to_le_bytes());
    entry[8..10].copy_from_slice(&((child >> 32) as u16).to_le_bytes());
    entry
}

/// The largest length of an extent.
fn longest(unwritten: bool) -> u64 {
    MAX_LENGTH - u64::from(unwritten)
}

/// Splits runs into entries of leaves.
fn extent_entries(runs: &[Run]) -> Vec<[u8; ENTRY]> {
    let mut entries = Vec::with_capacity(runs.len());
    for run in runs {
        let mut rest = Some(*run);
        while let Some(run) = rest {
            let cut = run.logical + longest(run.unwritten);
            entries.extend(run.before(cut).as_ref().map(extent_entry));
            rest = run.after(cut);
        }
    }
    entries
}

/// Returns an error unless the inode can have a block with this number: there are 2^32,
/// and the last one cannot be used.
fn check_end(inode: &Inode, end: u64) -> Result<()> {
    if end <= u32::MAX.into() {
        Ok(())
    } else {
        Err(Error::Limit { inode: inode.number(), what: "a larger file" })
    }
}

/// Returns how many nodes outside of the inode a tree with this many extents needs.
fn nodes_for(extents: usize, block_size: usize) -> usize {
    let (mut count, mut nodes) = (extents, 0);
    while count > capacity(60) {
        count = count.div_ceil(capacity(block_size));
        nodes += count;
    }
    nodes
}

/// Returns how many nodes outside of the inode these runs need.
pub(super) fn nodes_needed(runs: &[Run], block_size: u32) -> usize {
    let extents = runs.iter().map(|run| run.length.div_ceil(longest(run.unwritten)) as usize);
    nodes_for(extents.sum(), block_size as usize)
}

/// Writes a whole tree. All nodes but the last of each level are full, as e2fsck prefers it.
pub(super) fn store(mapping: &mut Mapping, volume: &mut Volume, inode: &mut Inode) -> Result<()> {
    check_end(inode, mapping.runs.last().map_or(0, Run::end))?;
    let seed = inode.checksum_seed(volume.fs().checksums.seed());
    let bytes = volume.fs().geometry.block_size as usize;
    let root = capacity(60);
    let mut entries = extent_entries(&mapping.runs);
    mapping.resize_nodes(volume, inode, nodes_for(entries.len(), bytes))?;

    let mut free = mapping.nodes.iter();
    let mut depth = 0;
    while entries.len() > root {
        let mut above = Vec::new();
        for (chunk, &block) in entries.chunks(capacity(bytes)).zip(&mut free) {
            volume.stage(block, build_node(bytes, depth, chunk, seed));
            above.push(index_entry(chunk.first().map_or(0, |entry| u32_at(entry, 0)), block));
        }
        entries = above;
        depth += 1;
    }
    let mut i_block = [0; 60];
    i_block.copy_from_slice(&build_node(60, depth, &entries, None)[..60]);
    inode.set_i_block(&i_block);
    Ok(())
}

/// Adds runs to the last leaf of a tree, if it is in a block and has room, and counts them in
/// `i_blocks`. Returns whether it did.
pub(super) fn append_to_last_leaf(
    volume: &mut Volume,
    inode: &mut Inode,
    runs: &[Run],
) -> Result<bool> {
    // Clusters that two runs share can only be counted with all runs at hand.
    if volume.fs().geometry.cluster_blocks > 1 {
        return Ok(false);
    }
    let seed = inode.checksum_seed(volume.fs().checksums.seed());
    let mut loader = Loader::new(volume, inode.number());
    let mut node = inode.i_block().to_vec();
    let mut at = None;
    let mut leaf = loop {
        let (depth, last) = {
            let (depth, entries) = parse_node(&loader, &node, at)?;
            if depth == 0 {
                break Mapping { runs: entries.map(parse_extent).collect(), nodes: Vec::new() };
            }
            (depth, entries.last().map(|entry| Index::parse(entry).child))
        };
        let Some(child) = last else { return Ok(false) };
        node = loader.node(child)?;
        at = Some((child, depth - 1, seed));
    };
    let Some((block, ..)) = at else { return Ok(false) };
    runs.iter().for_each(|run| leaf.push(*run));
    let entries = extent_entries(&leaf.runs);
    if entries.len() > capacity(node.len()) {
        return Ok(false);
    }
    check_end(inode, leaf.runs.last().map_or(0, Run::end))?;
    volume.stage(block, build_node(node.len(), 0, &entries, seed));
    let added: u64 = runs.iter().map(|run| run.length).sum();
    let sectors = added * u64::from(volume.fs().geometry.block_size / 512);
    inode.set_i_blocks(inode.i_blocks() + sectors);
    Ok(true)
}

/// The last run of a tree, if it has any.
pub(super) fn last(loader: &mut Loader<'_>, inode: &Inode) -> Result<Option<Run>> {
    let seed = inode.checksum_seed(loader.source.fs().checksums.seed());
    let mut node = inode.i_block().to_vec();
    let mut at = None;
    loop {
        let (depth, run, child) = {
            let (depth, entries) = parse_node(loader, &node, at)?;
            let Some(entry) = entries.last() else { return Ok(None) };
            (depth, parse_extent(entry), Index::parse(entry).child)
        };
        if depth == 0 {
            loader.check(run.physical, run.length)?;
            return Ok(Some(run));
        }
        node = loader.node(child)?;
        at = Some((child, depth - 1, seed));
    }
}
