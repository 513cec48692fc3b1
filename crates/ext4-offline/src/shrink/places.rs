//! Where everything goes: the places of all tables, blocks and inodes after shrinking.
//!
//! Nothing is read or written here, so a size that is too small is detected quickly.

use std::{
    collections::{BTreeMap, btree_map::Range as Entries},
    ops::Range,
};

use super::{
    clusters::{Clusters, Room},
    tables,
};
use crate::{
    Geometry,
    census::{Census, Owner},
    error::ShrinkLimit,
    filesystem::Filesystem,
    inode::BAD_BLOCKS,
    map::{Mapping, Run},
};

/// The places of a group's block bitmap, inode bitmap and inode table.
pub(super) type Tables = [u64; 3];

/// Where everything goes.
#[derive(Debug)]
pub(super) struct Places {
    pub geometry: Geometry,
    /// The tables of all groups.
    pub tables: Vec<Tables>,
    /// The new mappings of the inodes whose blocks move, by their index in the census.
    pub mappings: BTreeMap<usize, Mapping>,
    /// The new places of blocks of attributes.
    pub attributes: BTreeMap<u64, u64>,
    /// The double-indirect block of the resize inode.
    pub resize_block: Option<u64>,
    /// The new numbers of inodes.
    pub inodes: BTreeMap<u32, u32>,
    /// The clusters that are in use.
    pub used: Clusters,
}

/// Blocks counted in clusters from the first one of the filesystem.
#[derive(Debug, Clone, Copy)]
pub(super) struct Units {
    first: u64,
    cluster: u64,
}

impl Units {
    pub fn of(geometry: &Geometry) -> Self {
        Units { first: geometry.first_data_block.into(), cluster: geometry.cluster_blocks.into() }
    }

    pub fn cluster(self, block: u64) -> u64 {
        block.saturating_sub(self.first) / self.cluster
    }

    /// The first block of a cluster.
    pub fn block(self, cluster: u64) -> u64 {
        self.first + cluster * self.cluster
    }

    /// The clusters that hold blocks.
    pub fn clusters(self, blocks: &Range<u64>) -> Range<u64> {
        let end = blocks.end.saturating_sub(self.first).div_ceil(self.cluster);
        self.cluster(blocks.start).min(end)..end
    }

    /// Returns how many clusters a filesystem has.
    pub fn count(self, geometry: &Geometry) -> u64 {
        self.clusters(&(self.first..geometry.blocks)).end
    }
}

/// The clusters that must become free.
#[derive(Debug)]
pub(super) struct Evacuated {
    /// In ascending order; the last one begins at the new end.
    ranges: Vec<Range<u64>>,
}

impl Evacuated {
    pub fn new(mut inside: Vec<Range<u64>>, end: u64) -> Self {
        inside.sort_unstable_by_key(|range| range.start);
        inside.push(end..u64::MAX);
        Evacuated { ranges: inside }
    }

    /// The parts of `clusters` that must become free.
    fn of(&self, clusters: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = self.ranges.partition_point(|range| range.end <= clusters.start);
        let ranges = self.ranges.get(first..).unwrap_or_default();
        let parts = ranges.iter().take_while({
            let end = clusters.end;
            move |range| range.start < end
        });
        parts.map(move |range| range.start.max(clusters.start)..range.end.min(clusters.end))
    }

    fn contains(&self, cluster: u64) -> bool {
        self.of(cluster..cluster + 1).next().is_some()
    }
}

/// An inode whose blocks move.
struct Mover {
    /// In the census.
    index: usize,
    /// The clusters of contents to move, in the order of the file.
    contents: Vec<Range<u64>>,
    count: u64,
}

/// Pieces of contents at new places: the old end and the new start, by old start.
type Relocation = BTreeMap<u64, (u64, u64)>;

struct Finder<'a> {
    old: &'a Filesystem,
    census: &'a Census,
    units: Units,
    evacuated: Evacuated,
    used: Clusters,
    places: Places,
}

