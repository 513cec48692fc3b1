//! Reading FAT filesystems: which bytes are in use, and small files.
//!
//! Boot partitions are FAT12, FAT16 or FAT32, whatever the partition table says. They are
//! only read: to skip their free clusters when a card is written, and to find what their
//! boot files name as the root filesystem.
//!
//! The format is that of Microsoft's *FAT32 File System Specification*,
//! version 1.03, with the checks that Linux makes (`fs/fat/inode.c`). Offsets
//! are in bytes and relative to the partition.

mod directory;
mod extents;
mod name;
mod table;

pub use directory::{MAX_FILE_SIZE, read_file};
pub use extents::{free_bytes, used_extents};

use fs_signature::ReadFatError;

/// A FAT filesystem could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// The storage underneath failed.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// The boot sector does not describe a FAT filesystem that fits in the partition.
    #[error("not a FAT filesystem: {reason}")]
    NotFat {
        /// What is wrong with the boot sector.
        reason: &'static str,
    },
    /// A chain of clusters is broken.
    #[error("the FAT filesystem is damaged: the chain that begins at cluster {first} {reason}")]
    Chain {
        /// The chain's first cluster.
        first: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file is larger than [`MAX_FILE_SIZE`].
    #[error("{name} on the FAT filesystem is too large: {size} of at most {MAX_FILE_SIZE} bytes")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size in bytes.
        size: u32,
    },
    /// The used clusters form too many separate ranges.
    #[error("the FAT filesystem is too fragmented to list its used parts")]
    TooFragmented,
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

#[cfg(test)]
mod tests;
