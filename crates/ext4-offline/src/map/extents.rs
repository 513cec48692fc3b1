//! Extent trees.
//!
//! A node is a header of 12 bytes and entries of 12 bytes, in the inode's
//! `i_block` or in a block. Source: the kernel's
//! `Documentation/filesystems/ext4/ifork.rst`.

use super::{Loader, Run};
use crate::{Result, checksum::crc32c, inode::Inode};

const MAGIC: u16 = 0xf30a;
/// The size of a header, and of an entry, in bytes.
pub(super) const ENTRY: usize = 12;
/// No tree is deeper (`EXT4_MAX_EXTENT_DEPTH` in the kernel).
const MAX_DEPTH: u16 = 5;
/// Extents of more blocks than this are unwritten, and as much shorter.
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

/// A node's depth and entries, checked. `at`: its block, the depth it must have
/// and the inode's checksum seed; `None` for the node in the inode.
fn parse_node<'n>(
    loader: &Loader<'_>,
    node: &'n [u8],
    at: Option<(u64, u16, Option<u32>)>,
) -> Result<(u16, impl DoubleEndedIterator<Item = &'n [u8]> + use<'n>)> {
    let block = at.map_or(0, |(block, ..)| block);
    let (entries, most, depth) =
        (usize::from(u16_at(node, 2)), usize::from(u16_at(node, 4)), u16_at(node, 6));
    let room = node.len().saturating_sub(ENTRY) / ENTRY;
    if u16_at(node, 0) != MAGIC || entries > most || most > room {
        return loader.wrong(block, "holds no extents");
    }
    if depth > MAX_DEPTH || at.is_some_and(|(_, wanted, _)| depth != wanted) {
        return loader.wrong(block, "is at the wrong depth of its extent tree");
    }
    if let Some((_, _, Some(seed))) = at {
        let tail = ENTRY * (1 + most);
        // Blocks of 1, 2 and 4 KiB all have 4 bytes to spare, or 8.
        if node.get(..tail).is_some_and(|covered| crc32c(seed, covered) != u32_at(node, tail)) {
            return loader.wrong(block, "holds extents whose checksum does not match");
        }
    }
    Ok((depth, node.chunks_exact(ENTRY).skip(1).take(entries)))
}

/// Loads a whole tree.
pub(super) fn load(loader: &mut Loader<'_>, inode: &Inode) -> Result<()> {
    let seed = inode.checksum_seed(loader.source.fs().checksums.seed());
    load_node(loader, &inode.i_block(), None, 0, seed)
}

/// `first`: the first block of the file that may be below the node.
fn load_node(
    loader: &mut Loader<'_>,
    node: &[u8],
    at: Option<(u64, u16, Option<u32>)>,
    first: u64,
    seed: Option<u32>,
) -> Result<()> {
    let block = at.map_or(0, |(block, ..)| block);
    let (depth, entries) = parse_node(loader, node, at)?;
    let mut first = first;
    for entry in entries {
        if depth > 0 {
            let index = Index::parse(entry);
            if index.logical < first {
                return loader.wrong(block, "holds extents out of order");
            }
            let child = loader.node(index.child)?;
            load_node(loader, &child, Some((index.child, depth - 1, seed)), index.logical, seed)?;
            first = index.logical + 1;
        } else {
            let run = parse_extent(entry);
            if run.logical < first || run.length == 0 {
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
