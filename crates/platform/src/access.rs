//! Private files, and who else can get at a file.
//!
//! On Unix this follows from a file's owner and permission bits. On Windows it follows from its
//! owner and its access list; administrators and the system itself are trusted, as root is.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::system;

/// Who may read what is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Only the user who creates it.
    Private,
    /// Everybody, as far as the user's umask or the directory allows, and only for reading.
    Public,
}

/// The owner of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Owner {
    /// The number of a user.
    User(u32),
    /// The security identifier of a user or group on Windows.
    Sid(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::User(number) => write!(f, "number {number}"),
            Owner::Sid(sid) => f.write_str(sid),
        }
    }
}

/// What lets others get at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Permissions {
    /// The permission bits, with those for set-user-ID and the like.
    Mode(u32),
    /// The access list of Windows.
    List,
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Permissions::Mode(mode) => write!(f, "mode {mode:04o}"),
            Permissions::List => f.write_str("by its access list"),
        }
    }
}

/// Who can get at a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Its owner.
    pub owner: Owner,
    /// What the rest follows from.
    pub permissions: Permissions,
    pub(crate) is_owner_trusted: bool,
    pub(crate) others_read: bool,
    pub(crate) others_write: bool,
}

impl Access {
    /// Looks at an open file.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn of(file: &File) -> io::Result<Self> {
        system::access_of(file)
    }

    /// Looks at what a path leads to.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn at(path: &Path) -> io::Result<Self> {
        system::access_at(path)
    }

    /// Looks at what is at a path. A symlink is not followed.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn at_link(path: &Path) -> io::Result<Self> {
        system::access_at_link(path)
    }

    /// Returns whether what belongs to its owner cannot be changed behind the caller's back: it
    /// is the caller, or root, or the user who has become root by sudo or pkexec.
    pub fn is_owner_trusted(&self) -> bool {
        self.is_owner_trusted
    }

    /// Returns whether others than the owner can read or write it.
    pub fn is_exposed(&self) -> bool {
        self.others_read || self.others_write
    }

    /// Returns whether others than the owner can write it.
    pub fn others_write(&self) -> bool {
        self.others_write
    }

    /// Returns whether only trusted users could have written it.
    pub fn is_trusted(&self) -> bool {
        self.is_owner_trusted && !self.others_write
    }
}

/// Creates a file, which must not exist, for reading and writing.
///
/// # Errors
/// Those of the operating system.
pub fn create_new(path: &Path, privacy: Privacy) -> io::Result<File> {
    system::create_new(path, privacy)
}

/// Creates a directory, which must not exist.
///
/// # Errors
/// Those of the operating system.
pub fn create_directory(path: &Path, privacy: Privacy) -> io::Result<()> {
    system::create_directory(path, privacy)
}

/// Creates a directory and those above it, as far as they are missing.
///
/// # Errors
/// Those of the operating system.
pub fn create_directories(path: &Path, privacy: Privacy) -> io::Result<()> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for above in path.ancestors().filter(|above| !above.as_os_str().is_empty()) {
        if above.is_dir() {
            break;
        }
        missing.push(above.to_owned());
    }
    for directory in missing.iter().rev() {
        match create_directory(directory, privacy) {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
            other => other?,
        }
    }
    Ok(())
}

/// Takes an open file away from everybody but its owner.
///
/// # Errors
/// Those of the operating system, such as that the file belongs to another user. On Windows, access
/// lists are not changed.
pub fn make_private(file: &File) -> io::Result<()> {
    system::make_private(file)
}

/// Returns the command that takes a file, or a directory, away from everybody but its owner.
/// `word` is its path, quoted for a shell.
pub fn command_to_restrict(word: &str, is_directory: bool) -> String {
    system::command_to_restrict(word, is_directory)
}

/// Returns the command that makes a directory and what is in it the user's, for an administrator.
/// `word` is its path, quoted for a shell.
pub fn command_to_own(word: &str) -> String {
    system::command_to_own(word)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn private_files_and_directories_are_the_owners_alone() {
        let temp = tempfile::tempdir().unwrap();
        let directory = temp.path().join("a/b");
        create_directories(&directory, Privacy::Private).unwrap();
        create_directories(&directory, Privacy::Private).unwrap();
        let path = directory.join("file");
        let file = create_new(&path, Privacy::Private).unwrap();
        for access in [
            Access::of(&file).unwrap(),
            Access::at(&path).unwrap(),
            Access::at(&directory).unwrap(),
            Access::at_link(&temp.path().join("a")).unwrap(),
        ] {
            assert!(!access.is_exposed() && access.is_trusted(), "{access:?}");
        }
        let again = create_new(&path, Privacy::Private).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let again = create_directory(&directory, Privacy::Private).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        fs::write(directory.join("inside"), b"x").unwrap();
        // An open file can keep its directory on Windows.
        drop(file);
        fs::remove_dir_all(temp.path().join("a")).unwrap();
    }
}
