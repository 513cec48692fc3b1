//! Allocating and freeing blocks.

use std::ops::Range;

use super::{Volume, undo::Undo};
use crate::{
    Error, Result,
    bitmap::bits_of,
    group_desc::BLOCK_UNINIT,
    source::{group_and_bit, place_of},
};

/// A free run of this many clusters is as good as a longer one.
const LONG_RUN: u32 = 1024;

impl Volume {
    /// Allocates up to `want` free blocks in one run, near `goal`. The run begins at the start of
    /// a cluster, and the rest of its last cluster is allocated too.
    ///
    /// # Errors
    /// [`Error::Full`]; damage to a bitmap.
    pub fn allocate(&mut self, goal: u64, want: u64) -> Result<Range<u64>> {
        let geometry = &self.files.fs.geometry;
        let (groups, cluster) = (geometry.groups, u64::from(geometry.cluster_blocks));
        let most = want.div_ceil(cluster).clamp(1, geometry.clusters_per_group().into()) as u32;
        let (first, goal_bit) = group_and_bit(&self.files.fs.geometry, goal);
        // Look for a run that holds everything first, then for any run.
        for least in [most.min(LONG_RUN), 1] {
            for group in (first..groups).chain(0..first) {
                if self.files.fs.descriptors.get(group).bg_free_blocks_count() < least {
                    continue;
                }
                let from = if group == first { goal_bit } else { 0 };
                if let Some(bits) = self.find_free(group, from, least, most)? {
                    let start = self.files.fs.geometry.group_start(group);
                    self.mark_blocks(group, bits.clone(), true)?;
                    let blocks = start + u64::from(bits.start) * cluster
                        ..start + u64::from(bits.end) * cluster;
                    let end =
                        blocks.end.min(blocks.start + want).min(self.files.fs.geometry.blocks);
                    return Ok(blocks.start..end);
                }
            }
            if least == 1 {
                break;
            }
        }
        Err(Error::Full { what: "blocks" })
    }

    /// Allocates up to `want` free blocks in one run, near an inode's group.
    pub fn allocate_near(&mut self, inode: u32, want: u64) -> Result<std::ops::Range<u64>> {
        let goal = self.start_of_group(inode)?;
        self.allocate(goal, want)
    }

    /// The first block of the group that an inode is in.
    pub fn start_of_group(&self, inode: u32) -> Result<u64> {
        let group = place_of(&self.files.fs, inode)?.group;
        Ok(self.files.fs.geometry.group_start(group))
    }

    fn find_free(
        &mut self,
        group: u32,
        from: u32,
        least: u32,
        most: u32,
    ) -> Result<Option<Range<u32>>> {
        // The last cluster is not available if the filesystem ends within it.
        let geometry = &self.files.fs.geometry;
        let clusters = geometry.group_blocks(group) / geometry.cluster_blocks;
        let bitmap = self.block_bitmap(group)?;
        Ok(bitmap
            .find_clear(from..clusters, least, most)
            .or_else(|| bitmap.find_clear(0..clusters, least, most)))
    }

    /// Frees blocks: all clusters that they touch.
    ///
    /// # Errors
    /// [`Error::Inode`] for inode `owner` if one of them is not in use.
    pub fn free(&mut self, owner: u32, blocks: Range<u64>) -> Result<()> {
        self.unstage(blocks.clone());
        let mut at = blocks.start;
        while at < blocks.end {
            let (group, _) = group_and_bit(&self.files.fs.geometry, at);
            let end = self.files.fs.geometry.group_range(group).end.min(blocks.end);
            let wrong = |reason| Err(Error::Inode { inode: owner, block: at, reason });
            let Some(bits) = bits_of(&self.files.fs.geometry, group, at..end) else {
                return wrong("is not within the filesystem");
            };
            let bitmap = self.block_bitmap(group)?;
            if bits.clone().any(|bit| !bitmap.get(bit)) {
                return wrong("is in use, but is marked as free in the block bitmap");
            }
            self.mark_blocks(group, bits, false)?;
            at = end;
        }
        Ok(())
    }

    /// A group's block bitmap, for reading.
    fn block_bitmap(&mut self, group: u32) -> Result<&crate::bitmap::Bitmap> {
        use std::collections::btree_map::Entry;
        Ok(match self.block_bitmaps.entry(group) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.files.fs.block_bitmap(&self.storage, group)?),
        })
    }

    /// Marks clusters as used or free. They must not be marked like that already.
    fn mark_blocks(&mut self, group: u32, bits: Range<u32>, used: bool) -> Result<()> {
        self.initialize_blocks(group)?;
        let mut descriptor = self.files.fs.descriptors.get(group);
        let (free, count) = (descriptor.bg_free_blocks_count(), bits.len() as u32);
        descriptor.set_bg_free_blocks_count(if used {
            free.saturating_sub(count)
        } else {
            free.saturating_add(count)
        });
        self.set_descriptor(group, &descriptor);
        self.mark_dirty(group);
        if let Some(bitmap) = self.block_bitmaps.get_mut(&group) {
            bitmap.fill(bits.clone(), used);
            self.undo.push(Undo::Blocks(group, bits, !used));
        }
        Ok(())
    }

    /// Makes sure that a group's block bitmap is stored, not only computed.
    pub(crate) fn initialize_blocks(&mut self, group: u32) -> Result<()> {
        self.block_bitmap(group)?;
        let mut descriptor = self.files.fs.descriptors.get(group);
        if self.files.fs.block_uninit(&descriptor) {
            descriptor.set_bg_flags(descriptor.bg_flags() & !BLOCK_UNINIT);
            self.set_descriptor(group, &descriptor);
        }
        Ok(())
    }
}
