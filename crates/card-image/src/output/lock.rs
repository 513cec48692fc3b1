//! The lock of an output directory.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use platform::FileInfo;

use super::OutputError;

/// The name of the file that is locked. It is there only while a run writes to the directory.
const NAME: &str = ".nodecard.lock";

/// A directory that no other run writes to. The file goes with the lock.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    path: PathBuf,
    file: File,
}

impl DirectoryLock {
    pub fn take(directory: &Path) -> Result<Self, OutputError> {
        let unusable = |source| OutputError::Unusable { path: directory.to_owned(), source };
        let path = directory.join(NAME);
        loop {
            let file = platform::open_lock(&path).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidInput => {
                    let text = "its .nodecard.lock is not a regular file";
                    unusable(io::Error::new(io::ErrorKind::InvalidInput, text))
                }
                _ if fs::symlink_metadata(&path).is_ok() => {
                    OutputError::Lock { path: path.clone(), source: error }
                }
                _ => unusable(error),
            })?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(OutputError::Busy { path: directory.to_owned() });
                }
                Err(TryLockError::Error(source)) => return Err(unusable(source)),
            }
            let lock = DirectoryLock { path: path.clone(), file };
            if lock.has_name() {
                return Ok(lock);
            }
            // The run that had the lock removed the file between the two calls. The lock of a
            // file without a name keeps nobody out.
        }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the locked file is the one that others would lock.
    fn has_name(&self) -> bool {
        let id = |info: io::Result<FileInfo>| info.ok().map(|info| info.id);
        let locked = id(FileInfo::of(&self.file));
        locked.is_some() && locked == id(FileInfo::at_link(&self.path))
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // As long as the lock is held, no other run takes this name for its own. A file that
        // cannot be removed is no harm: it can be locked again.
        if self.has_name() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_goes_with_the_lock() {
        let temp = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take(temp.path()).unwrap();
        assert!(temp.path().join(NAME).exists());
        assert!(matches!(DirectoryLock::take(temp.path()), Err(OutputError::Busy { .. })));
        drop(lock);
        assert!(!temp.path().join(NAME).exists());
        // One that a killed run left is used again.
        fs::write(temp.path().join(NAME), b"").unwrap();
        drop(DirectoryLock::take(temp.path()).unwrap());
        assert!(!temp.path().join(NAME).exists());
    }

    /// Of many that come and go, never two have the lock.
    #[test]
    fn a_removed_file_never_lets_two_in() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let temp = tempfile::tempdir().unwrap();
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let Ok(lock) = DirectoryLock::take(temp.path()) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        taken.fetch_add(1, Ordering::Relaxed);
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        drop(lock);
                    }
                });
            }
        });
        assert!(taken.into_inner() > 4);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
