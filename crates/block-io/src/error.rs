//! What can go wrong with a storage.

use std::{io, path::PathBuf};

/// The result of an operation on a storage.
pub type Result<T> = std::result::Result<T, Error>;

/// A storage could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, or its size not be found.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The operating system refused a read, a write or a flush.
    #[error("cannot {operation} {} at byte {offset}: {source}", path.display())]
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
        /// How many bytes it wanted.
        length: u64,
        /// The size of the storage in bytes.
        size: u64,
    },
    /// A write went to a storage that cannot be written.
    #[error("the storage is read-only")]
    ReadOnly,
}
