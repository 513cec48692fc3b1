//! Growing.
//!
//! First a plan is made, a value that holds all that will be written; making
//! it reads, and finds all reasons to refuse. Then it is carried out.

mod apply;
mod layout;
mod plan;
mod resize_inode;

use block_io::WriteAt;

use crate::{Result, Timestamp};
use plan::{Plan, Tables};

/// What growing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grown {
    /// Bytes per block.
    pub block_size: u32,
    /// How many blocks it had.
    pub old_blocks: u64,
    /// How many it has: as many as fit (whole clusters with `bigalloc`), less
    /// those of a last group too small to be worth its own tables.
    pub blocks: u64,
    /// How many block groups it had.
    pub old_groups: u32,
    /// How many it has.
    pub groups: u32,
    /// Whether it took the feature `meta_bg`, because more descriptor blocks
    /// were needed than had been reserved.
    pub meta_bg: bool,
    /// How many bytes were written.
    pub bytes_written: u64,
}

/// Grows the filesystem that fills `storage`, or its first part, to
/// `target_bytes`. `now` becomes its time of last write, in seconds since 1970.
///
/// New groups have their tables inside; nothing that exists is moved. If the
/// descriptors outgrow the blocks that were reserved for them, those of
/// further groups go where the feature `meta_bg` puts them, as the kernel
/// does it when it grows a mounted filesystem.
///
/// Afterwards the filesystem is complete: all bitmaps and backups hold what
/// they should and unused inodes are zero, so that `e2fsck -b` finds nothing
/// to mend and the kernel has nothing to initialize. Sectors that hold already
/// what they should are not written, nor tables that the storage knows to be
/// zero, so this is quick on sparse files and on layers; where that does not
/// help, see [`grow_lazily`].
///
/// The primary superblock is written last. Nothing is written if nothing has
/// to change.
///
/// # Errors
/// Before the first write: [`Error::Shrink`](crate::Error::Shrink),
/// [`Error::NoSpace`](crate::Error::NoSpace); a damaged filesystem, a feature
/// that stands in the way, or a state that does (journal to be replayed,
/// orphans, errors). [`Error::Storage`](crate::Error::Storage) at any time: the
/// filesystem then needs e2fsck if it was not written to a layer.
pub fn grow(storage: &dyn WriteAt, target_bytes: u64, now: Timestamp) -> Result<Grown> {
    Plan::new(storage, target_bytes, now, Tables::Complete)?.apply(storage)
}

/// As [`grow`], but leaves the bitmaps and inode tables of new groups for the
/// kernel to initialize in the background, where the filesystem has the flags
/// that say so (`uninit_bg` or `metadata_csum`).
///
/// For storages that cannot tell what is zero, such as a card: a TiB needs 16
/// GiB of inode tables. Until the kernel got to it, `e2fsck -b` would take what
/// lies there for inodes.
///
/// # Errors
/// As [`grow`].
pub fn grow_lazily(storage: &dyn WriteAt, target_bytes: u64, now: Timestamp) -> Result<Grown> {
    Plan::new(storage, target_bytes, now, Tables::Lazy)?.apply(storage)
}
