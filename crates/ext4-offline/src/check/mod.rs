//! Whether the bitmaps tell the truth about the files.
//!
//! What is done to a filesystem here and by others rests on its bitmaps: blocks
//! that they call free are given away, or not copied at all. A bitmap that is
//! wrong about a file would cost that file, with all checksums right.

mod claims;

use block_io::ReadAt;

use crate::{
    Error, Result,
    features::Operation,
    filesystem::Filesystem,
    group_desc::GroupDescriptor,
    inode::{BAD_BLOCKS, Inode, RESIZE},
    map::Mapping,
    source::Stored,
};
use claims::Claims;

/// How many bytes of an inode table are read at a time.
const CHUNK: u64 = 1 << 20;

/// Makes sure that all that inodes hold is marked as used in the bitmaps, lies
/// within the filesystem, and belongs to one inode only; and that every inode
/// that is linked from somewhere is marked as used.
///
/// Blocks that are marked as used but belong to nothing are let pass: they cost
/// room, and nothing else.
///
/// # Errors
/// [`Error::Inode`] names the inode and the block; and as for opening.
pub fn check(storage: &dyn ReadAt) -> Result<()> {
    let fs = Filesystem::open(storage, Operation::Map)?;
    let mut claims = Claims::new(&fs, storage)?;
    for group in 0..fs.geometry.groups {
        let descriptor = fs.descriptors.get(group);
        check_group(&fs, storage, group, &descriptor, &mut claims)?;
    }
    Ok(())
}

fn check_group(
    fs: &Filesystem,
    storage: &dyn ReadAt,
    group: u32,
    descriptor: &GroupDescriptor,
    claims: &mut Claims,
) -> Result<()> {
    let geometry = &fs.geometry;
    let bitmap = fs.inode_bitmap(storage, group)?;
    let used = geometry.inodes_per_group - fs.itable_unused(descriptor);
    let size = geometry.inode_size;
    let table = geometry.offset(descriptor.bg_inode_table());
    let per_chunk = (CHUNK / u64::from(size)) as u32;
    for start in (0..used).step_by(per_chunk as usize) {
        let count = per_chunk.min(used - start);
        let offset = table + u64::from(start) * u64::from(size);
        let bytes = storage.read_vec(offset, (count * size) as usize)?;
        for (index, raw) in (start..).zip(bytes.chunks_exact(size as usize)) {
            let number = group * geometry.inodes_per_group + index + 1;
            let inode = Inode::new(number, raw.to_vec());
            if bitmap.get(index) {
                claim(&inode, &Stored { fs, storage }, claims)?;
            } else if inode.is_linked() {
                let block = table / u64::from(geometry.block_size);
                let reason = "is in the inode table, but the inode bitmap calls it free";
                return Err(Error::Inode { inode: number, block, reason });
            }
        }
    }
    Ok(())
}

/// Claims all blocks of an inode.
fn claim(inode: &Inode, stored: &Stored, claims: &mut Claims) -> Result<()> {
    let number = inode.number();
    // Bad blocks may be anybody's.
    if number == BAD_BLOCKS || inode.i_mode() == 0 {
        return Ok(());
    }
    let acl = inode.i_file_acl();
    if acl != 0 {
        claims.claim_shared(number, acl)?;
    }
    if number == RESIZE {
        // All that it lists has been claimed as the groups' own.
        return match u64::from(inode.double_indirect()) {
            0 => Ok(()),
            block => claims.claim(number, block..block + 1),
        };
    }
    if inode.has_blocks() {
        let mapping = Mapping::load(stored, inode)?;
        for &node in &mapping.nodes {
            claims.claim(number, node..node + 1)?;
        }
        for run in &mapping.runs {
            claims.claim(number, run.blocks())?;
        }
    }
    Ok(())
}
