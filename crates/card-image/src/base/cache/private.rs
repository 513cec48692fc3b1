//! Directories for what must not stay: decoded images of cards hold private keys.

use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{BaseError, Cache, cache_error};

const PRIVATE: &str = "private";

/// A directory of its owner's alone, which goes when this is dropped.
pub(in super::super) struct Private {
    path: PathBuf,
    /// Locked as long as it is in use.
    _lock: File,
}

impl Private {
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // What stays is removed by the next run.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Cache {
    /// Makes a directory for this run alone.
    pub(in super::super) fn private(&self) -> Result<Private, BaseError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Others take what nobody has locked for a leftover.
        let _index = self.lock_index()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.path(&format!("{}-{number}", process::id()), PRIVATE);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(cache_error("make the directory", &path))?;
        let lock = File::open(&path).map_err(cache_error("open", &path))?;
        lock.lock().map_err(cache_error("lock", &path))?;
        Ok(Private { path, _lock: lock })
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
