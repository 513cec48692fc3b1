//! The inode that holds the reserved descriptor blocks (number 7).
//!
//! Its double-indirect block lists the reserved blocks after the primary
//! descriptors; slot n, counted modulo the slots of a block, is descriptor
//! block n. Each of them, as an indirect block, lists the blocks at the same
//! place in all backups, in the order of their groups. Source: the kernel's
//! `fs/ext4/resize.c`, as far as it describes the layout.

use std::collections::BTreeMap;

use block_io::ReadAt;

use crate::{Error, Geometry, Result, filesystem::Filesystem, inode::Inode};

const NUMBER: u32 = 7;

/// The changes to the resize inode.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Blocks with their new contents.
    pub blocks: BTreeMap<u64, Vec<u8>>,
    /// A block that is freed.
    pub freed: Option<u64>,
}

/// Plans the resize inode of a filesystem that grows to the geometry `new`.
pub(super) fn plan(fs: &Filesystem, storage: &dyn ReadAt, new: &Geometry) -> Result<Changes> {
    let old = &fs.geometry;
    let mut changes = Changes::default();
    let converts = new.first_meta_bg != old.first_meta_bg;
    let (old_backups, new_backups) = (old.backup_groups(), new.backup_groups());
    let untouched = !converts
        && new.reserved_gdt_blocks == old.reserved_gdt_blocks
        && (new_backups == old_backups || old.reserved_gdt_blocks == 0);
    if !fs.superblock.features().resize_inode() || untouched {
        return Ok(changes);
    }

    let mut place = Place::read(fs, storage)?;
    let double_indirect = u64::from(place.inode.double_indirect());
    let wrong = |block, reason| Err(Error::ResizeInode { block, reason });
    if double_indirect == 0 && old.reserved_gdt_blocks == 0 {
        // Nothing was ever reserved.
    } else if double_indirect <= old.superblock_block(0) || double_indirect >= old.blocks {
        return wrong(double_indirect, "its double-indirect block is not within the filesystem");
    } else {
        let mut slots = Slots::new(fs.read_block(storage, double_indirect)?);
        let consumed = new.descriptor_blocks().min(area(old)) - old.descriptor_blocks();
        for reserved in 0..old.reserved_gdt_blocks {
            let index = old.descriptor_blocks() + reserved;
            let primary = old.descriptor_block(index);
            let slot = index % slots.count();
            if u64::from(slots.get(slot)) != primary {
                return wrong(double_indirect, "it does not list the reserved descriptor blocks");
            }
            if reserved < consumed {
                slots.set(slot, 0);
                continue;
            }
            if new_backups != old_backups {
                let block = fs.read_block(storage, primary)?;
                let block = with_backups(block, primary, &old_backups, &new_backups, new)?;
                changes.blocks.insert(primary, block);
            }
        }
        if converts {
            changes.freed = Some(double_indirect);
        } else if consumed > 0 {
            changes.blocks.insert(double_indirect, slots.bytes);
        }
    }

    if converts {
        place.inode.clear();
    } else {
        // Each counts as a whole cluster, even if it shares it.
        let clusters = 1 + u64::from(new.reserved_gdt_blocks) * (1 + new_backups.len() as u64);
        let sectors = u64::from(old.block_size / 512) * u64::from(old.cluster_blocks);
        place.inode.set_i_blocks(clusters * sectors);
    }
    let (block, bytes) = place.finish(fs);
    changes.blocks.insert(block, bytes);
    Ok(changes)
}

/// Returns how many descriptor blocks there is room for before `meta_bg` is needed.
fn area(geometry: &Geometry) -> u32 {
    geometry.descriptor_blocks() + geometry.reserved_gdt_blocks
}

/// Checks the backups that an indirect block lists, and lists the new ones instead.
fn with_backups(
    block: Vec<u8>,
    primary: u64,
    old: &[u32],
    new: &[u32],
    geometry: &Geometry,
) -> Result<Vec<u8>> {
    let mut slots = Slots::new(block);
    let wrong = |reason| Err(Error::ResizeInode { block: primary, reason });
    let place = |group: u32| primary + u64::from(group) * u64::from(geometry.blocks_per_group);
    for (slot, &group) in (0..).zip(old) {
        if u64::from(slots.get(slot)) != place(group) {
            return wrong("it does not list the backups of a descriptor block");
        }
        slots.set(slot, 0);
    }
    for (slot, &group) in (0..).zip(new) {
        let Ok(backup) = u32::try_from(place(group)) else {
            return wrong("it cannot list blocks from 2^32 on");
        };
        if slot >= slots.count() {
            return wrong("it has no room for all backups");
        }
        slots.set(slot, backup);
    }
    Ok(slots.bytes)
}

/// A block that lists blocks.
struct Slots {
    bytes: Vec<u8>,
}

impl Slots {
    fn new(bytes: Vec<u8>) -> Self {
        Slots { bytes }
    }

    fn count(&self) -> u32 {
        (self.bytes.len() / 4) as u32
    }

    fn get(&self, slot: u32) -> u32 {
        let start = slot as usize * 4;
        self.bytes.get(start..start + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn set(&mut self, slot: u32, block: u32) {
        let start = slot as usize * 4;
        if let Some(bytes) = self.bytes.get_mut(start..start + 4) {
            bytes.copy_from_slice(&block.to_le_bytes());
        }
    }
}

/// The inode and the block of the inode table it is in.
struct Place {
    inode: Inode,
    block: u64,
    bytes: Vec<u8>,
    offset: usize,
}

impl Place {
    fn read(fs: &Filesystem, storage: &dyn ReadAt) -> Result<Self> {
        let geometry = &fs.geometry;
        let position = (NUMBER - 1) * geometry.inode_size;
        let table = fs.descriptors.get(0).bg_inode_table();
        let block = table + u64::from(position / geometry.block_size);
        let offset = (position % geometry.block_size) as usize;
        let bytes = fs.read_block(storage, block)?;
        let raw = bytes.get(offset..offset + geometry.inode_size as usize).unwrap_or_default();
        let inode = Inode::new(NUMBER, raw.to_vec());
        inode.verify_checksum(fs.checksums.seed())?;
        Ok(Place { inode, block, bytes, offset })
    }

    fn finish(mut self, fs: &Filesystem) -> (u64, Vec<u8>) {
        self.inode.update_checksum(fs.checksums.seed());
        let raw = self.inode.as_bytes();
        if let Some(place) = self.bytes.get_mut(self.offset..self.offset + raw.len()) {
            place.copy_from_slice(raw);
        }
        (self.block, self.bytes)
    }
}
