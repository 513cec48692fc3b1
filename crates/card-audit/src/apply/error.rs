//! Why a card cannot be corrected in place.

use card_image::FsError;

use crate::{AuditError, ErrorKind};

/// A card cannot be corrected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// It cannot be read as a card, or its files cannot be edited.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Its root partition cannot grow.
    #[error("the root partition of {target} cannot grow")]
    Table {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<part_table::Error>,
    },
    /// Its root filesystem cannot be changed in place.
    #[error("the root filesystem of {target} cannot be changed in place")]
    Filesystem {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<ext4_offline::Error>,
    },
    /// Its boot partition cannot be changed in place.
    #[error("the boot partition of {target} cannot be changed in place")]
    Boot {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<FsError>,
    },
    /// It cannot be read or written.
    #[error("{target} cannot be read or written")]
    Storage {
        /// The target as given.
        target: String,
        /// Why.
        source: block_io::Error,
    },
    /// The changes would not be those that were confirmed.
    #[error("{target} has changed since the changes were shown")]
    Changed {
        /// The target as given.
        target: String,
    },
    /// The card failed while it was written.
    #[error(transparent)]
    Cut(Box<ApplyError>),
}

impl ApplyError {
    /// Returns what has to change before another run can succeed.
    pub fn kind(&self) -> ErrorKind {
        match self {
            ApplyError::Audit(error) => error.kind(),
            ApplyError::Table { source, .. } => match **source {
                part_table::Error::Storage(_) => ErrorKind::Io,
                _ => ErrorKind::Target,
            },
            ApplyError::Filesystem { source, .. } => match **source {
                ext4_offline::Error::Storage(_) => ErrorKind::Io,
                _ => ErrorKind::Target,
            },
            ApplyError::Boot { source, .. } => match source.storage_error() {
                Some(_) => ErrorKind::Io,
                None => ErrorKind::Target,
            },
            ApplyError::Storage { .. } => ErrorKind::Io,
            ApplyError::Changed { .. } => ErrorKind::Target,
            ApplyError::Cut(error) => error.kind(),
        }
    }

    /// Returns what to do about it, if something helps.
    pub fn fix(&self) -> Option<String> {
        match self {
            ApplyError::Changed { .. } => Some("run apply again and review the changes".to_owned()),
            ApplyError::Cut(error) => error.fix(),
            ApplyError::Audit(error) => error.fix(),
            ApplyError::Table { source, .. } => source.fix(),
            ApplyError::Filesystem { source, .. } => source.fix(),
            ApplyError::Boot { source, .. } => source.fix(),
            ApplyError::Storage { .. } => None,
        }
    }

    /// Returns whether something may have been written already.
    pub fn may_have_written(&self) -> bool {
        matches!(self, ApplyError::Cut(_))
    }
}
