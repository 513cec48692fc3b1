//! Writing a mapping.

use super::{Mapping, Run, extents, indirect};
use crate::{
    Result,
    inode::{EXTENTS, HUGE_FILE, Inode},
    source::Source,
    volume::Volume,
    xattr,
};

impl Mapping {
    /// Writes the mapping into the inode and into blocks that list it, allocating or freeing such
    /// blocks, and sets `i_blocks`. The tree is as small as possible. The caller still has to write
    /// the inode into its table.
    ///
    /// # Errors
    /// [`Error::Full`](crate::Error::Full), or
    /// [`Error::Limit`](crate::Error::Limit) for a file too large for its format.
    pub fn store(&mut self, volume: &mut Volume, inode: &mut Inode) -> Result<()> {
        if inode.has_flag(EXTENTS) {
            extents::store(self, volume, inode)?
        } else {
            indirect::store(self, volume, inode)?
        }
        let clusters = self.clusters(volume.fs().geometry.cluster_blocks);
        set_i_blocks(volume, inode, clusters)
    }

    /// Allocates or frees blocks that list runs, until there are `count`.
    pub(super) fn resize_nodes(
        &mut self,
        volume: &mut Volume,
        inode: &Inode,
        count: usize,
    ) -> Result<()> {
        while self.nodes.len() > count {
            if let Some(node) = self.nodes.pop() {
                volume.free(inode.number(), node..node + 1)?;
            }
        }
        while self.nodes.len() < count {
            let goal = self.runs.last().map_or(0, |run| run.blocks().end);
            let node = volume.allocate(goal, 1)?.start;
            self.nodes.push(node);
        }
        Ok(())
    }

    /// Returns how many clusters of `cluster_blocks` blocks the file takes. Each node takes a
    /// cluster of its own.
    pub fn clusters(&self, cluster_blocks: u32) -> u64 {
        let cluster = u64::from(cluster_blocks);
        let (mut clusters, mut counted) = (self.nodes.len() as u64, 0);
        for run in &self.runs {
            // A cluster that two runs share counts once.
            let first = (run.logical / cluster).max(counted);
            let end = run.end().div_ceil(cluster);
            clusters += end.saturating_sub(first);
            counted = end;
        }
        clusters
    }
}

/// Sets `i_blocks` for a file whose contents and nodes take `clusters` clusters.
///
/// # Errors
/// Damage to the attributes, whose clusters count too.
pub(crate) fn set_i_blocks(volume: &Volume, inode: &mut Inode, clusters: u64) -> Result<()> {
    let geometry = &volume.fs().geometry;
    let attributes = xattr::clusters(volume, inode)?;
    let blocks = (clusters + attributes) * u64::from(geometry.cluster_blocks);
    let sectors = blocks * u64::from(geometry.block_size / 512);
    // 48 bits of sectors are 128 PiB, more than a file can have.
    inode.set_flag(HUGE_FILE, false);
    inode.set_i_blocks(sectors);
    Ok(())
}

/// Adds runs at the end of a file. They must lie after all its blocks. If the last leaf has room,
/// nothing else is read or written.
///
/// # Errors
/// As for [`Mapping::store`].
pub(crate) fn append(volume: &mut Volume, inode: &mut Inode, runs: &[Run]) -> Result<()> {
    if inode.has_flag(EXTENTS) && extents::append_to_last_leaf(volume, inode, runs)? {
        return Ok(());
    }
    let mut mapping = Mapping::load(volume, inode)?;
    runs.iter().for_each(|run| mapping.push(*run));
    mapping.store(volume, inode)
}

/// Frees all blocks of a file from a block on. The caller still has to write the inode into its
/// table.
///
/// # Errors
/// Damage to the mapping or the bitmaps.
pub(crate) fn cut(volume: &mut Volume, inode: &mut Inode, logical: u64) -> Result<()> {
    let mut mapping = Mapping::load(volume, inode)?;
    let kept: Vec<Run> = mapping.runs.iter().filter_map(|run| run.before(logical)).collect();
    let cluster = u64::from(volume.fs().geometry.cluster_blocks);
    // The cluster of a kept block stays, and no cluster is freed twice.
    let mut first = kept.last().map_or(0, |run| run.end().next_multiple_of(cluster));
    for run in &mapping.runs {
        let Some(gone) = run.after(logical.max(first)) else { continue };
        volume.free(inode.number(), gone.blocks())?;
        first = gone.end().next_multiple_of(cluster);
    }
    mapping.runs = kept;
    mapping.store(volume, inode)
}
