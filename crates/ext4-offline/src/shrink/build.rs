//! The metadata after shrinking.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use block_io::{ReadAt, WriteAt};

use super::{
    inodes,
    places::{Places, Units},
    plan::Move,
    resize_inode,
    staging::Staging,
};
use crate::{
    Result, Timestamp,
    bitmap::{self, Bitmap},
    census::Census,
    filesystem::Filesystem,
    group_desc::{BLOCK_UNINIT, DescriptorTable, INODE_UNINIT},
    source::{Source, Stored},
    volume::Volume,
};

/// All blocks whose contents change, besides those that are only moved.
pub(super) fn blocks(
    old: &Filesystem,
    storage: &Arc<dyn ReadAt>,
    census: &Census,
    places: &Places,
    moves: &[Move],
    now: Timestamp,
) -> Result<BTreeMap<u64, Vec<u8>>> {
    let geometry = &places.geometry;
    let staging = Arc::new(Staging::new(storage.clone(), geometry.block_size));
    let new = Filesystem {
        superblock: superblock(old, places),
        geometry: geometry.clone(),
        checksums: old.checksums,
        descriptors: DescriptorTable::new(geometry.descriptor_size, Vec::new()),
    };
    let mut builder = Builder { old, storage, census, places, new };
    let (block_bitmaps, inode_bitmaps) = builder.bitmaps()?;
    let writable: Arc<dyn WriteAt> = staging.clone();
    let mut volume = Volume::new(writable, builder.new);
    for (group, (blocks, inodes)) in (0..).zip(block_bitmaps.into_iter().zip(inode_bitmaps)) {
        volume.block_bitmaps.insert(group, blocks);
        volume.inode_bitmaps.insert(group, inodes);
        volume.mark_dirty(group);
    }
    let stored = Stored { fs: old, storage };
    volume.atomically(|volume| {
        stage_moved_tables(volume, &stored, places)?;
        resize_inode::rewrite(volume, &stored, places)?;
        inodes::rewrite(volume, &stored, census, places)
    })?;
    volume.finish(now)?;
    write_copies(volume.fs(), &*staging)?;
    let mut blocks = std::mem::take(&mut *staging.blocks());
    drop_unchanged(&mut blocks, storage, geometry.block_size, moves)?;
    Ok(blocks)
}

/// Drops blocks that the storage already has. Those that a move overwrites must be written.
fn drop_unchanged(
    blocks: &mut BTreeMap<u64, Vec<u8>>,
    storage: &dyn ReadAt,
    block_size: u32,
    moves: &[Move],
) -> Result<()> {
    let mut moved: Vec<Range<u64>> =
        moves.iter().map(|part| part.to..part.to + part.length).collect();
    moved.sort_unstable_by_key(|range| range.start);
    let is_moved = |block: u64| {
        let index = moved.partition_point(|range| range.end <= block);
        moved.get(index).is_some_and(|range| range.contains(&block))
    };
    let mut unchanged = Vec::new();
    for (&block, bytes) in &*blocks {
        let offset = block * u64::from(block_size);
        if !is_moved(block) && storage.read_vec(offset, bytes.len())? == *bytes {
            unchanged.push(block);
        }
    }
    for block in unchanged {
        blocks.remove(&block);
    }
    Ok(())
}

/// The superblock, without its counts of free blocks and inodes.
fn superblock(old: &Filesystem, places: &Places) -> crate::Superblock {
    let mut superblock = old.superblock.clone();
    places.geometry.store_in(&mut superblock);
    let moved = |number: u32| places.inodes.get(&number).copied();
    if let Some(number) = moved(superblock.s_journal_inum()) {
        superblock.set_s_journal_inum(number);
    }
    if let Some(number) = moved(superblock.s_orphan_file_inum()) {
        superblock.set_s_orphan_file_inum(number);
    }
    superblock
}

struct Builder<'a> {
    old: &'a Filesystem,
    storage: &'a Arc<dyn ReadAt>,
    census: &'a Census,
    places: &'a Places,
    new: Filesystem,
}

