//! The geometry after shrinking.

use crate::{Backups, Geometry};

/// The number of blocks besides its metadata for which a last group must have room, as for growing.
const LEAST_USEFUL_BLOCKS: u64 = 50;

/// The geometry of `old` after shrinking to at most `blocks` blocks. `None` if no filesystem can
/// have this size; `old` if it is not larger.
pub(super) fn shrunk(old: &Geometry, resize_inode: bool, blocks: u64) -> Option<Geometry> {
    // Only whole clusters count.
    let blocks = blocks - blocks % u64::from(old.cluster_blocks);
    if blocks >= old.blocks {
        return Some(old.clone());
    }
    let mut new = with_blocks(old, resize_inode, blocks)?;
    let last = new.groups - 1;
    let room = new.group_blocks(last);
    if last > 0 && room < new.blocks_per_group && u64::from(room) < worth_having(&new) {
        new = with_blocks(old, resize_inode, new.group_start(last))?;
    }
    let base = u64::from(new.base_metadata(0).blocks());
    let least = u64::from(new.first_data_block) + 8;
    (new.blocks > least && base + 2 <= u64::from(new.group_blocks(0))).then_some(new)
}

fn with_blocks(old: &Geometry, resize_inode: bool, blocks: u64) -> Option<Geometry> {
    let data = blocks.checked_sub(old.first_data_block.into()).filter(|&data| data > 0)?;
    // Fewer than before.
    let groups = data.div_ceil(old.blocks_per_group.into()) as u32;
    let mut new = Geometry { blocks, groups, ..old.clone() };
    let descriptor_blocks = new.descriptor_blocks();
    if let Some(first) = old.first_meta_bg {
        new.first_meta_bg = Some(first.min(descriptor_blocks));
    } else if resize_inode {
        // The area of the descriptors keeps its size, as far as the resize inode has room.
        let area = old.descriptor_blocks() + old.reserved_gdt_blocks;
        let most = old.block_size / 4;
        new.reserved_gdt_blocks = area.saturating_sub(descriptor_blocks).min(most);
    }
    new.backups = backups(old.backups, groups);
    Some(new)
}

/// With `sparse_super2`, a backup in a group that is removed moves to the last group.
fn backups(old: Backups, groups: u32) -> Backups {
    let Backups::Two(slots) = old else { return old };
    let mut new = slots;
    for slot in 0..2 {
        let (last, other) = (groups - 1, new[1 - slot]);
        if new[slot] >= groups {
            // The other one may have to move there itself.
            let taken = other == last || (slot == 0 && other >= groups && last < 2);
            new[slot] = if taken { 0 } else { last };
        }
    }
    // The first of two backups that were both removed goes to group 1.
    if slots.iter().all(|&slot| slot >= groups) && groups > 2 {
        new = [1, groups - 1];
    }
    Backups::Two(new)
}

fn worth_having(new: &Geometry) -> u64 {
    new.metadata_blocks(new.groups - 1) + LEAST_USEFUL_BLOCKS
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: u64 = 32768;

    fn old() -> Geometry {
        Geometry {
            block_size: 4096,
            blocks: 200 * FULL + 5000,
            first_data_block: 0,
            blocks_per_group: 32768,
            cluster_blocks: 1,
            inodes_per_group: 8192,
            inode_size: 256,
            descriptor_size: 32,
            groups: 201,
            reserved_gdt_blocks: 20,
            first_meta_bg: None,
            backups: Backups::Sparse,
        }
    }

    #[test]
    fn the_area_of_descriptors_keeps_its_size() {
        let new = shrunk(&old(), true, 10 * FULL).unwrap();
        assert_eq!((new.groups, new.descriptor_blocks(), new.reserved_gdt_blocks), (10, 1, 21));
        let none = Geometry { reserved_gdt_blocks: 0, ..old() };
        assert_eq!(shrunk(&none, false, 10 * FULL).unwrap().reserved_gdt_blocks, 0);
        let meta = Geometry { first_meta_bg: Some(2), ..none };
        assert_eq!(shrunk(&meta, false, 10 * FULL).unwrap().first_meta_bg, Some(1));
    }

    #[test]
    fn a_last_group_must_be_worth_having() {
        assert_eq!(shrunk(&old(), true, 4 * FULL + 514 + 49).unwrap().blocks, 4 * FULL);
        assert_eq!(shrunk(&old(), true, 4 * FULL + 514 + 50).unwrap().groups, 5);
        assert_eq!(shrunk(&old(), true, 8), None);
        assert_eq!(shrunk(&old(), true, 300 * FULL), Some(old()));
    }

    #[test]
    fn backups_move_to_groups_that_exist() {
        let moved = |slots, groups| match backups(Backups::Two(slots), groups) {
            Backups::Two(new) => new,
            _ => unreachable!(),
        };
        assert_eq!(moved([1, 9], 5), [1, 4]);
        assert_eq!(moved([1, 9], 2), [1, 0]);
        assert_eq!(moved([1, 9], 1), [0, 0]);
        assert_eq!(moved([0, 9], 5), [0, 4]);
        assert_eq!(moved([8, 9], 5), [1, 4]);
        assert_eq!(moved([9, 1], 5), [4, 1]);
        assert_eq!(moved([8, 9], 2), [0, 1]);
        assert_eq!(moved([1, 3], 5), [1, 3]);
    }
}
