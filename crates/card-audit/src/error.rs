//! Why a target cannot be audited.

use card_image::{BaseError, ChooseError, ErrorKind, FsError};

/// A target, or what it is compared with, cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// There is nothing at the path, or no card could be there.
    #[error("{target} {reason}")]
    NoTarget {
        /// The target as given.
        target: String,
        /// What it is instead.
        reason: &'static str,
    },
    /// The operating system does not let us read it.
    #[error("cannot read {target}: {source}")]
    Read {
        /// The target as given.
        target: String,
        /// Why.
        source: block_io::Error,
    },
    /// It is no disk image, or a compressed one that cannot be decoded.
    #[error("{source} (it was given as the card to look at)")]
    Image {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<BaseError>,
    },
    /// Its partition table cannot be read.
    #[error("{target} is no card: its partition table cannot be read: {source}")]
    Table {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<part_table::Error>,
    },
    /// No root filesystem can be told from the others.
    #[error("{target}: {source}")]
    Root {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<ChooseError>,
    },
    /// Its root filesystem cannot be read.
    #[error("the root filesystem of {target} cannot be read: {source}")]
    Files {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<FsError>,
    },
    /// A file of its system cannot be read.
    #[error("the system on {target} cannot be read: {source}")]
    System {
        /// The target as given.
        target: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is no node of the cluster.
    #[error(
        "{target} is no card of the cluster {cluster}: {found}; --node NAME says which node it \
         is meant to be"
    )]
    NotOurs {
        /// The target as given.
        target: String,
        /// The cluster's name.
        cluster: String,
        /// What was found there.
        found: String,
    },
    /// The cards cannot be planned.
    #[error(transparent)]
    Cards(Box<card_image::Error>),
}

impl From<card_image::Error> for AuditError {
    fn from(error: card_image::Error) -> Self {
        AuditError::Cards(Box::new(error))
    }
}

impl AuditError {
    /// What has to change for another run to fare better.
    pub fn kind(&self) -> ErrorKind {
        match self {
            AuditError::Read { .. } => ErrorKind::Io,
            AuditError::Image { source, .. } => match **source {
                BaseError::Cancelled(_) => ErrorKind::Interrupted,
                BaseError::Read { .. }
                | BaseError::NoSpace { .. }
                | BaseError::Cache { .. }
                | BaseError::NoCacheDir
                | BaseError::Storage(_) => ErrorKind::Io,
                _ => ErrorKind::Target,
            },
            AuditError::Table { source, .. } => match **source {
                part_table::Error::Storage(_) => ErrorKind::Io,
                _ => ErrorKind::Target,
            },
            AuditError::Root { source, .. } => match **source {
                ChooseError::NoSuchPartition { .. } => ErrorKind::Profile,
                _ => ErrorKind::Target,
            },
            AuditError::Files { source, .. } if source.storage_error().is_some() => ErrorKind::Io,
            AuditError::Files { .. } => ErrorKind::Target,
            AuditError::Cards(error) => error.kind(),
            AuditError::NoTarget { .. }
            | AuditError::System { .. }
            | AuditError::NotOurs { .. } => ErrorKind::Target,
        }
    }
}
