//! The geometry after growing.

use crate::{Backups, Error, Features, Geometry, MAX_GROUPS, Result};

/// The number of blocks besides its metadata for which a last group must have room.
const LEAST_USEFUL_BLOCKS: u64 = 50;

/// The geometry of `old` after growing to at most `blocks` blocks. It is the same if there is
/// nothing to gain.
pub(super) fn grown(old: &Geometry, features: &Features, blocks: u64) -> Result<Geometry> {
    let limit = if features.bits64() { u64::MAX } else { u32::MAX.into() };
    let blocks = blocks.min(limit);
    // Only whole clusters count.
    let blocks = blocks - blocks % u64::from(old.cluster_blocks);
    if blocks <= old.blocks {
        return Ok(old.clone());
    }
    let mut new = with_blocks(old, blocks)?;
    let last = new.groups - 1;
    let room = u64::from(new.group_blocks(last));
    if new.groups > old.groups
        && room < u64::from(new.blocks_per_group)
        && room < worth_having(old, &new)
    {
        new = with_blocks(old, new.group_start(last))?;
    }
    if new.blocks <= old.blocks {
        return Ok(old.clone());
    }
    for group in old.groups..new.groups {
        let blocks = new.metadata_blocks(group);
        if blocks > new.group_blocks(group).into() {
            return Err(Error::NoRoomForTables { group, blocks });
        }
    }
    Ok(new)
}

/// Returns how many blocks a smaller last group must have. This is the rule of resize2fs, so
/// that both agree on the size: a backup in the last group takes all descriptors, and the reserve
/// that there would be without that group. (resize2fs uses the reserve of before, so a second run
/// of it may add the group.)
fn worth_having(old: &Geometry, new: &Geometry) -> u64 {
    let backup = match old.backups {
        Backups::Two(groups) => groups[usize::from(new.groups > 2)] != 0,
        _ => new.has_superblock(new.groups - 1),
    };
    let without = Geometry { groups: new.groups - 1, ..new.clone() }.descriptor_blocks();
    let reserved = (old.descriptor_blocks() + old.reserved_gdt_blocks).saturating_sub(without);
    let backup =
        if backup { 1 + u64::from(new.descriptor_blocks()) + u64::from(reserved) } else { 0 };
    let tables = 2 + u64::from(new.inode_table_blocks());
    (backup + tables + LEAST_USEFUL_BLOCKS).max(new.metadata_blocks(new.groups - 1))
}

/// With `sparse_super2`, the second backup is in the last group, where resize2fs expects it: it
/// moves the backup from there to the new last group. The first one stays where it is. A filesystem
/// that had too few groups for both gets the missing ones.
fn backups(old: &Geometry, groups: u32) -> Backups {
    let Backups::Two([mut first, mut second]) = old.backups else { return old.backups };
    if groups > old.groups {
        // With two groups, mke2fs puts group 1 in either field. resize2fs moves that backup too if
        // it is in the second, but a single one would be useless in a meta group.
        if old.groups == 1 || (old.groups == 2 && second == 1) {
            first = 1;
        }
        if second != 0 || (old.groups < 3 && groups > 2) {
            second = groups - 1;
        }
    }
    Backups::Two([first, second])
}

