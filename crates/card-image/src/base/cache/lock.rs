//! Lock files, which let one run at a time through.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use platform::{FileInfo, open_lock};

use super::cache_error;
use crate::{
    Cancel,
    base::BaseError,
    progress::{BuildProgress, BuildStage, RunningStage},
};

/// How often the lock is tried while another run holds it.
const POLL: Duration = Duration::from_millis(100);

/// A lock file, locked by this process and removed when it is released. The kernel
/// releases it if the process dies.
#[derive(Debug)]
pub(in crate::base) struct LockFile {
    path: PathBuf,
    _file: File,
}

impl LockFile {
    /// Takes the lock, or returns `None` if another run has it.
    pub(in crate::base) fn try_take(path: &Path) -> Result<Option<Self>, BaseError> {
        loop {
            let file = open_lock(path).map_err(cache_error("open the lock file", path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => {
                    return Err(cache_error("lock", path)(source));
                }
            }
            // The previous holder may have removed the file after it was opened here;
            // then the lock is on a file that other runs do not see.
            if is_at(&file, path).map_err(cache_error("inspect", path))? {
                return Ok(Some(LockFile { path: path.to_owned(), _file: file }));
            }
        }
    }

    /// Takes the lock, and waits for another run that has it.
    pub(in crate::base) fn take(
        path: &Path,
        progress: &dyn BuildProgress,
        cancel: &Cancel,
    ) -> Result<Self, BaseError> {
        if let Some(lock) = Self::try_take(path)? {
            return Ok(lock);
        }
        let _running = RunningStage::begin(progress, BuildStage::WaitForBase, 0);
        loop {
            cancel.check()?;
            thread::sleep(POLL);
            if let Some(lock) = Self::try_take(path)? {
                return Ok(lock);
            }
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Removed while it is still locked, so that it cannot be the file of another run.
        // If it cannot be removed, an empty file stays, which does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = FileInfo::of(file)?;
    match FileInfo::at_link(path) {
        Ok(there) => Ok(there.id == ours.id),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
