//! Sharing blocks with the base, where the filesystem can.

use std::io;

use block_io::{Extents, ReadAt as _};
use platform::sparse::punch_hole;

use super::partial::PartialFile;
use crate::BaseStorage;

/// Makes `target` a file of `size` bytes that shares the base's blocks, except for those that
/// are not in `used`. Returns whether that worked; if not, `target` is empty.
pub(super) fn clone_base(
    base: &BaseStorage,
    target: &mut PartialFile,
    used: &Extents,
    size: u64,
) -> io::Result<bool> {
    // Most filesystems refuse it, and it is impossible between two filesystems.
    if target.share_blocks(base.file()).is_err() {
        return Ok(false);
    }
    let punch = || -> io::Result<()> {
        for gap in used.gaps(0..base.size().min(size)) {
            punch_hole(&target.file, gap)?;
        }
        target.file.set_len(size)
    };
    if punch().is_err() {
        target.file.set_len(0)?;
        return Ok(false);
    }
    Ok(true)
}
