//! Growing a filesystem.
//!
//! First a plan is made, which holds everything that will be written. Making it only reads, and
//! finds all reasons to refuse. Then the plan is carried out.

mod apply;
mod layout;
mod plan;
mod resize_inode;

use block_io::WriteAt;

use crate::{Result, Timestamp};
use plan::{Plan, Tables};

/// The result of growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grown {
    /// Bytes per block.
    pub block_size: u32,
    /// The number of blocks before.
    pub old_blocks: u64,
    /// The number of blocks now: as many as fit (whole clusters with `bigalloc`), without those of
    /// a last group that is too small for its own tables.
    pub blocks: u64,
    /// The number of block groups before.
    pub old_groups: u32,
    /// The number of block groups now.
    pub groups: u32,
    /// Whether the filesystem got the feature `meta_bg`, because it needed more descriptor blocks
    /// than were reserved.
    pub meta_bg: bool,
    /// The number of bytes that were written.
    pub bytes_written: u64,
}

/// Grows the filesystem that fills `storage`, or its first part, to
/// `target_bytes`. `now` becomes its time of the last write.
///
/// Nothing that exists is moved, and new groups have their tables inside. If the descriptors need
/// more blocks than were reserved for them, those of further groups go where the feature `meta_bg`
/// puts them, as when the kernel grows a mounted filesystem.
///
/// Afterwards the filesystem is complete: all bitmaps and backups are written and unused inodes are
/// zero, so `e2fsck -b` finds nothing to fix and the kernel has nothing to initialize. Sectors that
/// already hold the right bytes are not written, nor tables that the storage reports as zero, so
/// this is quick on sparse files and layers; for other storages, see [`grow_lazily`].
///
/// The primary superblock is written last. Nothing is written if nothing has to change.
///
/// # Errors
/// Before the first write: [`Error::Shrink`](crate::Error::Shrink),
/// [`Error::NoSpace`](crate::Error::NoSpace); damage; a feature or a state that is
/// not supported (a journal that was not replayed, orphans, errors). At any time:
/// [`Error::Storage`](crate::Error::Storage). Unless it is on a layer, the filesystem needs e2fsck
/// then.
pub fn grow(storage: &dyn WriteAt, target_bytes: u64, now: Timestamp) -> Result<Grown> {
    Plan::new(storage, target_bytes, now, Tables::Complete)?.apply(storage)
}

/// As [`grow`], but leaves the bitmaps and inode tables of new groups to the kernel, which
/// initializes them in the background, if the filesystem has flags for that (`uninit_bg` or
/// `metadata_csum`).
///
/// This is for storages that cannot report zeros, such as a card: a TiB has 16 GiB of inode tables.
/// Until the kernel has initialized them, `e2fsck -b` would read garbage as inodes.
///
/// # Errors
/// As for [`grow`].
pub fn grow_lazily(storage: &dyn WriteAt, target_bytes: u64, now: Timestamp) -> Result<Grown> {
    Plan::new(storage, target_bytes, now, Tables::Lazy)?.apply(storage)
}
