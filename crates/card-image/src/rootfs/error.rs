//! What can go wrong with a filesystem's files.

use fs_ext4::error::Error as LibraryError;

/// The result of an operation on a filesystem.
pub type FsResult<T> = Result<T, FsError>;

/// A filesystem or one of its files could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsError {
    /// The filesystem as a whole cannot be worked on.
    #[error(transparent)]
    Filesystem(#[from] ext4_offline::Error),
    /// It has a feature that stands in the way.
    #[error("cannot {operation} a filesystem with the feature {feature}: {help}")]
    Feature {
        /// `read` or `edit`.
        operation: &'static str,
        /// The feature's name as tune2fs prints it.
        feature: String,
        /// What to do, or why.
        help: &'static str,
    },
    /// It can be read but not be written correctly.
    #[error(
        "this filesystem has {what}, which nodecard cannot write correctly; \
         make the base image with 4 KiB blocks"
    )]
    Unwritable {
        /// The combination of features.
        what: &'static str,
    },
    /// The filesystem is damaged so badly that reading it failed half-way.
    #[error("cannot {operation} {path}: the filesystem is damaged; run e2fsck on the base image")]
    Damaged {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
    },
    /// The storage under the filesystem failed.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// There is no room left.
    #[error(
        "cannot {operation} {path}: the filesystem is full; \
         choose a larger card, or remove files from the base image"
    )]
    NoSpace {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
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
    /// A directory tree is deeper or larger than any real one.
    #[error("cannot {operation} {path}: there is no end to the directories below it")]
    Endless {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
    },
    /// The library refused, for a reason that has no name here.
    #[error("cannot {operation} {path}: {source}")]
    Library {
        /// What was tried.
        operation: &'static str,
        /// The path inside the filesystem.
        path: String,
        /// The library's reason.
        source: LibraryError,
    },
}

impl FsError {
    pub(super) fn library(operation: &'static str, path: &str, source: LibraryError) -> Self {
        let path = path.to_owned();
        match source {
            LibraryError::NoSpaceLeftOnDevice => FsError::NoSpace { operation, path },
            // The allocator's words for a full filesystem.
            LibraryError::Corrupt(reason) if reason.starts_with("no group has a") => {
                FsError::NoSpace { operation, path }
            }
            LibraryError::Io(source) => FsError::Io { operation, path, source },
            LibraryError::NotFound => FsError::NotFound { path },
            source => FsError::Library { operation, path, source },
        }
    }
}
