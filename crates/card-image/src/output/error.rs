//! What can go wrong while images are written.

use std::{io, path::PathBuf};

use block_io::Cancelled;

/// Images could not be written. Nothing is left under a final name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// A file or directory could not be made, written or renamed.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `write`.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The output directory cannot be made or written to.
    #[error(
        "cannot write images into {}: {source}; choose another directory with --out",
        path.display()
    )]
    Unusable {
        /// The output directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// An image would take the base's place.
    #[error(
        "the base image is {}, where an image would be written; choose another directory with \
         --out",
        path.display()
    )]
    IsBase {
        /// The file that is the base.
        path: PathBuf,
    },
    /// What is there must not be replaced.
    #[error("{} {what}; choose another directory with --out", path.display())]
    Occupied {
        /// What is there.
        path: PathBuf,
        /// What it is, as a clause that follows the path.
        what: &'static str,
    },
    /// The disk was full before all was written.
    #[error(
        "cannot write {}: the disk is full; free some space, or choose another directory with \
         --out",
        path.display()
    )]
    Full {
        /// The file that was being written.
        path: PathBuf,
    },
    /// There is too little room for all images.
    #[error(
        "{} has {} MiB free, and the images need {} MiB; \
         free some space, or choose another directory with --out",
        path.display(), available >> 20, (needed >> 20) + 1
    )]
    NoSpace {
        /// The output directory.
        path: PathBuf,
        /// Bytes that the images need.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// Another run writes to the same directory.
    #[error(
        "another nodecard is writing to {}; wait for it, or choose another directory with --out",
        path.display()
    )]
    Busy {
        /// The output directory.
        path: PathBuf,
    },
    /// The base or a layer could not be read.
    #[error(transparent)]
    Read(#[from] block_io::Error),
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A compressor failed.
    #[error("cannot compress: {reason}")]
    Compress {
        /// The compressor's reason.
        reason: String,
    },
}

impl OutputError {
    /// For `map_err`: an I/O error with what was tried on which file.
    pub(super) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OutputError::Full { path },
            _ => OutputError::Io { operation, path, source },
        }
    }
}