impl Places {
    /// Finds a place for everything in a smaller filesystem with this geometry.
    pub fn find(
        old: &Filesystem,
        census: &Census,
        geometry: Geometry,
    ) -> Result<Self, ShrinkLimit> {
        let inodes = renumber(old, census, &geometry)?;
        let units = Units::of(&geometry);
        let fixed = tables::place(old, census, &geometry)?;
        let count = units.count(&geometry);
        let mut finder = Finder {
            old,
            census,
            units,
            evacuated: Evacuated::new(fixed.conflicts, count),
            used: fixed.clusters,
            places: Places {
                geometry,
                tables: fixed.tables,
                mappings: BTreeMap::new(),
                attributes: BTreeMap::new(),
                resize_block: census.resize_block,
                inodes,
                used: Clusters::new(0),
            },
        };
        finder.move_blocks()?;
        Ok(Places { used: finder.used, ..finder.places })
    }
}

/// The new numbers of the inodes of groups that are removed.
fn renumber(
    old: &Filesystem,
    census: &Census,
    new: &Geometry,
) -> Result<BTreeMap<u32, u32>, ShrinkLimit> {
    let capacity = new.groups * new.inodes_per_group;
    let first = old.superblock.first_inode();
    let free_to_use = census.owners.partition_point(|owner| owner.number < first);
    let owners = census.owners.get(free_to_use..).unwrap_or_default();
    let used = u64::from(first - 1) + owners.len() as u64;
    // The first inode that is not reserved must exist.
    if used.max(first.into()) > u64::from(capacity) {
        return Err(ShrinkLimit::Inodes { used, per_group: new.inodes_per_group });
    }
    let kept = owners.partition_point(|owner| owner.number <= capacity);
    let (kept, moved) = owners.split_at(kept);
    let mut taken = kept.iter().map(|owner| owner.number).peekable();
    // The lowest first, so that no unused part of a table is skipped.
    let free = (first..=capacity).filter(|&number| taken.next_if_eq(&number).is_none());
    Ok(moved.iter().map(|owner| owner.number).zip(free).collect())
}

