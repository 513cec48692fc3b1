//! Shrinking a filesystem.
//!
//! First a plan is made, which holds where everything goes and all metadata that changes. Making it
//! only reads, and finds all reasons to refuse. Then the plan is carried out.

mod build;
mod clusters;
mod inodes;
mod layout;
mod places;
mod plan;
mod resize_inode;
mod staging;
mod tables;
mod write;

use std::sync::Arc;

use block_io::{ReadAt, WriteAt};

use crate::{Result, Timestamp};
pub use plan::ShrinkPlan;

/// The result of shrinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shrunk {
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
    /// The number of bytes of contents of files that were moved.
    pub bytes_moved: u64,
    /// The number of inodes that have another number now.
    pub inodes_moved: u32,
    /// The number of bytes that were written, moved contents included.
    pub bytes_written: u64,
}

/// Shrinks the filesystem that fills `storage`, or its first part, to at most `target` bytes. `now`
/// becomes its time of the last write. A filesystem that is not larger stays as it is.
///
/// See [`ShrinkPlan`] for what is moved and what is refused, and for the smallest possible size.
/// The bytes after the new end stay as they are.
///
/// Shrinking is not atomic: unless `storage` is a [`block_io::Layer`] or a copy, a failed write or
/// a crash in the middle destroys the filesystem.
///
/// # Errors
/// As for [`ShrinkPlan::to_size`], before the first write. At any time:
/// [`Error::Storage`](crate::Error::Storage).
pub fn shrink(storage: &Arc<dyn WriteAt>, target: u64, now: Timestamp) -> Result<Shrunk> {
    let source: Arc<dyn ReadAt> = Arc::new(storage.clone());
    ShrinkPlan::to_size(&source, target, now)?.apply(storage)
}
