//! The output directory, and files in it that are not whole yet.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::OutputError;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// The owner alone: the file holds private keys.
    Private,
    /// Whoever the user's umask lets.
    Public,
}

/// An output directory that no other run writes to at the same time.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Held for as long as this lives.
    _lock: File,
}

const SUFFIX: &str = ".partial";

impl Directory {
    /// Makes the directory if need be, locks it, and removes what an
    /// interrupted run left in it.
    pub fn open(path: &Path) -> Result<Self, OutputError> {
        fs::create_dir_all(path).map_err(OutputError::io("make the directory", path))?;
        let lock_path = path.join(".nodecard.lock");
        let lock = File::create(&lock_path).map_err(OutputError::io("make", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OutputError::Busy { path: path.to_owned() });
            }
            Err(TryLockError::Error(source)) => {
                return Err(OutputError::io("lock", lock_path)(source));
            }
        }
        let directory = Directory { path: path.to_owned(), _lock: lock };
        directory.remove_leftovers()?;
        Ok(directory)
    }

    fn remove_leftovers(&self) -> Result<(), OutputError> {
        let list = fs::read_dir(&self.path).map_err(OutputError::io("read", &self.path))?;
        for entry in list {
            let entry = entry.map_err(OutputError::io("read", &self.path))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') && name.ends_with(SUFFIX) {
                fs::remove_file(entry.path()).map_err(OutputError::io("remove", entry.path()))?;
            }
        }
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a file that will be called `name` once it is whole.
    pub fn begin(&self, name: &str, privacy: Privacy) -> Result<Partial, OutputError> {
        let path = self.path.join(format!(".{name}{SUFFIX}"));
        let mode = match privacy {
            Privacy::Private => 0o600,
            Privacy::Public => 0o666,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .map_err(OutputError::io("make", &path))?;
        Ok(Partial { file, path, target: self.path.join(name), name: name.to_owned() })
    }

    /// Begins a small file and gives it its contents at once.
    pub fn begin_with(&self, name: &str, contents: &[u8]) -> Result<Partial, OutputError> {
        let mut partial = self.begin(name, Privacy::Public)?;
        let write = partial.file.write_all(contents).and_then(|()| partial.file.sync_all());
        write.map_err(OutputError::io("write", &partial.path))?;
        Ok(partial)
    }

    /// Gives the files their final names, in this order, and waits until the
    /// names are on the disk.
    ///
    /// What an older run left under those names is replaced, and its record of
    /// sums is removed first, so that at no moment do old sums stand beside new
    /// images.
    pub fn publish(&self, files: Vec<Partial>) -> Result<(), OutputError> {
        if let Some(record) = files.last()
            && let Err(error) = fs::remove_file(&record.target)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(OutputError::io("remove", &record.target)(error));
        }
        for file in files {
            fs::rename(&file.path, &file.target)
                .map_err(OutputError::io("rename to its final name", &file.path))?;
        }
        File::open(&self.path)
            .and_then(|dir| dir.sync_all())
            .map_err(OutputError::io("write", &self.path))
    }
}

/// A file under a temporary name, removed unless it is published.
#[derive(Debug)]
pub(crate) struct Partial {
    pub file: File,
    path: PathBuf,
    target: PathBuf,
    name: String,
}

impl Partial {
    /// The name that the file will have.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The temporary path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already once published; and there is nobody left to tell.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != ".nodecard.lock")
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_published_files_stay() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        let kept = directory.begin_with("kept", b"1").unwrap();
        let dropped = directory.begin_with("dropped", b"2").unwrap();
        assert_eq!(names(temp.path()), [".dropped.partial", ".kept.partial"]);
        drop(dropped);
        directory.publish(vec![kept]).unwrap();
        assert_eq!(names(temp.path()), ["kept"]);
    }

    #[test]
    fn a_killed_runs_leftovers_go_and_a_living_runs_stay() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join(".node.img.partial"), b"half").unwrap();
        let first = Directory::open(temp.path()).unwrap();
        assert!(names(temp.path()).is_empty());
        assert!(matches!(Directory::open(temp.path()), Err(OutputError::Busy { .. })));
        drop(first);
        Directory::open(temp.path()).unwrap();
    }

    #[test]
    fn private_files_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        let image = directory.begin("image", Privacy::Private).unwrap();
        assert_eq!(image.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
