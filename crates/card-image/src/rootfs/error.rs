//! What can go wrong with a filesystem's files.

use ext4_offline::Error;

use super::SourceError;

/// The result of an operation on a filesystem.
pub type FsResult<T> = Result<T, FsError>;

/// A filesystem or one of its files could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsError {
    /// The filesystem as a whole cannot be worked on.
    #[error(transparent)]
    Filesystem(#[from] Error),
    /// A file of this machine that is to be copied could not be.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file could not be read or written.
    #[error("cannot {operation} {path}: {source}")]
    File {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
        /// Why not.
        source: Error,
    },
    /// There is no room left.
    #[error(
        "cannot {operation} {path}: the filesystem is full, no free {what} are left; \
         choose a larger card, or remove files from the base image"
    )]
    NoSpace {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
        /// `blocks` or `inodes`.
        what: &'static str,
    },
    /// A file that must exist does not.
    #[error("{path} does not exist in the image")]
    NotFound {
        /// The path inside the filesystem.
        path: String,
    },
    /// Something other than what the operation is for is at the path.
    #[error("cannot {operation} {path}: it is {found} in the image")]
    WrongKind {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
        /// What is there, with its article: `a directory`.
        found: &'static str,
    },
    /// Symlinks lead to symlinks without end.
    #[error("cannot resolve {path} in the image: too many symlinks, they may form a loop")]
    SymlinkLoop {
        /// The path inside the filesystem.
        path: String,
    },
    /// A file is larger than what may be read into memory.
    #[error("{path} in the image is {size} bytes long; at most {limit} were expected")]
    TooLarge {
        /// The path inside the filesystem.
        path: String,
        /// The file's size in bytes.
        size: u64,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// A directory tree is deeper than any real one.
    #[error("cannot {operation} {path}: there is no end to the directories below it")]
    Endless {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
    },
}

/// Names what an operation on inodes was for.
pub(super) fn at<'a>(
    operation: &'static str,
    path: &'a str,
) -> impl Fn(Error) -> FsError + use<'a> {
    move |source| {
        let path = path.to_owned();
        match source {
            Error::Full { what } => FsError::NoSpace { operation, path, what },
            source => FsError::File { operation, path, source },
        }
    }
}
