//! Distinguishing a storage that fails from contents that are damaged.

use std::cell::RefCell;

use ext4_offline::{Error, PathError, PathErrorKind};

use fat_offline::FatError;

use crate::FsError;

/// Keeps the first error of the storage itself, while damage in its contents is ignored.
#[derive(Debug, Default)]
pub(crate) struct FirstStorageError(RefCell<Option<block_io::Error>>);

impl FirstStorageError {
    /// Returns the error, if there was one.
    pub fn into_error(self) -> Option<block_io::Error> {
        self.0.into_inner()
    }

    /// Returns the value of a result. An error of the storage is kept, any other is ignored.
    pub fn ok<T, E: StorageError>(&self, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| {
                // Damaged contents may lead beyond the end of the storage.
                let error = error.of_storage().filter(|error| !is_out_of_bounds(error));
                let mut failed = self.0.borrow_mut();
                *failed = failed.take().or(error);
            })
            .ok()
    }
}

fn is_out_of_bounds(error: &block_io::Error) -> bool {
    matches!(error, block_io::Error::OutOfBounds { .. })
}

/// An error that may be that of the underlying storage.
pub(crate) trait StorageError {
    /// Returns the storage's error, if it is one.
    fn of_storage(self) -> Option<block_io::Error>;
}

impl StorageError for FsError {
    /// Returns the storage's error, if it is one.
    fn of_storage(self) -> Option<block_io::Error> {
        match self {
            FsError::Filesystem(Error::Storage(error))
            | FsError::Path(PathError {
                kind: PathErrorKind::Filesystem(Error::Storage(error)),
                ..
            }) => Some(error),
            _ => None,
        }
    }
}

impl StorageError for FatError {
    /// Returns the storage's error, if it is one.
    fn of_storage(self) -> Option<block_io::Error> {
        match self {
            FatError::Storage(error) => Some(error),
            _ => None,
        }
    }
}
