//! One run at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::cache_error;
use crate::{
    Cancel,
    base::BaseError,
    progress::{BuildProgress, BuildStage, Running},
};

/// How long to wait before asking again whether another run is done.
const POLL: Duration = Duration::from_millis(100);

/// A lock file, locked by this process and removed when it is let go. The
/// kernel lets go of it should the process die.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock, or returns `None` if another run has it.
    pub(super) fn try_take(path: &Path) -> Result<Option<Self>, BaseError> {
        loop {
            let file = open(path).map_err(cache_error("open the lock file", path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => {
                    return Err(cache_error("lock", path)(source));
                }
            }
            // Whoever had it before may have removed the file after it was
            // opened here; then the lock is on a file that nobody else sees.
            if is_at(&file, path).map_err(cache_error("look at", path))? {
                return Ok(Some(Lock { path: path.to_owned(), _file: file }));
            }
        }
    }

    /// Takes the lock, waiting for another run that has it.
    pub(super) fn take(
        path: &Path,
        progress: &dyn BuildProgress,
        cancel: &Cancel,
    ) -> Result<Self, BaseError> {
        if let Some(lock) = Self::try_take(path)? {
            return Ok(lock);
        }
        let _running = Running::begin(progress, BuildStage::WaitForBase, 0);
        loop {
            cancel.check()?;
            thread::sleep(POLL);
            if let Some(lock) = Self::try_take(path)? {
                return Ok(lock);
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is still locked, so nobody else's file is. If it
        // cannot be removed, an empty file stays, which harms nobody.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens a file to be locked, making it if need be.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
