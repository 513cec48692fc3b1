//! Sharing blocks with the base, where the filesystem can.

use std::{fs::File, io};

use block_io::{Extents, ReadAt as _};
use rustix::fs::FallocateFlags;

use crate::BaseStorage;

/// Makes `target` a file of `size` bytes that shares the base's blocks, except for those that
/// are not in `used`. Returns whether that worked; if not, `target` is empty.
pub(super) fn clone_base(
    base: &BaseStorage,
    target: &File,
    used: &Extents,
    size: u64,
) -> io::Result<bool> {
    // Most filesystems refuse it, and it is impossible between two filesystems.
    if rustix::fs::ioctl_ficlone(target, base.file()).is_err() {
        return Ok(false);
    }
    let punch = || -> io::Result<()> {
        for gap in used.gaps(0..base.size().min(size)) {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(target, flags, gap.start, gap.end - gap.start)?;
        }
        target.set_len(size)
    };
    if punch().is_err() {
        target.set_len(0)?;
        return Ok(false);
    }
    Ok(true)
}
