//! The directory that holds the keys, and its files.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use crate::error::KeyError;

/// No file of ours is larger; a larger one is something else.
const LARGEST_FILE: u64 = 64 * 1024;

/// Whether others may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    Private,
    Public,
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    move |source| KeyError::Io { operation, path: path.to_owned(), source }
}

/// Makes a directory, 0700 from its first moment, where there is none.
pub(crate) fn make_directory(path: &Path) -> Result<(), KeyError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io("make", path)(error)),
    }
}

/// Refuses a directory that others can look into.
pub(crate) fn check_directory(path: &Path) -> Result<(), KeyError> {
    let metadata = fs::metadata(path).map_err(io("read", path))?;
    if !metadata.is_dir() {
        return Err(KeyError::WrongKind { path: path.to_owned(), wanted: "directory" });
    }
    check_mode(path, metadata.permissions().mode(), 0o700)
}

fn check_mode(path: &Path, mode: u32, wanted: u32) -> Result<(), KeyError> {
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(KeyError::Open { path: path.to_owned(), mode: mode & 0o7777, wanted })
}

/// Waits until no other run has the directory, then keeps others out while
/// the returned file lives.
pub(crate) fn lock(directory: &Path) -> Result<File, KeyError> {
    let path = directory.join(".lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io("open", &path))?;
    file.lock().map_err(io("lock", &path))?;
    Ok(file)
}

/// A file's text; `None` where there is none.
pub(crate) fn read(path: &Path, privacy: Privacy) -> Result<Option<String>, KeyError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("open", path)(error)),
    };
    let metadata = file.metadata().map_err(io("read", path))?;
    if !metadata.is_file() {
        return Err(KeyError::WrongKind { path: path.to_owned(), wanted: "regular file" });
    }
    if privacy == Privacy::Private {
        check_mode(path, metadata.permissions().mode(), 0o600)?;
    }
    let damaged = |reason: &str| KeyError::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
        help: "restore it from a backup",
    };
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(io("read", path))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(damaged("it is larger than any key"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| damaged("it is not text"))
}

/// Whether there is anything at this path.
pub(crate) fn exists(path: &Path) -> Result<bool, KeyError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io("read", path)(error)),
    }
}

/// Makes a file that is either whole or not there. The caller holds the lock
/// and has seen that there is none.
pub(crate) fn create(path: &Path, contents: &[u8], mode: u32) -> Result<(), KeyError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    // A run that was killed may have left one behind.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(io("remove", &partial)(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&partial)
        .map_err(io("make", &partial))?;
    file.write_all(contents).map_err(io("write", &partial))?;
    file.sync_all().map_err(io("write", &partial))?;
    drop(file);
    // Unlike a rename, a link never takes the place of what is already there.
    let linked = fs::hard_link(&partial, path);
    let removed = fs::remove_file(&partial);
    linked.map_err(io("make", path))?;
    removed.map_err(io("remove", &partial))?;
    sync_parent(path)
}

/// Makes a new name in a directory durable.
fn sync_parent(path: &Path) -> Result<(), KeyError> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    File::open(parent).and_then(|file| file.sync_all()).map_err(io("sync", parent))
}
