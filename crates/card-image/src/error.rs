//! What can keep a card from being made.

use crate::{BaseError, Cancelled, ChooseError, FsError, OutputError};

/// A card or image could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The base image cannot be opened.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The base's partition table cannot be read or grown.
    #[error("the base image's partition table: {0}")]
    Table(#[from] part_table::Error),
    /// The root filesystem cannot be told from the others.
    #[error(transparent)]
    Root(#[from] ChooseError),
    /// The root filesystem cannot be mapped or grown.
    #[error("the base image's root filesystem: {0}")]
    Ext4(#[from] ext4_offline::Error),
    /// A file of the root filesystem cannot be read or written.
    #[error("{}{}", whose(.0), .0)]
    Files(#[from] FsError),
    /// The node's files do not fit the system in the image.
    #[error(transparent)]
    Render(#[from] cluster_profile::RenderError),
    /// The cluster's keys lack one.
    #[error(transparent)]
    Keys(#[from] cluster_keys::KeyError),
    /// The card has less room than the base image takes.
    #[error(
        "the card ({card} bytes) is smaller than the base image ({base} bytes); \
         choose a larger card with `card:` in the profile or with --card"
    )]
    CardTooSmall {
        /// The size of the card in bytes.
        card: u64,
        /// The size of the decoded base in bytes.
        base: u64,
    },
    /// The base or a layer over it cannot be read.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// Images cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// What a message about a file begins with.
fn whose(error: &FsError) -> &'static str {
    match error {
        FsError::Source(_) => "",
        _ => "the base image's root filesystem: ",
    }
}

/// What has to change before another run can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The profile, or the options.
    Profile,
    /// The base image.
    Base,
    /// The target: a card, or the image of one.
    Target,
    /// The disk, or the operating system.
    Io,
    /// Nothing: the user interrupted.
    Interrupted,
}

impl Error {
    /// What has to change for another run to fare better.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Cancelled(_)
            | Error::Base(BaseError::Cancelled(_))
            | Error::Output(OutputError::Cancelled(_)) => ErrorKind::Interrupted,
            Error::CardTooSmall { .. }
            | Error::Table(part_table::Error::CardTooSmall { .. })
            | Error::Root(ChooseError::NoSuchPartition { .. })
            | Error::Render(_)
            | Error::Keys(_)
            | Error::Output(OutputError::IsBase { .. } | OutputError::Occupied { .. })
            | Error::Files(FsError::Source(_)) => ErrorKind::Profile,
            Error::Files(error) if error.is_full() => ErrorKind::Profile,
            Error::Base(
                BaseError::NoSpace { .. } | BaseError::Cache { .. } | BaseError::NoCacheDir,
            ) => ErrorKind::Io,
            Error::Base(_)
            | Error::Table(_)
            | Error::Root(_)
            | Error::Ext4(_)
            | Error::Files(_) => ErrorKind::Base,
            Error::Storage(_) | Error::Output(_) => ErrorKind::Io,
        }
    }
}
