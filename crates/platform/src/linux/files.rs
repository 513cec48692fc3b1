//! Holes, shared blocks and the page cache.

use std::{fs::File, io, num::NonZeroU64, ops::Range, path::Path};

use rustix::fs::FallocateFlags;

use crate::sparse::Advice;

pub(crate) fn punch_hole(file: &File, range: Range<u64>) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(rustix::fs::fallocate(file, flags, range.start, range.end - range.start)?)
}

pub(crate) fn share_blocks(from: &File, to: &mut File, _: &Path) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(to, from)?)
}

pub(crate) fn advise(file: &File, advice: Advice) {
    let advice = match advice {
        Advice::Normal => rustix::fs::Advice::Normal,
        Advice::Sequential => rustix::fs::Advice::Sequential,
        Advice::DontNeed => rustix::fs::Advice::DontNeed,
    };
    let _ = rustix::fs::fadvise(file, 0, None, advice);
}

pub(crate) fn drop_cached(file: &File, offset: u64, length: u64) -> io::Result<()> {
    let length = NonZeroU64::new(length);
    Ok(rustix::fs::fadvise(file, offset, length, rustix::fs::Advice::DontNeed)?)
}
