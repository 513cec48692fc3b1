//! Directories for decoded images that must not stay: those of cards hold private keys.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use platform::{Privacy, access, open_lock};

use super::{BaseError, Cache, cache_error};

const PRIVATE: &str = "private";

/// The name of the file in it that is locked.
const LOCK: &str = "lock";

/// A directory that only its owner can read, and that is removed when this is dropped.
pub(in super::super) struct PrivateDir {
    path: PathBuf,
    /// Locked as long as the directory is in use.
    lock: Option<File>,
}

impl PrivateDir {
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        // Windows keeps the names of open files.
        self.lock = None;
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
        let made = access::create_directory(&path, Privacy::Private);
        made.map_err(cache_error("create the directory", &path))?;
        let lock_path = path.join(LOCK);
        let lock = open_lock(&lock_path).map_err(cache_error("open the lock file", &lock_path))?;
        self.lock_file(&lock, &lock_path)?;
        Ok(PrivateDir { path, lock: Some(lock) })
    }

    /// Removes the directories of runs that were killed.
    pub(super) fn remove_private_leftovers(&self) -> Result<(), BaseError> {
        let left = self.files(PRIVATE)?;
        if left.is_empty() {
            return Ok(());
        }
        let _index = self.lock_index()?;
        for path in left {
            let lock = open_lock(&path.join(LOCK));
            if lock.is_ok_and(|file| file.try_lock().is_ok()) {
                fs::remove_dir_all(&path).map_err(cache_error("remove", &path))?;
            }
        }
        Ok(())
    }
}
