//! Directories for decoded images that must not stay: those of cards hold private keys.

use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{BaseError, Cache, cache_error};

const PRIVATE: &str = "private";

/// A directory that only its owner can read, and that is removed when this is dropped.
pub(in super::super) struct PrivateDir {
    path: PathBuf,
    /// Locked as long as the directory is in use.
    _lock: File,
}

impl PrivateDir {
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // The next run removes what stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Cache {
    /// Creates a directory for this run alone.
    pub(in super::super) fn private(&self) -> Result<PrivateDir, BaseError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Another run removes directories that are not locked.
        let _index = self.lock_index()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.path(&format!("{}-{number}", process::id()), PRIVATE);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(cache_error("create the directory", &path))?;
        let lock = File::open(&path).map_err(cache_error("open", &path))?;
        self.lock_file(&lock, &path)?;
        Ok(PrivateDir { path, _lock: lock })
    }

    /// Removes the directories of runs that were killed.
    pub(super) fn remove_private_leftovers(&self) -> Result<(), BaseError> {
        let left = self.files(PRIVATE)?;
        if left.is_empty() {
            return Ok(());
        }
        let _index = self.lock_index()?;
        for path in left {
            if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                fs::remove_dir_all(&path).map_err(cache_error("remove", &path))?;
            }
        }
        Ok(())
    }
}
