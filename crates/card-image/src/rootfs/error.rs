//! Errors of a root filesystem.

use ext4_offline::{Error, PathError, PathErrorKind};
use fat_offline::FatError;
use plain_text::escaped;

use super::SourceError;

/// The result of an operation on a root filesystem.
pub type FsResult<T> = Result<T, FsError>;

/// A root filesystem or one of its files could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsError {
    /// The filesystem as a whole cannot be read or edited.
    #[error(transparent)]
    Filesystem(#[from] Error),
    /// A file could not be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A symlink is where a directory with its own owner and permissions must be.
    #[error("{path} is a symlink, but must be a directory")]
    NotOwnDirectory {
        /// The path.
        path: String,
    },
    /// A file of a boot partition could not be read or written.
    #[error("cannot access {path} on its boot partition")]
    Boot {
        /// The path.
        path: String,
        /// Why.
        source: FatError,
    },
    /// A boot partition cannot hold this.
    #[error("{path} cannot be {what}: its boot partition is FAT")]
    NotOnFat {
        /// The path.
        path: String,
        /// What it cannot be.
        what: &'static str,
    },
    /// A file of this machine could not be copied.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl FsError {
    /// Returns why an operation on a path failed, if that is the error.
    pub fn path_kind(&self) -> Option<&PathErrorKind> {
        match self {
            FsError::Path(error) => Some(&error.kind),
            _ => None,
        }
    }

    /// Returns why the operation failed, without the operation and the path.
    pub fn reason(&self) -> String {
        match self {
            FsError::Path(error) => error.kind.to_string(),
            error => error.to_string(),
        }
    }

    /// Takes out the error of the storage underneath, if that is the reason.
    ///
    /// # Errors
    /// The error itself, if there is another reason.
    pub(crate) fn into_storage_error(self) -> Result<block_io::Error, FsError> {
        match self {
            FsError::Filesystem(Error::Storage(error)) => Ok(error),
            FsError::Path(PathError {
                kind: PathErrorKind::Filesystem(Error::Storage(error)),
                ..
            }) => Ok(error),
            other => Err(other),
        }
    }

    /// Returns the error of the storage underneath, if that is the reason.
    pub fn storage_error(&self) -> Option<&block_io::Error> {
        match self {
            FsError::Filesystem(Error::Storage(error)) => Some(error),
            FsError::Path(error) => match error.filesystem_error() {
                Some(Error::Storage(error)) => Some(error),
                _ => None,
            },
            FsError::Boot { source: FatError::Storage(error), .. } => Some(error),
            _ => None,
        }
    }

    /// Returns whether the filesystem has no room left.
    pub fn is_full(&self) -> bool {
        matches!(self.path_kind(), Some(PathErrorKind::Full { .. }))
            || matches!(
                self,
                FsError::Boot {
                    source: FatError::NoSpace { .. } | FatError::DirectoryFull { .. },
                    ..
                }
            )
    }

    /// Returns whether the path leads to a file of another kind than expected, or through one.
    pub fn is_wrong_kind(&self) -> bool {
        match self {
            FsError::NotOwnDirectory { .. } | FsError::NotOnFat { .. } => true,
            FsError::Path(error) => matches!(
                error.kind,
                PathErrorKind::WrongKind { .. } | PathErrorKind::NotADirectory { .. }
            ),
            _ => false,
        }
    }

    /// Returns whether the reason is that a boot partition is damaged.
    pub fn is_boot_damage(&self) -> bool {
        match self {
            FsError::Boot { source, .. } => {
                !matches!(source, FatError::Storage(_) | FatError::TooLarge { .. })
            }
            _ => false,
        }
    }

    /// Returns whether symlinks lead to symlinks too many times.
    pub fn is_symlink_loop(&self) -> bool {
        matches!(self.path_kind(), Some(PathErrorKind::SymlinkLoop))
    }

    /// Returns whether the path does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.path_kind(), Some(PathErrorKind::NotFound))
    }

    /// Returns whether a file is larger than what may be read into memory.
    pub fn is_too_large(&self) -> bool {
        matches!(self.path_kind(), Some(PathErrorKind::TooLarge { .. }))
    }

    /// Returns what a user can do about the error.
    pub fn fix(&self) -> Option<String> {
        match self {
            FsError::Filesystem(error) => error.fix(),
            FsError::Path(_) if self.is_full() => {
                Some("choose a larger card, or remove files from the base image".to_owned())
            }
            FsError::Path(_) if self.is_symlink_loop() => {
                Some("remove the symlinks that form a loop".to_owned())
            }
            FsError::Path(PathError { kind: PathErrorKind::NotADirectory { path }, .. }) => {
                Some(format!("replace {} with a directory in the base image", escaped(path)))
            }
            FsError::Path(error) => error.fix(),
            FsError::Boot { source, .. } => source.fix(),
            FsError::NotOwnDirectory { path } => {
                Some(format!("replace {} with a directory in the base image", escaped(path)))
            }
            FsError::NotOnFat { .. } => None,
            FsError::Source(error) => error.fix(),
        }
    }
}