fn with_blocks(old: &Geometry, blocks: u64) -> Result<Geometry> {
    let mut new = Geometry { blocks, ..old.clone() };
    let first = u64::from(old.first_data_block);
    let groups = blocks.saturating_sub(first).div_ceil(old.blocks_per_group.into());
    // The count of inodes has 32 bits.
    let most = u32::MAX / old.inodes_per_group;
    if groups > most.into() {
        new.blocks = new.group_start(most);
    }
    new.groups = match u32::try_from(groups.min(most.into())) {
        Ok(groups) if groups <= MAX_GROUPS => groups,
        _ => return Err(Error::TooManyGroups { groups, limit: MAX_GROUPS }),
    };
    new.backups = backups(old, new.groups);
    if old.first_meta_bg.is_none() {
        let area = old.descriptor_blocks() + old.reserved_gdt_blocks;
        match area.checked_sub(new.descriptor_blocks()) {
            // The area of the descriptors keeps its size.
            Some(left) => new.reserved_gdt_blocks = left,
            None => {
                new.first_meta_bg = Some(area);
                new.reserved_gdt_blocks = 0;
            }
        }
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: u64 = 32768;

    fn old() -> Geometry {
        Geometry {
            block_size: 4096,
            blocks: 3 * FULL + 5000,
            first_data_block: 0,
            blocks_per_group: 32768,
            cluster_blocks: 1,
            inodes_per_group: 8192,
            inode_size: 256,
            descriptor_size: 32,
            groups: 4,
            reserved_gdt_blocks: 2,
            first_meta_bg: None,
            backups: Backups::Sparse,
        }
    }

    fn to(blocks: u64) -> Geometry {
        grown(&old(), &Features::default(), blocks).unwrap()
    }

    #[test]
    fn fills_the_last_group_and_adds_more() {
        assert_eq!(to(3 * FULL + 5001).groups, 4);
        assert_eq!(to(6 * FULL).groups, 6);
        assert_eq!(to(3 * FULL + 5000), old());
    }

    #[test]
    fn drops_a_last_group_not_worth_having() {
        // Group 4 holds no backup: two bitmaps and 512 blocks of inodes.
        assert_eq!(to(4 * FULL + 514 + 49).blocks, 4 * FULL);
        assert_eq!(to(4 * FULL + 514 + 50).blocks, 4 * FULL + 564);
        // Group 5 holds a backup: another 1 + 1 + 2 blocks.
        assert_eq!(to(5 * FULL + 518 + 49).blocks, 5 * FULL);
        assert_eq!(to(5 * FULL + 518 + 50).groups, 6);
    }

    #[test]
    fn judges_the_last_group_as_often_as_it_is_asked() {
        // Group 243 holds a backup, and three more descriptor blocks are needed.
        let old = Geometry { groups: 1, blocks: FULL, descriptor_size: 64, ..old() };
        let old = Geometry { reserved_gdt_blocks: 10, ..old };
        let to = |old: &Geometry, blocks| grown(old, &Features::default(), blocks).unwrap();
        for room in 514 + 50..514 + 80 {
            let once = to(&old, 243 * FULL + room);
            assert_eq!(to(&once, 243 * FULL + room), once, "{room}");
            assert_eq!(once.groups == 244, room >= 514 + 50 + 1 + 4 + 7, "{room}");
        }
    }

    #[test]
    fn cuts_no_cluster_short() {
        let old = Geometry { cluster_blocks: 16, ..old() };
        let to = |old: &Geometry, blocks| grown(old, &Features::default(), blocks).unwrap();
        assert_eq!(to(&old, 6 * FULL + 1000 + 15).blocks, 6 * FULL + 1008);
        // A last group without a whole cluster.
        let tiny = Geometry { groups: 1, blocks: 9, ..old };
        assert_eq!(to(&tiny, 15), tiny);
    }

    #[test]
    fn the_second_backup_moves_to_the_last_group() {
        let backups = |groups: u64, slots, to: u64| {
            let old = Geometry { groups: groups as u32, blocks: groups * FULL, ..old() };
            let old = Geometry { backups: Backups::Two(slots), ..old };
            grown(&old, &Features::default(), to * FULL).unwrap().backups
        };
        assert_eq!(backups(1, [0, 0], 2), Backups::Two([1, 0]));
        assert_eq!(backups(1, [0, 0], 9), Backups::Two([1, 8]));
        assert_eq!(backups(2, [0, 1], 9), Backups::Two([1, 8]));
        assert_eq!(backups(4, [1, 3], 9), Backups::Two([1, 8]));
        assert_eq!(backups(4, [1, 0], 9), Backups::Two([1, 0]));
    }

    #[test]
    fn takes_reserved_blocks_then_meta_groups() {
        // 128 descriptors per block; three blocks in all.
        assert_eq!(to(128 * FULL).reserved_gdt_blocks, 2);
        assert_eq!(to(129 * FULL).reserved_gdt_blocks, 1);
        let full = to(384 * FULL);
        assert_eq!((full.reserved_gdt_blocks, full.first_meta_bg), (0, None));
        assert_eq!(to(385 * FULL).first_meta_bg, Some(3));
        // If the group that would need them is dropped, the reserve stays as it was.
        assert_eq!(to(384 * FULL + 100).first_meta_bg, None);
    }

    #[test]
    fn stays_within_32_bits() {
        assert_eq!(to(1 << 33).blocks, u64::from(u32::MAX));
        let few = Geometry { inodes_per_group: 65528, inode_size: 128, ..old() };
        let bits64 = Features { incompat: 0x80, ..Features::default() };
        assert_eq!(grown(&few, &bits64, 1 << 33).unwrap().groups, u32::MAX / 65528);
    }
}