impl Finder<'_> {
    fn move_blocks(&mut self) -> Result<(), ShrinkLimit> {
        let (mut movers, mut needed) = (Vec::new(), 0);
        let mut attributes = Vec::new();
        for (index, owner) in self.census.owners.iter().enumerate() {
            let mover = self.classify(index, owner);
            needed += mover.count;
            if mover.count > 0 || self.loses_bad_blocks(owner) {
                movers.push(mover);
            }
            if owner.attributes != 0 {
                let cluster = self.units.cluster(owner.attributes);
                if self.evacuated.contains(cluster) {
                    attributes.push(owner.attributes);
                } else {
                    self.used.insert(cluster..cluster + 1);
                }
            }
        }
        attributes.sort_unstable();
        attributes.dedup();
        needed += attributes.len() as u64;
        let resize = self.places.resize_block.map(|block| self.units.cluster(block));
        let resize = resize.filter(|&cluster| {
            let moves = self.evacuated.contains(cluster);
            if !moves {
                self.used.insert(cluster..cluster + 1);
            }
            moves
        });
        needed += u64::from(resize.is_some());
        if needed > self.used.count() - self.used.len() {
            return Err(ShrinkLimit::Blocks);
        }

        let mut room = Room::of(&self.used);
        // The largest first: what is left fills the gaps.
        movers.sort_by_key(|mover| std::cmp::Reverse(mover.count));
        let mut relocated = Vec::with_capacity(movers.len());
        for mover in movers {
            relocated.push((mover.index, self.relocate(&mover.contents, &mut room)?));
        }
        for (index, relocation) in relocated {
            let owner = self.census.owners.get(index).ok_or(ShrinkLimit::Blocks)?;
            let mapping = self.mapping(owner, &relocation, &mut room)?;
            self.places.mappings.insert(index, mapping);
        }
        for block in attributes {
            let place = self.take_one(&mut room)?;
            self.places.attributes.insert(block, place);
        }
        if resize.is_some() {
            self.places.resize_block = Some(self.take_one(&mut room)?);
        }
        Ok(())
    }

    /// Marks the clusters of an inode that stay as used, and finds those that move.
    fn classify(&mut self, index: usize, owner: &Owner) -> Mover {
        let mut mover = Mover { index, contents: Vec::new(), count: 0 };
        let mut before = None;
        for run in &owner.mapping.runs {
            let mut clusters = self.units.clusters(&run.blocks());
            let last = clusters.end - 1;
            // Two runs can share a cluster.
            if before == Some(clusters.start) {
                clusters.start += 1;
            }
            before = Some(last);
            if owner.number == BAD_BLOCKS {
                // They stay where they are, or are gone with the end.
                continue;
            }
            let mut at = clusters.start;
            for part in self.evacuated.of(clusters.clone()) {
                self.used.insert(at..part.start);
                at = part.end;
                mover.count += part.end - part.start;
                mover.contents.push(part);
            }
            self.used.insert(at..clusters.end);
        }
        for &node in &owner.mapping.nodes {
            let cluster = self.units.cluster(node);
            if self.evacuated.contains(cluster) {
                mover.count += 1;
            } else {
                self.used.insert(cluster..cluster + 1);
            }
        }
        mover
    }

    fn loses_bad_blocks(&self, owner: &Owner) -> bool {
        let end = self.places.geometry.blocks;
        owner.number == BAD_BLOCKS && owner.mapping.runs.iter().any(|run| run.blocks().end > end)
    }

    /// Finds places for the contents of an inode.
    fn relocate(
        &mut self,
        contents: &[Range<u64>],
        room: &mut Room,
    ) -> Result<Relocation, ShrinkLimit> {
        let mut relocation = Relocation::new();
        for part in contents {
            let mut at = part.start;
            while at < part.end {
                let place = room.take(part.end - at).ok_or(ShrinkLimit::Blocks)?;
                self.used.insert(place.clone());
                let end = at + (place.end - place.start);
                relocation.insert(at, (end, place.start));
                at = end;
            }
        }
        Ok(relocation)
    }

    fn take_one(&mut self, room: &mut Room) -> Result<u64, ShrinkLimit> {
        let place = room.take(1).ok_or(ShrinkLimit::Blocks)?;
        self.used.insert(place.clone());
        Ok(self.units.block(place.start))
    }

    /// The mapping of an inode whose contents move, with as many nodes as it needs.
    fn mapping(
        &mut self,
        owner: &Owner,
        relocation: &Relocation,
        room: &mut Room,
    ) -> Result<Mapping, ShrinkLimit> {
        let mut mapping = Mapping::default();
        for run in &owner.mapping.runs {
            if owner.number == BAD_BLOCKS {
                let left = self.places.geometry.blocks.saturating_sub(run.physical);
                let length = run.length.min(left);
                if length > 0 {
                    mapping.push(Run { length, ..*run });
                }
            } else {
                self.push_moved(&mut mapping, run, relocation);
            }
        }
        let needed = mapping.nodes_needed(owner.extents, self.old.geometry.block_size);
        for &node in &owner.mapping.nodes {
            let cluster = self.units.cluster(node);
            if self.evacuated.contains(cluster) {
                continue;
            }
            if mapping.nodes.len() < needed {
                mapping.nodes.push(node);
            } else {
                self.used.remove(cluster..cluster + 1);
                room.give(cluster..cluster + 1);
            }
        }
        while mapping.nodes.len() < needed {
            let node = self.take_one(room)?;
            mapping.nodes.push(node);
        }
        Ok(mapping)
    }

    fn push_moved(&self, mapping: &mut Mapping, run: &Run, relocation: &Relocation) {
        let blocks = run.blocks();
        let mut at = blocks.start;
        while at < blocks.end {
            let cluster = self.units.cluster(at);
            let mut behind: Entries<'_, u64, (u64, u64)> = relocation.range(..=cluster);
            let (physical, end) = match behind.next_back() {
                Some((&start, &(end, place))) if cluster < end => {
                    let within = at - self.units.block(cluster);
                    (self.units.block(place + (cluster - start)) + within, self.units.block(end))
                }
                _ => {
                    let next = relocation.range(cluster..).next();
                    (at, next.map_or(blocks.end, |(&start, _)| self.units.block(start)))
                }
            };
            let length = end.min(blocks.end) - at;
            let logical = run.logical + (at - run.physical);
            mapping.push(Run { logical, physical, length, unwritten: run.unwritten });
            at += length;
        }
    }
}
