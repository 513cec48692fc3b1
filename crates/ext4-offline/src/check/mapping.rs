//! The blocks of an inode: extents, or indirect blocks.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/inodes.rst`,
//! `ifork.rst` and `blockmap.rst`.

use block_io::ReadAt;

use super::{claims::Claims, has_blocks};
use crate::{Error, Result, filesystem::Filesystem};

/// The inode that lists bad blocks, which may be anybody's.
const BAD_BLOCKS: u32 = 1;
/// The inode that holds the blocks reserved for descriptors.
const RESIZE: u32 = 7;
/// `i_flags`: blocks are described by extents.
const EXTENTS: u32 = 0x8_0000;
/// `i_flags`: the contents are in the inode.
const INLINE_DATA: u32 = 0x1000_0000;
/// No extent tree is deeper (`EXT4_MAX_EXTENT_DEPTH`).
const MAX_DEPTH: u16 = 5;
/// Extents of more blocks than this are unwritten, and as much shorter.
const MAX_LENGTH: u16 = 0x8000;

/// An inode's bytes, and its number.
pub(super) struct Inode<'a> {
    number: u32,
    raw: &'a [u8],
}

impl<'a> Inode<'a> {
    pub fn new(number: u32, raw: &'a [u8]) -> Self {
        Inode { number, raw }
    }

    fn u16_at(&self, offset: usize) -> u16 {
        u16_at(self.raw, offset)
    }

    fn u32_at(&self, offset: usize) -> u32 {
        u32_at(self.raw, offset)
    }

    fn mode(&self) -> u16 {
        self.u16_at(0)
    }

    /// Whether directory entries refer to it, or it has a purpose of its own.
    pub fn is_linked(&self) -> bool {
        self.mode() != 0 && self.u16_at(0x1a) != 0
    }

    /// The block of its extended attributes, or 0.
    fn i_file_acl(&self) -> u64 {
        u64::from(self.u16_at(0x76)) << 32 | u64::from(self.u32_at(0x68))
    }

    /// The 60 bytes that say where the contents are, or are the target of a
    /// short symlink.
    fn i_block(&self) -> &'a [u8] {
        self.raw.get(0x28..0x64).unwrap_or_default()
    }

    fn is_short_symlink(&self) -> bool {
        let size = u64::from(self.u32_at(0x6c)) << 32 | u64::from(self.u32_at(4));
        self.mode() & 0xf000 == 0xa000 && size < 60 && self.u32_at(0x20) & EXTENTS == 0
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..offset + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from(u16_at(bytes, offset + 2)) << 16 | u32::from(u16_at(bytes, offset))
}

/// Claims all blocks of an inode.
///
/// Every block of a tree is claimed before it is read, and no block can be
/// claimed twice, so a tree that contains itself comes to an end; where that is
/// not seen, with bigalloc, the depth ends it, and the limit on the steps.
pub(super) fn claim(
    inode: &Inode,
    fs: &Filesystem,
    storage: &dyn ReadAt,
    claims: &mut Claims,
) -> Result<()> {
    if inode.number == BAD_BLOCKS || inode.mode() == 0 {
        return Ok(());
    }
    let acl = inode.i_file_acl();
    if acl != 0 {
        claims.claim_shared(inode.number, acl)?;
    }
    let mut walk = Walk { inode: inode.number, fs, storage, claims, steps: fs.geometry.blocks };
    let flags = inode.u32_at(0x20);
    if inode.number == RESIZE {
        // All that it lists has been claimed as the groups' own.
        match inode.u32_at(0x28 + 13 * 4) {
            0 => Ok(()),
            block => walk.claims.claim(RESIZE, block.into()..u64::from(block) + 1),
        }
    } else if !has_blocks(inode.mode()) || flags & INLINE_DATA != 0 || inode.is_short_symlink() {
        Ok(())
    } else if flags & EXTENTS != 0 {
        walk.extents(inode.i_block(), None)
    } else {
        walk.indirect(inode.i_block())
    }
}

struct Walk<'a, 'b> {
    inode: u32,
    fs: &'a Filesystem,
    storage: &'a dyn ReadAt,
    claims: &'a mut Claims<'b>,
    /// How many more tree blocks there can be.
    steps: u64,
}

impl Walk<'_, '_> {
    /// Claims a block of the tree, and reads it.
    fn node(&mut self, block: u64) -> Result<Vec<u8>> {
        let Some(left) = self.steps.checked_sub(1) else {
            return self.wrong(block, "is part of a tree without end");
        };
        self.steps = left;
        self.claims.claim(self.inode, block..block.saturating_add(1))?;
        self.fs.read_block(self.storage, block)
    }

    fn wrong<T>(&self, block: u64, reason: &'static str) -> Result<T> {
        Err(Error::Inode { inode: self.inode, block, reason })
    }

    /// The nodes below and the blocks of an extent node. `at`: its block and the
    /// depth it must have; `None` for the one in the inode.
    fn extents(&mut self, node: &[u8], at: Option<(u64, u16)>) -> Result<()> {
        let block = at.map_or(0, |(block, _)| block);
        let (entries, depth) = (u16_at(node, 2), u16_at(node, 6));
        let fits = usize::from(entries) <= node.len().saturating_sub(12) / 12;
        if u16_at(node, 0) != 0xf30a || !fits {
            return self.wrong(block, "holds no extents");
        }
        if depth > MAX_DEPTH || at.is_some_and(|(_, wanted)| depth != wanted) {
            return self.wrong(block, "is at the wrong depth of its extent tree");
        }
        for entry in node.chunks_exact(12).skip(1).take(entries.into()) {
            if depth > 0 {
                let child = u64::from(u16_at(entry, 8)) << 32 | u64::from(u32_at(entry, 4));
                let node = self.node(child)?;
                self.extents(&node, Some((child, depth - 1)))?;
            } else {
                let start = u64::from(u16_at(entry, 6)) << 32 | u64::from(u32_at(entry, 8));
                let length = match u16_at(entry, 4) {
                    length if length > MAX_LENGTH => length - MAX_LENGTH,
                    length => length,
                };
                self.claims.claim(self.inode, start..start + u64::from(length))?;
            }
        }
        Ok(())
    }

    /// Twelve blocks, and trees of one, two and three levels.
    fn indirect(&mut self, i_block: &[u8]) -> Result<()> {
        for (index, pointer) in i_block.chunks_exact(4).enumerate() {
            self.pointer(u32_at(pointer, 0), index.saturating_sub(11))?;
        }
        Ok(())
    }

    /// A block, or a block of pointers with so many levels below.
    fn pointer(&mut self, pointer: u32, levels: usize) -> Result<()> {
        let block = u64::from(pointer);
        match (block, levels) {
            (0, _) => Ok(()),
            (_, 0) => self.claims.claim(self.inode, block..block + 1),
            _ => {
                let node = self.node(block)?;
                for pointer in node.chunks_exact(4) {
                    self.pointer(u32_at(pointer, 0), levels - 1)?;
                }
                Ok(())
            }
        }
    }
}
