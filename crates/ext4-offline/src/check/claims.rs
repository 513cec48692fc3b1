//! The blocks that are in use, and their owners.

use std::{collections::HashSet, ops::Range};

use block_io::ReadAt;

use crate::{
    Error, Result,
    bitmap::{Bitmap, own_metadata},
    filesystem::Filesystem,
    map::Run,
};

/// Clusters (blocks without `bigalloc`) of one owner, counted from the first one of the
/// filesystem.
#[derive(Debug, Clone, Copy)]
struct Claim {
    start: u64,
    end: u64,
    /// 0 for the filesystem's own tables.
    inode: u32,
}

/// The blocks that have an owner.
pub(super) struct Claims<'a> {
    fs: &'a Filesystem,
    all: Vec<Claim>,
    /// Blocks that list other blocks. Reading one twice would let a small filesystem take
    /// unlimited memory.
    listed: HashSet<u64>,
}

impl<'a> Claims<'a> {
    /// Only the filesystem's own metadata is claimed.
    pub fn new(fs: &'a Filesystem) -> Self {
        let mut claims = Claims { fs, all: Vec::new(), listed: HashSet::new() };
        for group in 0..fs.geometry.groups {
            claims.push(0, fs.geometry.base_range(group));
            for (_, blocks) in own_metadata(&fs.geometry, &fs.descriptors.get(group)) {
                claims.push(0, blocks);
            }
        }
        if let Some(block) = fs.superblock.mmp_block() {
            claims.push(0, block..block + 1);
        }
        claims
    }

    fn cluster(&self, block: u64) -> u64 {
        let geometry = &self.fs.geometry;
        block.saturating_sub(geometry.first_data_block.into()) / u64::from(geometry.cluster_blocks)
    }

    fn push(&mut self, inode: u32, blocks: Range<u64>) {
        if blocks.is_empty() {
            return;
        }
        let (start, end) = (self.cluster(blocks.start), self.cluster(blocks.end - 1) + 1);
        match self.all.last_mut() {
            Some(last) if last.inode == inode && last.end == start => last.end = end,
            _ => self.all.push(Claim { start, end, inode }),
        }
    }

    /// Claims blocks for an inode.
    pub fn claim_blocks(&mut self, inode: u32, blocks: Range<u64>) -> Result<()> {
        let geometry = &self.fs.geometry;
        if blocks.start <= geometry.superblock_block(0) || blocks.end > geometry.blocks {
            let reason = "is not within the filesystem";
            return Err(Error::Inode { inode, block: blocks.start, reason });
        }
        self.push(inode, blocks);
        Ok(())
    }

    /// Claims a block that lists others, or that several inodes may share. It can be claimed once.
    pub fn claim_listed(&mut self, inode: u32, block: u64) -> Result<()> {
        if !self.listed.insert(block) {
            let reason = "also belongs to something else";
            return Err(Error::Inode { inode, block, reason });
        }
        self.claim_blocks(inode, block..block + 1)
    }

    /// Claims the contents of an inode.
    pub fn claim_runs(&mut self, inode: u32, runs: &[Run]) -> Result<()> {
        let cluster = u64::from(self.fs.geometry.cluster_blocks);
        // The cluster that the last run ended in; the next run may continue in it.
        let mut before = None;
        for run in runs {
            let wrong = |reason| Err(Error::Inode { inode, block: run.physical, reason });
            if run.physical % cluster != run.logical % cluster {
                return wrong("has another position in its cluster than in the file");
            }
            let mut blocks = run.blocks();
            if before == Some((run.logical / cluster, run.physical / cluster)) {
                blocks.start = blocks.end.min(blocks.start.next_multiple_of(cluster));
            } else if before.is_some_and(|(logical, _)| logical == run.logical / cluster) {
                return wrong("is in another cluster than the block before it");
            }
            let last = run.end() - 1;
            before = Some((last / cluster, (run.blocks().end - 1) / cluster));
            if !blocks.is_empty() {
                self.claim_blocks(inode, blocks)?;
            }
        }
        Ok(())
    }

    /// Checks that nothing was claimed twice, and that the bitmaps mark exactly the claimed blocks
    /// as used.
    pub fn finish(mut self, storage: &dyn ReadAt) -> Result<()> {
        self.all.sort_unstable_by_key(|claim| (claim.start, claim.end));
        let geometry = &self.fs.geometry;
        // The claim that ends last so far.
        let mut before = Claim { start: 0, end: 0, inode: 0 };
        for claim in &self.all {
            // Clusters can hold several tables.
            let tables = before.inode == 0 && claim.inode == 0 && geometry.cluster_blocks > 1;
            if before.end > claim.start && !tables {
                let inode = before.inode.max(claim.inode);
                let block = self.block(claim.start);
                let reason = "also belongs to something else";
                return Err(Error::Inode { inode, block, reason });
            }
            if claim.end > before.end {
                before = *claim;
            }
        }
        let mut rest = self.all.as_slice();
        for group in 0..geometry.groups {
            let expected = self.take_group(group, &mut rest);
            let bitmap = self.fs.block_bitmap(storage, group)?;
            if bitmap != expected {
                return self.differs(group, &bitmap, &expected);
            }
        }
        Ok(())
    }

    fn block(&self, cluster: u64) -> u64 {
        let geometry = &self.fs.geometry;
        u64::from(geometry.first_data_block) + cluster * u64::from(geometry.cluster_blocks)
    }

    /// The block bitmap that a group should have. `rest` becomes the claims after the group.
    fn take_group(&self, group: u32, rest: &mut &[Claim]) -> Bitmap {
        let geometry = &self.fs.geometry;
        let per_group = u64::from(geometry.clusters_per_group());
        let start = u64::from(group) * per_group;
        let end = start + u64::from(geometry.group_clusters(group));
        let mut bitmap = Bitmap::clear(geometry.block_size, geometry.group_clusters(group));
        while let Some((claim, behind)) = rest.split_first()
            && claim.start < end
        {
            let (from, to) = (claim.start.max(start), claim.end.min(end));
            if from < to {
                bitmap.fill((from - start) as u32..(to - start) as u32, true);
            }
            if claim.end > end {
                break;
            }
            *rest = behind;
        }
        bitmap
    }

    fn differs(&self, group: u32, bitmap: &Bitmap, expected: &Bitmap) -> Result<()> {
        let geometry = &self.fs.geometry;
        let bits = geometry.block_size * 8;
        let Some(bit) = (0..bits).find(|&bit| bitmap.get(bit) != expected.get(bit)) else {
            return Ok(());
        };
        let cluster = u64::from(group) * u64::from(geometry.clusters_per_group()) + u64::from(bit);
        let block = self.block(cluster);
        let wrong = |reason| Err(Error::Bitmap { kind: "block", group, number: block, reason });
        if bit >= geometry.group_clusters(group) {
            return wrong("is after the end of the group, but is not marked as in use");
        }
        let owner = self.all.iter().find(|claim| (claim.start..claim.end).contains(&cluster));
        match owner {
            Some(&Claim { inode, .. }) if inode != 0 => {
                let reason = "is in use, but is marked as free in the block bitmap";
                Err(Error::Inode { inode, block, reason })
            }
            Some(_) => wrong("holds metadata, but is marked as free"),
            None => wrong("is marked as in use, but belongs to nothing"),
        }
    }
}
