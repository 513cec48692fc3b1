//! Errors of storages.

use std::{io, path::PathBuf};

/// The result of an operation on a storage.
pub type Result<T> = std::result::Result<T, Error>;

/// A storage could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, or its size could not be determined.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The operating system refused a read, a write or a flush.
    #[error("cannot {operation} {} at byte {offset}", path.display())]
    Io {
        /// `read`, `write` or `flush`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Where the operation began, in bytes.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// An operation reached beyond the end of the storage.
    #[error("{length} bytes at byte {offset} reach beyond the end of the storage ({size} bytes)")]
    OutOfBounds {
        /// Where the operation began, in bytes.
        offset: u64,
        /// The number of bytes.
        length: u64,
        /// The size of the storage in bytes.
        size: u64,
    },
    /// The storage cannot be written to.
    #[error("the storage is read-only")]
    ReadOnly,
}
