//! The directory that holds the keys, and its files.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::Path,
};

use block_io::Cancel;
use platform::{Access, Privacy, access, open_lock, open_regular};

use crate::error::KeyError;

/// No key is larger.
pub(crate) const LARGEST_FILE: u64 = 64 * 1024;

/// The name of the file that is locked.
const LOCK: &str = ".lock";

/// Where new keys are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// In the directory.
    OnDisk,
    /// In memory only; nothing is written.
    InMemory,
}

impl Keep {
    /// Creates a directory if there is none, unless nothing is to be written.
    pub fn directory(self, path: &Path) -> Result<(), KeyError> {
        match self {
            Keep::OnDisk => create_directory(path),
            Keep::InMemory => Ok(()),
        }
    }

    /// Creates a file as [`create`] does, unless nothing is to be written.
    pub fn file(self, path: &Path, contents: &[u8], privacy: Privacy) -> Result<(), KeyError> {
        match self {
            Keep::OnDisk => create(path, contents, privacy),
            Keep::InMemory => Ok(()),
        }
    }
}

pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    move |source| KeyError::Io { operation, path: path.to_owned(), source }
}

fn open_error(path: &Path, operation: &'static str) -> impl FnOnce(std::io::Error) -> KeyError {
    move |error| match error.kind() {
        ErrorKind::InvalidInput => {
            KeyError::WrongKind { path: path.to_owned(), wanted: "regular file" }
        }
        _ => io(operation, path)(error),
    }
}

/// Creates a directory if there is none, private to the user from the beginning.
fn create_directory(path: &Path) -> Result<(), KeyError> {
    match access::create_directory(path, Privacy::Private) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io("create", path)(error)),
    }
}

/// Checks that a path is a directory that only its owner can access.
pub(crate) fn check_directory(path: &Path) -> Result<(), KeyError> {
    let metadata = fs::metadata(path).map_err(io("read", path))?;
    if !metadata.is_dir() {
        return Err(KeyError::WrongKind { path: path.to_owned(), wanted: "directory" });
    }
    let access = Access::at(path).map_err(io("read", path))?;
    check_owner(path, &access)?;
    check_private(path, &access, 0o700)
}

/// Whoever owns a file can read it and replace it.
pub(crate) fn check_owner(path: &Path, access: &Access) -> Result<(), KeyError> {
    if access.is_owner_trusted() {
        return Ok(());
    }
    Err(KeyError::Foreign { path: path.to_owned(), owner: access.owner.clone() })
}

/// Checks that only its owner can get at a file or directory. On Unix, `wanted` are the permission
/// bits that it should have.
pub(crate) fn check_private(path: &Path, access: &Access, wanted: u32) -> Result<(), KeyError> {
    if !access.is_exposed() {
        return Ok(());
    }
    let path = path.to_owned();
    Err(KeyError::Exposed { path, permissions: access.permissions, wanted })
}

/// Waits until no other run uses the directory. Others wait until the returned file is
/// dropped.
pub(crate) fn lock(directory: &Path, cancel: &Cancel) -> Result<File, KeyError> {
    let path = directory.join(LOCK);
    let file = open_lock(&path).map_err(open_error(&path, "open"))?;
    if let Err(error) = cancel.lock(&file) {
        cancel.check()?;
        return Err(io("lock", &path)(error));
    }
    Ok(file)
}

/// Removes a directory that holds nothing but the lock, which the caller has. Keys are never
/// removed: another run may have read them.
pub(crate) fn remove_if_unused(directory: &Path) {
    let is_lock =
        |entry: std::io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() == LOCK);
    if fs::read_dir(directory).is_ok_and(|mut entries| entries.all(is_lock)) {
        // If one of them stays, the next run uses it.
        let _ = fs::remove_file(directory.join(LOCK));
        let _ = fs::remove_dir(directory);
    }
}

/// Reads a text file. Returns `None` if there is none.
pub(crate) fn read(path: &Path, privacy: Privacy) -> Result<Option<String>, KeyError> {
    let file = match open_regular(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(open_error(path, "open")(error)),
    };
    let access = Access::of(&file).map_err(io("read", path))?;
    check_owner(path, &access)?;
    if privacy == Privacy::Private {
        check_private(path, &access, 0o600)?;
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(io("read", path))?;
    to_text(path, bytes).map(Some)
}

/// Returns the contents of a file at `path` as text, if they can be those of a key.
pub(crate) fn to_text(path: &Path, bytes: Vec<u8>) -> Result<String, KeyError> {
    let damaged = |reason| KeyError::Damaged {
        path: path.to_owned(),
        reason,
        fix: "restore it from a backup",
        source: None,
    };
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(damaged("larger than any key"));
    }
    String::from_utf8(bytes).map_err(|_| damaged("not text"))
}

/// Returns whether there is anything at a path, including a dangling symlink.
pub(crate) fn exists(path: &Path) -> Result<bool, KeyError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io("read", path)(error)),
    }
}

/// Creates a file that is either complete or absent. The caller holds the lock and has
/// checked that there is none.
fn create(path: &Path, contents: &[u8], privacy: Privacy) -> Result<(), KeyError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    // A run that was killed may have left one behind.
    if let Err(error) = fs::remove_file(&partial)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(io("remove", &partial)(error));
    }
    let mut file = access::create_new(&partial, privacy).map_err(io("create", &partial))?;
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    drop(file);
    if let Err(error) = written {
        let _ = fs::remove_file(&partial);
        return Err(io("write", &partial)(error));
    }
    // Unlike renaming, linking never replaces a file.
    let linked = fs::hard_link(&partial, path);
    let removed = fs::remove_file(&partial);
    linked.map_err(io("create", path))?;
    removed.map_err(io("remove", &partial))?;
    sync_parent(path)
}

/// Writes the directory that contains `path` to the disk.
fn sync_parent(path: &Path) -> Result<(), KeyError> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    platform::sync_directory(parent).map_err(io("sync", parent))
}
