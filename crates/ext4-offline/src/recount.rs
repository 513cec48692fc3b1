//! Counting free blocks and inodes.

use block_io::{ReadAt, WriteAt};

use crate::{
    Operation, Result,
    bitmap::Bitmap,
    filesystem::Filesystem,
    group_desc::GroupDescriptor,
    inode::{S_IFDIR, S_IFMT},
    superblock::OFFSET,
};

/// How many bytes of an inode table are read at a time.
const CHUNK: u64 = 1 << 20;

/// Counts free blocks, free inodes and directories in the bitmaps and inodes, and corrects the
/// descriptors and the superblock where they differ. Returns whether anything differed.
///
/// After replaying a journal, the superblock still has the counts of the last unmount; the kernel
/// counts again when it mounts. Backups of the superblock and the descriptors stay as they are, as
/// with the kernel.
///
/// # Errors
/// Before the first write: damage, an unknown feature, or a bitmap whose checksum does not match,
/// since counting would only hide that.
pub fn recount(storage: &dyn WriteAt) -> Result<bool> {
    let mut fs = Filesystem::open(storage, Operation::Count)?;
    let geometry = fs.geometry.clone();
    let mut changed_blocks = Vec::new();
    for group in 0..geometry.groups {
        let before = fs.descriptors.get(group);
        let mut after = count_group(&fs, storage, group, &before)?;
        if after != before {
            after.update_checksum(group, &fs.checksums);
            fs.descriptors.set(group, &after);
            changed_blocks.push(group / geometry.descriptors_per_block());
        }
    }
    changed_blocks.dedup();

    let before = fs.superblock.clone();
    fs.count_free();
    if changed_blocks.is_empty() && fs.superblock == before {
        return Ok(false);
    }
    fs.superblock.update_checksum();
    for index in changed_blocks {
        let offset = geometry.offset(geometry.descriptor_block(index));
        storage.write_at(offset, &fs.descriptors.block(index, &geometry))?;
    }
    storage.write_at(OFFSET, fs.superblock.as_bytes())?;
    Ok(true)
}

/// The group's descriptor with the right counts.
fn count_group(
    fs: &Filesystem,
    storage: &dyn ReadAt,
    group: u32,
    descriptor: &GroupDescriptor,
) -> Result<GroupDescriptor> {
    let mut counted = *descriptor;
    let clusters = fs.geometry.group_clusters(group);
    let used = fs.block_bitmap(storage, group)?.count_set(clusters);
    counted.set_bg_free_blocks_count(clusters - used);

    let inodes = fs.geometry.inodes_per_group;
    let bitmap = fs.inode_bitmap(storage, group)?;
    counted.set_bg_free_inodes_count(inodes - bitmap.count_set(inodes));
    counted.set_bg_used_dirs_count(directories(fs, storage, descriptor, &bitmap)?);

    // An inode in use cannot be in the part of the table that was never used.
    let last_used = bitmap.runs(inodes).last().map_or(0, |run| run.end);
    if last_used > inodes - fs.itable_unused(descriptor) {
        counted.set_bg_itable_unused(inodes - last_used);
    }
    Ok(counted)
}

/// Returns how many of the inodes in use are directories.
fn directories(
    fs: &Filesystem,
    storage: &dyn ReadAt,
    descriptor: &GroupDescriptor,
    bitmap: &Bitmap,
) -> Result<u32> {
    let size = u64::from(fs.geometry.inode_size);
    let table = fs.geometry.offset(descriptor.bg_inode_table());
    let per_chunk = (CHUNK / size) as usize;
    let mut count = 0;
    for run in bitmap.runs(fs.geometry.inodes_per_group) {
        for start in run.clone().step_by(per_chunk) {
            let inodes = u64::from(run.end - start).min(per_chunk as u64);
            let bytes =
                storage.read_vec(table + u64::from(start) * size, (inodes * size) as usize)?;
            count += bytes
                .chunks_exact(size as usize)
                .filter_map(|inode| inode.first_chunk::<2>())
                .filter(|mode| u16::from_le_bytes(**mode) & S_IFMT == S_IFDIR)
                .count() as u32;
        }
    }
    Ok(count)
}
