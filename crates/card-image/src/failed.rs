//! Telling a storage that fails from contents that are damaged.

use std::cell::RefCell;

use ext4_offline::{Error, PathError, PathErrorKind};

use crate::{FsError, fat::FatError};

/// The first error of the storage itself.
#[derive(Debug, Default)]
pub(crate) struct Failed(RefCell<Option<block_io::Error>>);

impl Failed {
    /// The error, if there was one.
    pub fn into_error(self) -> Option<block_io::Error> {
        self.0.into_inner()
    }

    /// What was answered, if anything; what stood in the way is remembered if it was the
    /// storage.
    pub fn unless<T, E: StorageError>(&self, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| {
                // Damage leads beyond the end.
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

/// An error that may be that of the storage underneath.
pub(crate) trait StorageError {
    fn of_storage(self) -> Option<block_io::Error>;
}

impl StorageError for FsError {
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
    fn of_storage(self) -> Option<block_io::Error> {
        match self {
            FatError::Storage(error) => Some(error),
            _ => None,
        }
    }
}
