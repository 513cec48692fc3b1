//! Errors of saving a card.

use std::path::PathBuf;

use plain_text::{count, decimal_size};

use super::LostBytes;
use crate::{Cancelled, ChooseError, ErrorKind, FsError, OutputError};

/// A card could not be saved. No file has a final name then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The partition table cannot be read or changed.
    #[error("cannot use the partition table of {}", card.display())]
    Table {
        /// The card.
        card: PathBuf,
        /// Why.
        source: Box<part_table::Error>,
    },
    /// The root partition cannot be found.
    #[error("cannot find the root partition of {}", card.display())]
    Root {
        /// The card.
        card: PathBuf,
        /// Why.
        source: Box<ChooseError>,
    },
    /// The root filesystem is damaged, or has a feature that is not supported, so it cannot be
    /// shrunk or changed. It can be saved as it is.
    #[error("cannot change the root filesystem on {} (partition {partition})", card.display())]
    Filesystem {
        /// The card.
        card: PathBuf,
        /// The number of the root partition.
        partition: u32,
        /// Why.
        source: Box<FsError>,
    },
    /// The contents of the card do not fit into an image of this size.
    #[error(
        "an image of {} is {} too small for the contents of {}",
        decimal_size(*wanted), decimal_size(needed.saturating_sub(*wanted)), card.display()
    )]
    TooSmall {
        /// The card.
        card: PathBuf,
        /// The size that was asked for, in bytes.
        wanted: u64,
        /// The smallest size that is possible, in bytes.
        needed: u64,
    },
    /// Parts of the card cannot be read.
    #[error("cannot read {}: {}", card.display(), describe(lost))]
    Unreadable {
        /// The card.
        card: PathBuf,
        /// What cannot be read, as far as it was tried.
        lost: Vec<LostBytes>,
        /// The error of the first part.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The card was taken out, or is another one now.
    #[error("{} was removed while it was being read", card.display())]
    Removed {
        /// The card.
        card: PathBuf,
    },
    /// The identity cannot be taken out of the system.
    #[error("cannot remove the node's identity from the system on {}", card.display())]
    Render {
        /// The card.
        card: PathBuf,
        /// Why.
        source: Box<cluster_profile::RenderError>,
    },
    /// The image cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The card cannot be read.
    #[error("cannot read {}", card.display())]
    Storage {
        /// The card.
        card: PathBuf,
        /// Why.
        source: block_io::Error,
    },
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn describe(lost: &[LostBytes]) -> String {
    let part = |lost: &LostBytes| {
        let place = lost.partition.map(|number| format!(" of partition {number}"));
        let bytes = count(usize::try_from(lost.bytes()).unwrap_or(usize::MAX), "byte");
        format!("{bytes} of {}{}", lost.owner, place.unwrap_or_default())
    };
    lost.iter().map(part).collect::<Vec<_>>().join(", ")
}

impl SaveError {
    /// Returns what has to change before another run can succeed.
    pub fn kind(&self) -> ErrorKind {
        match self {
            SaveError::Output(error) => error.kind(),
            SaveError::Cancelled(_) => ErrorKind::Interrupted,
            SaveError::TooSmall { .. } => ErrorKind::Profile,
            SaveError::Root { source, .. } => match **source {
                ChooseError::NoSuchPartition { .. } | ChooseError::NotExt { .. } => {
                    ErrorKind::Profile
                }
                _ => ErrorKind::Target,
            },
            SaveError::Table { .. } | SaveError::Filesystem { .. } | SaveError::Render { .. } => {
                ErrorKind::Target
            }
            SaveError::Unreadable { .. }
            | SaveError::Removed { .. }
            | SaveError::Storage { .. } => ErrorKind::Io,
        }
    }

    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        match self {
            SaveError::Output(error) => error.fix(),
            SaveError::Table { source, .. } => source.fix(),
            SaveError::Root { source, .. } => source.fix(),
            SaveError::Filesystem { source, .. } => source.fix(),
            SaveError::Render { source, .. } => source.fix(),
            SaveError::TooSmall { needed, .. } => {
                Some(format!("ask for at least {}MiB", needed.div_ceil(1 << 20)))
            }
            SaveError::Removed { .. } => {
                Some("insert the card again and repeat the command".to_owned())
            }
            SaveError::Unreadable { .. } => {
                Some("try another reader, or save the rest without it".to_owned())
            }
            SaveError::Storage { .. } | SaveError::Cancelled(_) => None,
        }
    }
}
