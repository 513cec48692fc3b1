//! The inode that holds the reserved descriptor blocks.
//!
//! Its double-indirect block lists them, at the slot of their number modulo the slots of a block.
//! Each of them, as an indirect block, lists its copies in all backups.

use super::places::Places;
use crate::{
    Result,
    inode::RESIZE,
    source::{Source, Stored},
    volume::Volume,
};

/// The offset of the double-indirect block in `i_block`.
const DOUBLE_INDIRECT: usize = 13 * 4;

fn put(bytes: &mut [u8], slot: u32, block: u64) {
    let start = slot as usize * 4;
    if let Some(place) = bytes.get_mut(start..start + 4) {
        place.copy_from_slice(&(block as u32).to_le_bytes());
    }
}

/// Writes it for the geometry after shrinking, if the filesystem has one.
pub(super) fn rewrite(volume: &mut Volume, old: &Stored<'_>, places: &Places) -> Result<()> {
    let Some(block) = places.resize_block else { return Ok(()) };
    let geometry = &places.geometry;
    let size = geometry.block_size as usize;
    let slots = geometry.block_size / 4;
    let backups = geometry.backup_groups();
    let mut listed = vec![0; size];
    for reserved in 0..geometry.reserved_gdt_blocks {
        let index = geometry.descriptor_blocks() + reserved;
        let primary = geometry.descriptor_block(index);
        put(&mut listed, index % slots, primary);
        let mut copies = vec![0; size];
        for (slot, &group) in (0..).zip(&backups) {
            let distance = u64::from(group) * u64::from(geometry.blocks_per_group);
            put(&mut copies, slot, primary + distance);
        }
        volume.stage(primary, copies);
    }
    volume.stage(block, listed);

    let mut inode = old.inode(RESIZE)?;
    let mut i_block = inode.i_block();
    put(&mut i_block, (DOUBLE_INDIRECT / 4) as u32, block);
    inode.set_i_block(&i_block);
    // Each counts as a whole cluster, even if it shares it.
    let count = 1 + u64::from(geometry.reserved_gdt_blocks) * (1 + backups.len() as u64);
    let sectors = u64::from(geometry.block_size / 512) * u64::from(geometry.cluster_blocks);
    inode.set_i_blocks(count * sectors);
    volume.put_inode(&mut inode)
}
