//! Files of an ext4 filesystem on a storage: read and edited in place.
//!
//! A narrow interface over the `rust-fs-ext4` crate, so that it can be replaced.
//! What the crate is known to get wrong is mended or refused in this folder:
//!
//! - It journals every change. A layer is a transaction already, so the journal
//!   is left out once it is replayed ([`RootFs::open`]): its blocks stay as they
//!   are in the base, and large files meet no transaction limit.
//! - 2 KiB blocks with `metadata_csum`: it puts extent block checksums in the
//!   wrong place. Refused by name, as are features it does not know (`features.rs`).
//! - Directories' times are not updated by most changes in them; `write.rs` sets
//!   them.
//! - Free counts stay stale after a replay; `open` recounts. Orphans are not
//!   processed: a mark that there may be some is taken back if there are none.
//! - A damaged image may make it panic; every call goes through [`guard`].

mod apply;
mod device;
mod error;
mod features;
mod read;
mod system;
mod walk;
mod write;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use block_io::WriteAt;
use fs_ext4::{error::Error as LibraryError, fs::Filesystem};

use device::{Clock, Device};
pub use error::{FsError, FsResult};
pub use read::{FileKind, Metadata};

/// The inode number of the root directory (kernel documentation, "Special
/// inodes").
const ROOT_INODE: u32 = 2;

/// The files of an ext4 filesystem.
pub struct RootFs {
    fs: Filesystem,
    /// Its size in bytes: nothing in it can be larger, whatever an inode says.
    size: u64,
}

impl RootFs {
    /// Opens the filesystem that fills `storage`, replaying its journal first
    /// if it needs that.
    ///
    /// `now` becomes the time of every change, in seconds since 1970.
    ///
    /// # Errors
    /// [`FsError`], before the first write, if the filesystem is damaged, or
    /// has a feature that cannot be written correctly.
    pub fn open(storage: Arc<dyn WriteAt>, now: u64) -> FsResult<Self> {
        features::check_writable(&ext4_offline::inspect(&storage)?)?;
        let files = Self::open_to_read(storage.clone(), now)?;
        features::check_no_orphans(&ext4_offline::inspect(&storage)?)?;
        Ok(files)
    }

    /// As [`open`](Self::open), for filesystems too that cannot be written
    /// correctly. Nothing but the replay of the journal is written.
    ///
    /// # Errors
    /// [`FsError`], before the first write, if the filesystem is damaged, or has
    /// a feature that cannot be read.
    pub fn open_to_read(storage: Arc<dyn WriteAt>, now: u64) -> FsResult<Self> {
        let info = ext4_offline::inspect(&storage)?;
        features::check_readable(&info)?;
        let device = || Arc::new(Device(storage.clone()));
        let clock = Arc::new(Clock::new(now));
        if info.needs_recovery {
            let mount = || Filesystem::mount_with_runtime(device(), clock.clone())?.finish();
            guard("replay the journal of", "/", mount)?;
            ext4_offline::recount(&storage)?;
        }
        if info.features.orphan_present() {
            ext4_offline::settle_orphans(&storage)?;
        }
        let mount = || Filesystem::mount_with_runtime(device(), clock.clone());
        let mut fs = guard("open", "/", mount)?;
        fs.journal = None;
        let files = RootFs { fs, size: info.size() };
        files.inode("/", ROOT_INODE)?;
        Ok(files)
    }

    /// Marks the filesystem as cleanly unmounted, as it was found.
    ///
    /// # Errors
    /// [`FsError`] if that cannot be written.
    pub fn close(self) -> FsResult<()> {
        guard("close", "/", || self.fs.finish())
    }
}

/// Runs a call into the library: names what it was for in its error, and turns
/// a panic, which only a damaged filesystem can cause, into one.
fn guard<T>(
    operation: &'static str,
    path: &str,
    call: impl FnOnce() -> Result<T, LibraryError>,
) -> FsResult<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(FsError::library(operation, path, source)),
        Err(_) => Err(FsError::Damaged { operation, path: path.to_owned() }),
    }
}
