//! Why a FAT filesystem cannot be read or edited.

use fs_signature::ReadFatError;

/// A FAT filesystem could not be read or edited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// The storage underneath failed.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// The boot sector does not describe a FAT filesystem that could lie here.
    #[error("not a FAT filesystem: {reason}")]
    NotFat {
        /// The field that is impossible.
        reason: &'static str,
    },
    /// A chain of clusters is impossible.
    #[error("damaged FAT filesystem: the chain that begins at cluster {first} {reason}")]
    Chain {
        /// The chain's first cluster.
        first: u32,
        /// The fault.
        reason: &'static str,
    },
    /// A file or directory is impossible.
    #[error("damaged FAT filesystem: {path} {reason}")]
    Damaged {
        /// The file or directory, from the root directory.
        path: String,
        /// The fault.
        reason: &'static str,
    },
    /// The copies of the allocation table differ.
    #[error(
        "damaged FAT filesystem: copy {copy} of its table differs from the first at entry {entry}"
    )]
    TablesDiffer {
        /// The number of the other copy, from 1.
        copy: u8,
        /// The first entry that differs, or the one whose bytes hold the difference.
        entry: u32,
    },
    /// A file is larger than the limit for reading it.
    #[error(
        "{path} on the FAT filesystem is {size} bytes long, more than the {limit} that are read"
    )]
    TooLarge {
        /// The file.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The used clusters form more separate ranges than any card has.
    #[error("the FAT filesystem is too fragmented to list its used parts")]
    TooFragmented,
    /// The allocation table is larger than that of any boot partition.
    #[error("the FAT filesystem has {clusters} clusters, more than can be edited")]
    TooManyClusters {
        /// The number of clusters.
        clusters: u32,
    },
    /// There is no room for a file or directory.
    #[error(
        "no space on the FAT filesystem for {path}: it needs {needed} bytes, and {free} are free"
    )]
    NoSpace {
        /// The file or directory.
        path: String,
        /// The bytes that the operation needs, in whole clusters.
        needed: u64,
        /// The bytes that are free.
        free: u64,
    },
    /// A directory has no free entries and cannot grow.
    #[error("the directory of {path} on the FAT filesystem has no room for more names")]
    DirectoryFull {
        /// The file or directory that was to be created.
        path: String,
    },
    /// FAT cannot store this name.
    #[error("{name:?} cannot be a file name on a FAT filesystem: {reason}")]
    Name {
        /// The name.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// Something else has the name.
    #[error("{path} on the FAT filesystem is {found}")]
    WrongKind {
        /// The path.
        path: String,
        /// What is there: `a directory`, `a file`, `the volume label`.
        found: &'static str,
    },
    /// An earlier write failed, so the state on the storage is unknown.
    #[error("an earlier write to the FAT filesystem failed, so it cannot be edited further")]
    HalfWritten,
}

impl From<ReadFatError> for FatError {
    fn from(error: ReadFatError) -> Self {
        match error {
            ReadFatError::Storage(error) => FatError::Storage(error),
            ReadFatError::NotFat { reason } => FatError::NotFat { reason },
            _ => FatError::NotFat { reason: "its boot sector cannot be read" },
        }
    }
}

impl FatError {
    /// Returns what to do about the error, if that is known.
    pub fn fix(&self) -> Option<String> {
        match self {
            FatError::Chain { .. } | FatError::Damaged { .. } | FatError::TablesDiffer { .. } => {
                Some("repair the boot partition of the base image with fsck.vfat".to_owned())
            }
            FatError::NoSpace { .. } => {
                Some("make files on the boot partition smaller, or remove some".to_owned())
            }
            _ => None,
        }
    }
}
