//! The mapping of a file: the blocks that hold its contents.
//!
//! ext4 describes them by extents, ext2 and ext3 by blocks of block numbers. Both are read into
//! the same list of runs, and written from it.

mod extents;
mod indirect;
mod store;

use std::collections::HashSet;

use crate::{
    Error, Result,
    inode::{EXTENTS, INLINE_DATA, Inode},
    source::Source,
};
pub(crate) use store::{append, cut, set_i_blocks};

/// A run of blocks that are contiguous both in a file and on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Its first block, counted from the beginning of the file.
    pub logical: u64,
    /// Its first block, counted from the beginning of the filesystem.
    pub physical: u64,
    /// The number of blocks.
    pub length: u64,
    /// Its blocks belong to the file, but read as zeros.
    pub unwritten: bool,
}

impl Run {
    /// The first block of the file after it.
    pub fn end(&self) -> u64 {
        self.logical + self.length
    }

    /// Its blocks on the disk.
    pub fn blocks(&self) -> std::ops::Range<u64> {
        self.physical..self.physical + self.length
    }

    /// Returns whether `next` continues where it ends.
    fn continues_with(&self, next: &Run) -> bool {
        self.end() == next.logical
            && self.physical + self.length == next.physical
            && self.unwritten == next.unwritten
    }

    /// Its part at or after a block of the file.
    pub fn after(&self, logical: u64) -> Option<Run> {
        let skip = logical.saturating_sub(self.logical);
        (skip < self.length).then(|| Run {
            logical: self.logical + skip,
            physical: self.physical + skip,
            length: self.length - skip,
            ..*self
        })
    }

    /// Its part before a block of the file.
    pub fn before(&self, logical: u64) -> Option<Run> {
        let length = logical.saturating_sub(self.logical).min(self.length);
        (length > 0).then_some(Run { length, ..*self })
    }
}

/// All blocks of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The runs in the order of the file, with holes between them.
    pub runs: Vec<Run>,
    /// The blocks that list the runs, in the order in which they are read.
    pub nodes: Vec<u64>,
}

impl Mapping {
    /// Reads the mapping of an inode that [has blocks](Inode::has_blocks).
    ///
    /// This ends whatever the blocks contain, and takes at most a few times the memory of the
    /// metadata that exists, because no block is read twice.
    ///
    /// # Errors
    /// [`Error::Inode`] if a block is not within the filesystem, out of order,
    /// or has the wrong contents.
    pub fn load(source: &dyn Source, inode: &Inode) -> Result<Self> {
        let mut loader = Loader::new(source, inode.number());
        if inode.has_flag(EXTENTS) {
            extents::load(&mut loader, inode)?
        } else {
            indirect::load(&mut loader, inode)?
        }
        Ok(loader.mapping)
    }

    /// Adds a run at the end.
    pub fn push(&mut self, run: Run) {
        match self.runs.last_mut() {
            Some(last) if last.continues_with(&run) => last.length += run.length,
            _ => self.runs.push(run),
        }
    }

    /// Returns how many nodes [`store`](Self::store) writes, for a file with or without extents.
    pub fn nodes_needed(&self, extents: bool, block_size: u32) -> usize {
        if extents {
            extents::nodes_needed(&self.runs, block_size)
        } else {
            indirect::nodes_needed(self, block_size)
        }
    }

    /// The run that holds a block of the file.
    pub fn find(&self, logical: u64) -> Option<Run> {
        let index = self.runs.partition_point(|run| run.end() <= logical);
        self.runs.get(index).and_then(|run| run.after(logical)).filter(|run| run.logical == logical)
    }
}

/// Returns how many blocks a file can have, holes and all.
pub(crate) fn most_blocks(source: &dyn Source, inode: &Inode) -> u64 {
    let most = if inode.has_flag(EXTENTS | INLINE_DATA) {
        u64::MAX
    } else {
        indirect::most_blocks(source.fs().geometry.block_size)
    };
    most.min(u32::MAX.into())
}

/// The run that begins with a block of the file, unless the block is a hole. Only the nodes on
/// the way are read.
///
/// # Errors
/// As for [`Mapping::load`].
pub(crate) fn find(source: &dyn Source, inode: &Inode, logical: u64) -> Result<Option<Run>> {
    let mut loader = Loader::new(source, inode.number());
    if inode.has_flag(EXTENTS) {
        extents::find(&mut loader, inode, logical)
    } else {
        indirect::find(&mut loader, inode, logical)
    }
}

/// The last run of a file, if it has any.
///
/// # Errors
/// As for [`Mapping::load`].
pub(crate) fn last(source: &dyn Source, inode: &Inode) -> Result<Option<Run>> {
    let mut loader = Loader::new(source, inode.number());
    if inode.has_flag(EXTENTS) {
        extents::last(&mut loader, inode)
    } else {
        Ok(Mapping::load(source, inode)?.runs.last().copied())
    }
}

/// Reads and checks the blocks of a mapping.
struct Loader<'a> {
    source: &'a dyn Source,
    inode: u32,
    mapping: Mapping,
    seen: HashSet<u64>,
    /// The number of blocks in all runs so far.
    blocks: u64,
}

impl<'a> Loader<'a> {
    fn new(source: &'a dyn Source, inode: u32) -> Self {
        Loader { source, inode, mapping: Mapping::default(), seen: HashSet::new(), blocks: 0 }
    }

    fn wrong<T>(&self, block: u64, reason: &'static str) -> Result<T> {
        Err(Error::Inode { inode: self.inode, block, reason })
    }

    /// Returns an error unless all of these blocks are within the filesystem, after its
    /// superblock.
    fn check(&self, start: u64, length: u64) -> Result<()> {
        let geometry = &self.source.fs().geometry;
        match start.checked_add(length) {
            Some(end) if start > geometry.superblock_block(0) && end <= geometry.blocks => Ok(()),
            _ => self.wrong(start, "is not within the filesystem"),
        }
    }

    /// Reads a block that lists blocks.
    fn node(&mut self, block: u64) -> Result<Vec<u8>> {
        self.check(block, 1)?;
        if !self.seen.insert(block) {
            return self.wrong(block, "is in its tree twice");
        }
        self.mapping.nodes.push(block);
        self.source.block(block)
    }

    /// Adds a run that was found.
    fn run(&mut self, run: Run) -> Result<()> {
        self.check(run.physical, run.length)?;
        if self.mapping.runs.last().is_some_and(|last| last.end() > run.logical) {
            return self.wrong(run.physical, "is out of order");
        }
        self.blocks += run.length;
        if self.blocks > self.source.fs().geometry.blocks {
            return self
                .wrong(run.physical, "belongs to a file with more blocks than the filesystem");
        }
        self.mapping.push(run);
        Ok(())
    }
}
