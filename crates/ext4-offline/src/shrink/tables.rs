//! The places of bitmaps and inode tables. Nearly all of them stay.

use std::ops::Range;

use super::{
    clusters::Clusters,
    places::{Tables, Units},
};
use crate::{
    Geometry, bitmap, census::Census, error::ShrinkLimit, filesystem::Filesystem, inode::BAD_BLOCKS,
};

/// The metadata whose places do not depend on files.
#[derive(Debug)]
pub(super) struct Fixed {
    /// Superblocks, descriptors, tables and bad blocks.
    pub clusters: Clusters,
    /// The clusters that this metadata takes and did not take before.
    pub conflicts: Vec<Range<u64>>,
    pub tables: Vec<Tables>,
}

/// A table that moves.
struct Moving {
    group: u32,
    /// Its index in [`Tables`].
    kind: usize,
    /// In blocks.
    length: u64,
}

/// Finds the places of all tables.
pub(super) fn place(
    old: &Filesystem,
    census: &Census,
    new: &Geometry,
) -> Result<Fixed, ShrinkLimit> {
    let units = Units::of(new);
    let mut fixed = Fixed {
        clusters: Clusters::new(units.count(new)),
        conflicts: Vec::new(),
        tables: Vec::with_capacity(new.groups as usize),
    };
    let mut new_bases = Vec::new();
    for group in 0..new.groups {
        let (before, after) = (old.geometry.base_range(group), new.base_range(group));
        let added = after.start.max(before.end.min(after.end))..after.end;
        if before.is_empty() {
            new_bases.push(after.clone());
        } else if !added.is_empty() {
            new_bases.push(added);
        }
        if !after.is_empty() {
            fixed.clusters.insert(units.clusters(&after));
        }
    }
    new_bases.retain(|range| !range.is_empty());
    fixed.conflicts.extend(new_bases.iter().map(|range| units.clusters(range)));
    keep_bad_blocks(&mut fixed, census, units, new)?;

    let flex_bg = old.superblock.features().flex_bg();
    let mut moving = Vec::new();
    for group in 0..new.groups {
        let own = bitmap::own_metadata(&old.geometry, &old.descriptors.get(group));
        let home = if flex_bg { 0..new.blocks } else { new.group_range(group) };
        for (kind, (_, blocks)) in own.iter().enumerate() {
            let overlaps = |base: &Range<u64>| base.start < blocks.end && blocks.start < base.end;
            let stays = home.start <= blocks.start && blocks.end <= home.end;
            if stays && !new_bases.iter().any(overlaps) {
                fixed.clusters.insert(units.clusters(blocks));
            } else {
                moving.push(Moving { group, kind, length: blocks.end - blocks.start });
            }
        }
        fixed.tables.push(own.map(|(_, blocks)| blocks.start));
    }
    if !moving.is_empty() {
        moving.sort_by_key(|table| std::cmp::Reverse(table.length));
        move_tables(&mut fixed, &moving, census, new, flex_bg)?;
    }
    Ok(fixed)
}

fn keep_bad_blocks(
    fixed: &mut Fixed,
    census: &Census,
    units: Units,
    new: &Geometry,
) -> Result<(), ShrinkLimit> {
    let bad = census.owners.iter().filter(|owner| owner.number == BAD_BLOCKS);
    for run in bad.flat_map(|owner| &owner.mapping.runs) {
        let blocks = run.blocks();
        let clusters = units.clusters(&(blocks.start..blocks.end.min(new.blocks)));
        if fixed.conflicts.iter().any(|c| c.start < clusters.end && clusters.start < c.end) {
            return Err(ShrinkLimit::BadBlock { block: blocks.start });
        }
        fixed.clusters.insert(clusters);
    }
    Ok(())
}

fn move_tables(
    fixed: &mut Fixed,
    moving: &[Moving],
    census: &Census,
    new: &Geometry,
    flex_bg: bool,
) -> Result<(), ShrinkLimit> {
    let units = Units::of(new);
    let mut movable = Clusters::new(fixed.clusters.count());
    for owner in census.owners.iter().filter(|owner| owner.number != BAD_BLOCKS) {
        let nodes = owner.mapping.nodes.iter().copied();
        let single = nodes.chain(Some(owner.attributes)).filter(|&block| block != 0);
        single.for_each(|block| movable.insert(units.clusters(&(block..block + 1))));
        for run in &owner.mapping.runs {
            movable.insert(units.clusters(&run.blocks()));
        }
    }
    if let Some(block) = census.resize_block {
        movable.insert(units.clusters(&(block..block + 1)));
    }
    for table in moving {
        let home = if flex_bg { 0..new.blocks } else { new.group_range(table.group) };
        let length = units.clusters(&(units.block(0)..units.block(0) + table.length)).end;
        let window = find_window(&fixed.clusters, &movable, units.clusters(&home), length)
            .ok_or(ShrinkLimit::Tables { group: table.group })?;
        if let Some(place) =
            fixed.tables.get_mut(table.group as usize).and_then(|tables| tables.get_mut(table.kind))
        {
            *place = units.block(window.start);
        }
        fixed.clusters.insert(window.clone());
        movable.insert(window.clone());
        fixed.conflicts.push(window);
    }
    Ok(())
}

/// The clusters for a table: without anything that cannot move, and with as little as possible that
/// must move.
fn find_window(
    fixed: &Clusters,
    movable: &Clusters,
    bounds: Range<u64>,
    length: u64,
) -> Option<Range<u64>> {
    let mut best: Option<(u64, u64)> = None;
    for run in fixed.runs(bounds, false).filter(|run| run.end - run.start >= length) {
        let count = |clusters: Range<u64>| {
            movable.runs(clusters, true).map(|run| run.end - run.start).sum::<u64>()
        };
        let mut inside = count(run.start..run.start + length);
        for start in run.start..=run.end - length {
            if best.is_none_or(|(least, _)| inside < least) {
                best = Some((inside, start));
            }
            if inside == 0 {
                return Some(start..start + length);
            }
            inside += u64::from(movable.contains(start + length));
            inside -= u64::from(movable.contains(start));
        }
    }
    best.map(|(_, start)| start..start + length)
}
