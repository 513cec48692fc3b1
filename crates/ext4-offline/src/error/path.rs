//! Errors of a path in a filesystem.

use std::fmt;

use crate::{Error, FileKind};

/// The result of an operation on a path.
pub type PathResult<T> = std::result::Result<T, PathError>;

/// Something that is done at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathOperation {
    /// Reading a file's contents.
    Read,
    /// Reading a file's metadata.
    Inspect,
    /// Listing a directory.
    List,
    /// Reading a symlink.
    ReadLink,
    /// Reading extended attributes.
    ReadAttributes,
    /// Writing a file's contents.
    Write,
    /// Creating a file.
    Create,
    /// Creating a directory.
    CreateDirectory,
    /// Creating a symlink.
    CreateSymlink,
    /// Creating a hard link.
    Link,
    /// Renaming a file.
    Rename,
    /// Removing a file or a directory.
    Remove,
    /// Changing permissions.
    SetPermissions,
    /// Changing the owner.
    SetOwner,
    /// Changing times.
    SetTimes,
    /// Changing an extended attribute.
    SetAttribute,
}

impl fmt::Display for PathOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathOperation::Read => "read",
            PathOperation::Inspect => "read the metadata of",
            PathOperation::List => "list the directory",
            PathOperation::ReadLink => "read the symlink",
            PathOperation::ReadAttributes => "read the extended attributes of",
            PathOperation::Write => "write",
            PathOperation::Create => "create",
            PathOperation::CreateDirectory => "create the directory",
            PathOperation::CreateSymlink => "create the symlink",
            PathOperation::Link => "create the hard link",
            PathOperation::Rename => "rename",
            PathOperation::Remove => "remove",
            PathOperation::SetPermissions => "change the permissions of",
            PathOperation::SetOwner => "change the owner of",
            PathOperation::SetTimes => "change the times of",
            PathOperation::SetAttribute => "change an extended attribute of",
        })
    }
}

/// An operation on a path failed.
///
/// The text names the operation and the path, as in `cannot read /etc/hosts`; the reason is
/// the error's source.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path}")]
#[non_exhaustive]
pub struct PathError {
    /// The operation that failed.
    pub operation: PathOperation,
    /// The path as it was given; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// Why it failed.
    #[source]
    pub kind: PathErrorKind,
}

impl PathError {
    pub(crate) fn new(operation: PathOperation, path: &[u8], kind: PathErrorKind) -> Self {
        PathError { operation, path: String::from_utf8_lossy(path).into_owned(), kind }
    }

    /// Returns whether there is nothing at the path: neither a file nor, perhaps, the
    /// directories that lead to it.
    pub fn is_not_found(&self) -> bool {
        matches!(self.kind, PathErrorKind::NotFound | PathErrorKind::NotADirectory { .. })
    }

    /// Returns the error of the filesystem underneath, if that is the reason.
    pub fn filesystem_error(&self) -> Option<&Error> {
        match &self.kind {
            PathErrorKind::Filesystem(error) => Some(error),
            _ => None,
        }
    }

    /// Returns what a user can do about the error, as [`Error::fix`] does.
    pub fn fix(&self) -> Option<String> {
        self.filesystem_error().and_then(Error::fix)
    }
}

/// Why an operation on a path failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathErrorKind {
    /// There is no file at the path.
    #[error("there is no such file or directory")]
    NotFound,
    /// A part of the path leads through something that is not a directory.
    #[error("{path} is not a directory")]
    NotADirectory {
        /// The part of the path, without symlinks.
        path: String,
    },
    /// The file is of another kind than the operation is for.
    #[error("it is {}, not {}", .found.name(), .wanted)]
    WrongKind {
        /// The kind of the file.
        found: FileKind,
        /// The kind that the operation is for, with its article.
        wanted: &'static str,
    },
    /// There is already a file at the path.
    #[error("it already exists")]
    AlreadyExists,
    /// A directory is not empty.
    #[error("the directory is not empty")]
    NotEmpty,
    /// A directory would be moved below itself.
    #[error("a directory cannot be moved below itself")]
    BelowItself,
    /// The path is that of the root directory, or has no last name.
    #[error("it is the root directory")]
    RootDirectory,
    /// Symlinks lead to symlinks too many times.
    #[error("too many symlinks, which may form a loop")]
    SymlinkLoop,
    /// The file is larger than the limit for reading it into memory.
    #[error("the file has {size} bytes; the limit is {limit}")]
    TooLarge {
        /// The file's size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Directories are nested more deeply than paths can reach.
    #[error("directories are nested too deeply below it")]
    TooDeep,
    /// There is no room left.
    #[error("the filesystem is full: it has no free {what} left")]
    Full {
        /// `blocks` or `inodes`.
        what: &'static str,
    },
    /// The filesystem underneath reported an error.
    #[error(transparent)]
    Filesystem(Error),
}

impl From<Error> for PathErrorKind {
    fn from(error: Error) -> Self {
        match error {
            Error::Full { what } => PathErrorKind::Full { what },
            Error::NoEntry { .. } => PathErrorKind::NotFound,
            Error::Exists { .. } => PathErrorKind::AlreadyExists,
            Error::NotEmpty { .. } => PathErrorKind::NotEmpty,
            Error::Loop { .. } => PathErrorKind::BelowItself,
            error => PathErrorKind::Filesystem(error),
        }
    }
}
