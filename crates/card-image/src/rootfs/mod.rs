//! Files of an ext4 filesystem on a storage: read and edited in place, by path.
//!
//! A narrow interface over [`ext4_offline::Files`], which knows inodes and names
//! only. Paths are walked here, symlink by symlink, so that nothing in an image
//! leads out of it.

mod apply;
mod copy;
mod error;
mod read;
mod system;
mod walk;
mod write;

use std::sync::Arc;

use block_io::WriteAt;
use ext4_offline::Files;

pub use copy::SourceError;
pub use error::{FsError, FsResult};
pub use read::Metadata;

/// The files of an ext4 filesystem.
#[derive(Debug)]
pub struct RootFs {
    files: Files,
}

impl RootFs {
    /// Opens the filesystem that fills `storage`, after what mounting it would do
    /// first: replaying its journal and removing orphans.
    ///
    /// `now` becomes the time of every change, in seconds since 1970.
    ///
    /// # Errors
    /// [`FsError`], before the first write, if the filesystem is damaged, or has
    /// a feature that stands in the way.
    pub fn open(storage: Arc<dyn WriteAt>, now: u64) -> FsResult<Self> {
        ext4_offline::recover(&storage, now)?;
        Ok(RootFs { files: Files::open(storage, now)? })
    }

    /// As [`open`](Self::open), for filesystems too that cannot be edited. Nothing
    /// but the replay of the journal is written.
    ///
    /// # Errors
    /// [`FsError`], before the first write, if the filesystem is damaged, or has
    /// a feature that stands in the way.
    pub fn open_to_read(storage: Arc<dyn WriteAt>) -> FsResult<Self> {
        ext4_offline::replay_journal(&storage)?;
        Ok(RootFs { files: Files::open_to_read(storage)? })
    }

    /// Completes all edits. Without it the filesystem is not consistent.
    ///
    /// # Errors
    /// [`FsError`] if that cannot be written.
    pub fn close(self) -> FsResult<()> {
        Ok(self.files.finish()?)
    }
}
