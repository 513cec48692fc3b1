//! The contents of one inode: their blocks and their size.

use super::{Inodes, fields::wrong};
use crate::{
    Result,
    contents::read_contents,
    inode::{ENCRYPT, EXTENTS, INLINE_DATA, Inode, VERITY},
    map::Mapping,
    source::Source,
    xattr,
};

impl Inodes<'_> {
    /// Claims all blocks of an inode, and compares them with `i_blocks` and `i_size`.
    pub(super) fn check_contents(&mut self, inode: &Inode) -> Result<()> {
        let number = inode.number();
        let mapping = if inode.has_blocks() {
            Mapping::load(self.source, inode)?
        } else {
            Mapping::default()
        };
        for &node in &mapping.nodes {
            self.claims.claim_listed(number, node)?;
        }
        self.claims.claim_runs(number, &mapping.runs)?;
        self.check_blocks(inode, &mapping)?;
        if inode.is_symlink() {
            self.check_symlink(inode, &mapping)
        } else if inode.has_flag(INLINE_DATA) {
            self.check_inline(inode)
        } else if inode.is_dir() {
            self.check_directory_size(inode, &mapping)
        } else {
            self.check_size(inode, &mapping)
        }
    }

    /// Checks that `i_blocks` is the number of blocks of the inode.
    pub(super) fn check_blocks(&self, inode: &Inode, mapping: &Mapping) -> Result<()> {
        let geometry = &self.source.fs().geometry;
        if geometry.cluster_blocks > 1
            && !inode.has_flag(EXTENTS)
            && !(mapping.runs.is_empty() && mapping.nodes.is_empty())
        {
            let reason = "files on a filesystem with bigalloc must have extents";
            return wrong(inode, "i_flags", inode.i_flags(), reason);
        }
        let clusters =
            mapping.clusters(geometry.cluster_blocks) + xattr::clusters(self.source, inode)?;
        let blocks = clusters * u64::from(geometry.cluster_blocks);
        if inode.i_blocks() == blocks * self.source.fs().units_per_block(inode) {
            return Ok(());
        }
        wrong(inode, "i_blocks", inode.i_blocks(), "the inode has another number of blocks")
    }

    fn check_size(&self, inode: &Inode, mapping: &Mapping) -> Result<()> {
        let block_size = u64::from(self.source.fs().geometry.block_size);
        let size = inode.i_size();
        // Blocks after the end may be reserved, but not written.
        let written = mapping.runs.iter().rev().find(|run| !run.unwritten).map(|run| run.end() - 1);
        if let Some(last) = written
            && size < last * block_size
            && !inode.has_flag(VERITY)
        {
            return wrong(inode, "i_size", size, "the inode has blocks after its end");
        }
        self.check_limit(inode)
    }

    /// Checks that there are files of this size.
    fn check_limit(&self, inode: &Inode) -> Result<()> {
        let block_size = u64::from(self.source.fs().geometry.block_size);
        let per_block = block_size / 4;
        // e2fsck lacks one byte of what extents can map.
        let most = if inode.has_flag(EXTENTS) {
            (block_size << 32) - 1
        } else {
            (12 + (1..=3).map(|levels| per_block.pow(levels)).sum::<u64>()) * block_size
        };
        if inode.i_size() <= most {
            Ok(())
        } else {
            wrong(inode, "i_size", inode.i_size(), "no file can be this large")
        }
    }

    /// Checks that a directory has the blocks that its size says, without holes.
    fn check_directory_size(&self, inode: &Inode, mapping: &Mapping) -> Result<()> {
        let block_size = u64::from(self.source.fs().geometry.block_size);
        let size = inode.i_size();
        let blocks = size / block_size;
        let mapped: u64 = mapping.runs.iter().map(|run| run.length).sum();
        let end = mapping.runs.last().map_or(0, |run| run.end());
        let unwritten = mapping.runs.iter().any(|run| run.unwritten);
        if size == 0
            || !size.is_multiple_of(block_size)
            || blocks != end
            || mapped != end
            || unwritten
        {
            return wrong(inode, "i_size", size, "the directory has another number of blocks");
        }
        Ok(())
    }

    fn check_symlink(&self, inode: &Inode, mapping: &Mapping) -> Result<()> {
        let size = inode.i_size();
        let block_size = u64::from(self.source.fs().geometry.block_size);
        let bad = |reason| wrong(inode, "i_size", size, reason);
        if size == 0 || size > block_size {
            return bad("the target of a symlink cannot have this length");
        }
        if size < 60 && inode.has_flag(EXTENTS) {
            return bad("a target this short must be in the inode");
        }
        let one = matches!(mapping.runs.as_slice(), [run] if run.logical == 0 && run.length == 1);
        if inode.has_blocks() && !one {
            return bad("the target must be in one block");
        }
        if inode.has_flag(ENCRYPT) {
            return Ok(());
        }
        // A zero follows the target.
        let fast = inode.is_fast_symlink();
        let mut target = if fast { inode.i_block().to_vec() } else { vec![0; size as usize] };
        if let (Some(run), false) = (mapping.runs.first(), fast) {
            target = self.source.block(run.physical)?;
        } else if !fast {
            read_contents(self.source, inode, 0, &mut target)?;
        }
        let length = target.iter().position(|&byte| byte == 0).unwrap_or(target.len()) as u64;
        let terminated = length < target.len() as u64 || inode.has_flag(INLINE_DATA);
        if length == size && terminated { Ok(()) } else { bad("the target has another length") }
    }

    /// Checks that contents in the inode fit there. A file may be larger: Linux reads zeros behind
    /// what is in the inode (`ext4_read_inline_folio` in fs/ext4/inline.c).
    fn check_inline(&self, inode: &Inode) -> Result<()> {
        let attributes = xattr::Attributes::load(self.source, inode)?;
        let Some(rest) = attributes.inline_value() else {
            let reason = "the inode has no attribute system.data for its contents";
            return wrong(inode, "i_flags", inode.i_flags(), reason);
        };
        let (size, room) = (inode.i_size(), 60 + rest.len() as u64);
        if inode.is_dir() && size != room {
            return wrong(inode, "i_size", size, "the directory in the inode has another size");
        }
        self.check_limit(inode)
    }
}
