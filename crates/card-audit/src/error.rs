//! Errors that keep a target from being audited.

use card_image::{BaseError, ChooseError, ErrorKind, FsError};
use plain_text::escaped;

/// An error of a target, or of what it is compared with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// There is nothing at the path.
    #[error("{} does not exist", escaped(target))]
    NotFound {
        /// The target as given.
        target: String,
    },
    /// There is something at the path, such as a directory, that cannot contain a card.
    #[error("{} is neither a file nor a block device", escaped(target))]
    WrongKind {
        /// The target as given.
        target: String,
    },
    /// The operating system refuses to read the target, or it has read errors.
    #[error("cannot read {}", escaped(target))]
    Read {
        /// The target as given.
        target: String,
        /// The reason.
        source: block_io::Error,
    },
    /// The file is not a disk image, or a compressed one that cannot be decoded.
    #[error(transparent)]
    Image(Box<BaseError>),
    /// The partition table cannot be read.
    #[error("cannot read the partition table of {}", escaped(target))]
    Table {
        /// The target as given.
        target: String,
        /// The reason.
        source: Box<part_table::Error>,
    },
    /// The root partition cannot be detected.
    #[error("cannot find the root partition of {}", escaped(target))]
    Root {
        /// The target as given.
        target: String,
        /// The reason.
        source: Box<ChooseError>,
    },
    /// The root filesystem cannot be read.
    #[error("cannot read the root filesystem of {}", escaped(target))]
    Files {
        /// The target as given.
        target: String,
        /// The reason.
        source: Box<FsError>,
    },
    /// A file of the system cannot be read.
    #[error("cannot read the system on {}", escaped(target))]
    System {
        /// The target as given.
        target: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The card does not belong to the cluster. A caller that knows the node can name it in
    /// [`VerifyOptions::node`](crate::VerifyOptions::node).
    #[error("{} is not a card of the cluster {cluster}: {found}", escaped(target))]
    NotOurs {
        /// The target as given.
        target: String,
        /// The cluster's name.
        cluster: String,
        /// What identifies the card.
        found: String,
    },
    /// The cards to compare with cannot be built.
    #[error(transparent)]
    Cards(Box<card_image::Error>),
}

impl From<card_image::Error> for AuditError {
    fn from(error: card_image::Error) -> Self {
        AuditError::Cards(Box::new(error))
    }
}

impl AuditError {
    /// Returns what to do about it.
    pub fn fix(&self) -> Option<String> {
        match self {
            AuditError::NotFound { .. } => Some("check the path".to_owned()),
            AuditError::WrongKind { .. } => {
                Some("give the device of a card, such as /dev/sdb, or an image file".to_owned())
            }
            AuditError::Image(error) => error.fix(),
            AuditError::Table { source, .. } => source.fix(),
            AuditError::Root { source, .. } => source.fix(),
            AuditError::Files { source, .. } => source.fix(),
            AuditError::Cards(error) => error.fix(),
            AuditError::Read { .. } | AuditError::System { .. } | AuditError::NotOurs { .. } => {
                None
            }
        }
    }

    /// Returns what has to change before another run can succeed.
    pub fn kind(&self) -> ErrorKind {
        match self {
            AuditError::Read { .. } => ErrorKind::Io,
            AuditError::Image(error) => match **error {
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
                ChooseError::NoSuchPartition { .. } | ChooseError::NotExt { .. } => {
                    ErrorKind::Profile
                }
                _ => ErrorKind::Target,
            },
            AuditError::Files { source, .. } if source.storage_error().is_some() => ErrorKind::Io,
            AuditError::Files { .. } => ErrorKind::Target,
            AuditError::Cards(error) => error.kind(),
            AuditError::NotFound { .. }
            | AuditError::WrongKind { .. }
            | AuditError::System { .. }
            | AuditError::NotOurs { .. } => ErrorKind::Target,
        }
    }
}
