//! Why a card cannot be corrected in place.

use crate::{AuditError, ErrorKind};

/// A card cannot be corrected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// It cannot be looked at, or its files not be edited.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Its root partition cannot grow.
    #[error("the root partition of {target} cannot grow: {source}")]
    Table {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<part_table::Error>,
    },
    /// Its root filesystem cannot be changed in place.
    #[error("the root filesystem of {target} cannot be changed in place: {source}")]
    Filesystem {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<ext4_offline::Error>,
    },
    /// It cannot be read or written.
    #[error("{target}: {source}")]
    Storage {
        /// The target as given.
        target: String,
        /// Why.
        source: block_io::Error,
    },
    /// What would be done is not what was agreed to.
    #[error("{target} has changed since the changes were shown; begin again")]
    Changed {
        /// The target as given.
        target: String,
    },
    /// The card failed while it was written.
    #[error(transparent)]
    Cut(Box<ApplyError>),
}

impl ApplyError {
    /// What has to change for another run to fare better.
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
            ApplyError::Storage { .. } => ErrorKind::Io,
            ApplyError::Changed { .. } => ErrorKind::Target,
            ApplyError::Cut(error) => error.kind(),
        }
    }

    /// Whether something may have been written already.
    pub fn may_have_written(&self) -> bool {
        matches!(self, ApplyError::Cut(_))
    }
}