impl Builder<'_> {
    /// Makes all bitmaps, and the descriptors with their counts and flags.
    fn bitmaps(&mut self) -> Result<(Vec<Bitmap>, Vec<Bitmap>)> {
        let geometry = self.new.geometry.clone();
        let mut inode_bitmaps = self.inode_bitmaps()?;
        let mut block_bitmaps = Vec::with_capacity(geometry.groups as usize);
        let directories = self.directories();
        let has_flags = self.new.superblock.features().group_checksums();
        for ((group, tables), inodes) in (0..).zip(&self.places.tables).zip(&mut inode_bitmaps) {
            let before = self.old.descriptors.get(group);
            let mut descriptor = before;
            let [block_bitmap, inode_bitmap, inode_table] = *tables;
            descriptor.set_bg_block_bitmap(block_bitmap);
            descriptor.set_bg_inode_bitmap(inode_bitmap);
            descriptor.set_bg_inode_table(inode_table);
            let blocks = self.block_bitmap(group);
            let clusters = geometry.group_clusters(group);
            descriptor.set_bg_free_blocks_count(clusters - blocks.count_set(clusters));
            let per_group = geometry.inodes_per_group;
            descriptor.set_bg_free_inodes_count(per_group - inodes.count_set(per_group));
            descriptor.set_bg_used_dirs_count(directories.get(&group).copied().unwrap_or_default());
            if has_flags {
                let used = inodes.runs(per_group).last().map_or(0, |run| run.end);
                let unused = self.old.itable_unused(&before).min(per_group - used);
                descriptor.set_bg_itable_unused(unused);
                let mut flags = before.bg_flags();
                if used > 0 {
                    flags &= !INODE_UNINIT;
                }
                // The kernel expects this of groups with inodes, and of the last group.
                let last = group + 1 == geometry.groups;
                let computed = bitmap::metadata_only(&geometry, group, &descriptor);
                if used > 0 || last || blocks != computed {
                    flags &= !BLOCK_UNINIT;
                }
                descriptor.set_bg_flags(flags);
            }
            self.new.descriptors.set(group, &descriptor);
            block_bitmaps.push(blocks);
        }
        Ok((block_bitmaps, inode_bitmaps))
    }

    fn block_bitmap(&self, group: u32) -> Bitmap {
        let geometry = &self.new.geometry;
        let units = Units::of(geometry);
        let clusters = units.clusters(&geometry.group_range(group));
        let mut bitmap = Bitmap::clear(geometry.block_size, geometry.group_clusters(group));
        for run in self.places.used.runs(clusters.clone(), true) {
            let bit = |cluster: u64| (cluster - clusters.start) as u32;
            bitmap.fill(bit(run.start)..bit(run.end), true);
        }
        bitmap
    }

    fn inode_bitmaps(&self) -> Result<Vec<Bitmap>> {
        let geometry = &self.new.geometry;
        let mut bitmaps = (0..geometry.groups)
            .map(|group| self.old.inode_bitmap(self.storage, group))
            .collect::<Result<Vec<Bitmap>>>()?;
        for number in self.places.inodes.values() {
            let (group, index) = (
                (number - 1) / geometry.inodes_per_group,
                (number - 1) % geometry.inodes_per_group,
            );
            if let Some(bitmap) = bitmaps.get_mut(group as usize) {
                bitmap.fill(index..index + 1, true);
            }
        }
        Ok(bitmaps)
    }

    /// The number of directories by group.
    fn directories(&self) -> BTreeMap<u32, u32> {
        let mut counts = BTreeMap::new();
        for owner in self.census.owners.iter().filter(|owner| owner.is_dir) {
            let number = self.places.inodes.get(&owner.number).unwrap_or(&owner.number);
            *counts.entry((number - 1) / self.new.geometry.inodes_per_group).or_default() += 1;
        }
        counts
    }
}

/// Stages the contents of tables that move; those that changed are staged again later.
fn stage_moved_tables(volume: &mut Volume, old: &Stored<'_>, places: &Places) -> Result<()> {
    for (group, tables) in (0..).zip(&places.tables) {
        let own = bitmap::own_metadata(&old.fs.geometry, &old.fs.descriptors.get(group));
        for ((_, before), &place) in own.iter().zip(tables) {
            if before.start == place {
                continue;
            }
            for (index, block) in before.clone().enumerate() {
                let bytes = old.block(block)?;
                volume.stage(place + index as u64, bytes);
            }
        }
    }
    Ok(())
}

/// Writes every backup of the superblock with the descriptors after it, and all copies of
/// descriptors in meta groups.
fn write_copies(fs: &Filesystem, storage: &dyn WriteAt) -> Result<()> {
    let geometry = &fs.geometry;
    for group in geometry.backup_groups() {
        let mut bytes = fs.superblock.backup(group).as_bytes().to_vec();
        bytes.resize(geometry.block_size as usize, 0);
        storage.write_at(geometry.offset(geometry.superblock_block(group)), &bytes)?;
    }
    // With meta_bg there can be fewer descriptor blocks than there is room for.
    for index in 0..geometry.descriptor_blocks() {
        let bytes = fs.descriptors.block(index, geometry);
        for block in geometry.descriptor_block_locations(index) {
            storage.write_at(geometry.offset(block), &bytes)?;
        }
    }
    Ok(())
}
