//! Errors of making cards and images.

use cluster_profile::CardObstacle;

use crate::{BaseError, Cancelled, ChooseError, FsError, OutputError};

/// A card or image could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The base image cannot be opened.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// The base's partition table cannot be read or grown.
    #[error("cannot use the partition table of the base image")]
    Table(#[from] part_table::Error),
    /// The root filesystem cannot be chosen.
    #[error(transparent)]
    Root(#[from] ChooseError),
    /// The root filesystem cannot be mapped or grown.
    #[error("cannot use the root filesystem of the base image")]
    Ext4(#[from] ext4_offline::Error),
    /// A file cannot be read or written.
    #[error("{}", what_failed(.0))]
    Files(#[from] FsError),
    /// The node's files do not fit the system in the image.
    #[error(transparent)]
    Render(#[from] cluster_profile::RenderError),
    /// The files of some nodes do not fit the system in the image, for these reasons.
    #[error("{}", in_words(.0))]
    Refused(Vec<CardObstacle>),
    /// The cluster's keys lack one.
    #[error(transparent)]
    Keys(#[from] cluster_keys::KeyError),
    /// The card is smaller than the base image, and has no room for its contents.
    #[error("{}", too_small(*card, *base, *needed))]
    DoesNotFit {
        /// The size of the card in bytes.
        card: u64,
        /// The size of the decoded base in bytes.
        base: u64,
        /// The size in bytes of the smallest card with room for the contents of the base.
        needed: u64,
        /// Why the root filesystem cannot be smaller.
        source: ext4_offline::Error,
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

/// Returns the reasons, one a line.
fn in_words(all: &[CardObstacle]) -> String {
    let reasons: Vec<String> = all.iter().map(|one| one.reason.to_string()).collect();
    reasons.join("\n")
}

fn too_small(card: u64, base: u64, needed: u64) -> String {
    let missing = plain_text::decimal_size(needed.saturating_sub(card));
    let [card, base] = plain_text::two_sizes(card, base);
    format!(
        "the card ({card}) is smaller than the base image ({base}), and {missing} too small for \
         its contents"
    )
}

fn what_failed(error: &FsError) -> &'static str {
    match error {
        FsError::Source(_) => "cannot copy a file onto the card",
        _ => "cannot use a file in the root filesystem of the base image",
    }
}

/// What has to change before another run can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The profile or the options.
    Profile,
    /// The base image.
    Base,
    /// The target: a card, or the image of one.
    Target,
    /// The disk or the operating system.
    Io,
    /// Nothing: the user interrupted the run.
    Interrupted,
}

impl Error {
    /// Returns what has to change before another run can succeed.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Base(error) => error.kind(),
            Error::Output(error) => error.kind(),
            Error::Cancelled(_) => ErrorKind::Interrupted,
            Error::DoesNotFit { .. }
            | Error::Table(part_table::Error::CardTooSmall { .. })
            | Error::Root(ChooseError::NoSuchPartition { .. } | ChooseError::NotExt { .. })
            | Error::Render(_)
            | Error::Refused(_)
            | Error::Keys(_)
            | Error::Files(FsError::Source(_)) => ErrorKind::Profile,
            Error::Files(error) if error.is_full() => ErrorKind::Profile,
            Error::Table(_) | Error::Root(_) | Error::Ext4(_) | Error::Files(_) => ErrorKind::Base,
            Error::Storage(_) => ErrorKind::Io,
        }
    }

    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        match self {
            Error::Base(error) => error.fix(),
            Error::Table(error) => error.fix(),
            Error::Root(error) => error.fix(),
            Error::Output(error) => error.fix(),
            Error::DoesNotFit { needed, .. } => {
                let mebibytes = needed.div_ceil(1 << 20);
                Some(format!(
                    "set `card:` to at least {mebibytes}MiB in the profile (MiB are exact; MB and GB \
                     mean the size printed on a card)"
                ))
            }
            Error::Ext4(error) => error.fix(),
            Error::Files(error) => error.fix(),
            Error::Render(error) => error.fix(),
            Error::Refused(all) => all.iter().find_map(|one| one.reason.fix()),
            Error::Keys(error) => error.fix(),
            Error::Storage(_) | Error::Cancelled(_) => None,
        }
    }
}
