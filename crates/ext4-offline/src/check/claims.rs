//! Which blocks were found to belong to somebody.

use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    ops::Range,
};

use block_io::ReadAt;

use crate::{
    Error, Result,
    bitmap::{Bitmap, bits_of, own_metadata},
    filesystem::Filesystem,
};

/// The blocks that somebody has, beside the bitmaps that must know of them.
pub(super) struct Claims<'a> {
    fs: &'a Filesystem,
    storage: &'a dyn ReadAt,
    /// By group: its block bitmap, and what has been claimed of it.
    groups: BTreeMap<u32, (Bitmap, Bitmap)>,
    /// Blocks that several inodes may have: those of extended attributes.
    shared: HashSet<u64>,
}

impl<'a> Claims<'a> {
    /// Only the filesystem's own metadata is claimed.
    pub fn new(fs: &'a Filesystem, storage: &'a dyn ReadAt) -> Result<Self> {
        let mut claims = Claims { fs, storage, groups: BTreeMap::new(), shared: HashSet::new() };
        for group in 0..fs.geometry.groups {
            claims.mark(0, fs.geometry.base_range(group))?;
            for (_, blocks) in own_metadata(&fs.geometry, &fs.descriptors.get(group)) {
                claims.mark(0, blocks)?;
            }
        }
        Ok(claims)
    }

    /// Claims blocks for an inode.
    pub fn claim(&mut self, inode: u32, blocks: Range<u64>) -> Result<()> {
        let geometry = &self.fs.geometry;
        let wrong = |block, reason| Err(Error::Inode { inode, block, reason });
        if blocks.start < u64::from(geometry.first_data_block) || blocks.end > geometry.blocks {
            return wrong(blocks.start, "is not within the filesystem");
        }
        // Several extents of one file may share a cluster, which this does not
        // follow; two files may not, which is left unseen with bigalloc.
        if geometry.cluster_blocks == 1
            && let Some(block) = self.find_claimed(&blocks)?
        {
            return wrong(block, "belongs to something else as well");
        }
        self.mark(inode, blocks)
    }

    /// Claims a block that other inodes may claim in the same way.
    pub fn claim_shared(&mut self, inode: u32, block: u64) -> Result<()> {
        if self.shared.insert(block) { self.claim(inode, block..block + 1) } else { Ok(()) }
    }

    /// The first of these blocks that has been claimed already.
    fn find_claimed(&mut self, blocks: &Range<u64>) -> Result<Option<u64>> {
        for (group, bits) in self.parts(blocks.clone()) {
            let start = self.fs.geometry.group_start(group);
            let (_, claimed) = self.group(group)?;
            if let Some(bit) = bits.clone().find(|bit| claimed.get(*bit)) {
                return Ok(Some(start + u64::from(bit)));
            }
        }
        Ok(None)
    }

    /// Marks blocks as claimed, which the bitmaps must call used.
    fn mark(&mut self, inode: u32, blocks: Range<u64>) -> Result<()> {
        let cluster = u64::from(self.fs.geometry.cluster_blocks);
        for (group, bits) in self.parts(blocks) {
            let start = self.fs.geometry.group_start(group);
            let (used, claimed) = self.group(group)?;
            if let Some(bit) = bits.clone().find(|bit| !used.get(*bit)) {
                let block = start + u64::from(bit) * cluster;
                let reason = "is in use, but the block bitmap calls it free";
                return Err(Error::Inode { inode, block, reason });
            }
            claimed.fill(bits, true);
        }
        Ok(())
    }

    /// The bits of each group's bitmap that stand for these blocks.
    fn parts(&self, blocks: Range<u64>) -> Vec<(u32, Range<u32>)> {
        let geometry = &self.fs.geometry;
        let group_of = |block: u64| {
            let from_first = block.saturating_sub(geometry.first_data_block.into());
            (from_first / u64::from(geometry.blocks_per_group)) as u32
        };
        if blocks.is_empty() {
            return Vec::new();
        }
        (group_of(blocks.start)..=group_of(blocks.end - 1).min(geometry.groups - 1))
            .filter_map(|group| Some((group, bits_of(geometry, group, blocks.clone())?)))
            .collect()
    }

    fn group(&mut self, group: u32) -> Result<&mut (Bitmap, Bitmap)> {
        Ok(match self.groups.entry(group) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let used = self.fs.block_bitmap(self.storage, group)?;
                let clusters = self.fs.geometry.group_clusters(group);
                let claimed = Bitmap::clear(self.fs.geometry.block_size, clusters);
                entry.insert((used, claimed))
            }
        })
    }
}
