//! Reading FAT filesystems: which bytes are in use, and small files.
//!
//! Boot partitions are FAT12, FAT16 or FAT32, whatever the partition table
//! says. They are only ever read here: to skip their free clusters when a card
//! is written, and to see what their boot files name as the root filesystem.
//!
//! The format is that of Microsoft's *FAT32 File System Specification*,
//! version 1.03, with the checks that Linux makes (`fs/fat/inode.c`). Offsets
//! are in bytes and relative to the partition.

mod directory;
mod extents;
mod geometry;
mod name;
mod table;

pub use directory::{MAX_FILE_SIZE, read_file};
pub use extents::{free_bytes, used_extents};
pub use geometry::{Geometry, Variant};

/// A FAT filesystem could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// The storage underneath failed.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// The boot sector describes no FAT filesystem that could lie here.
    #[error("not a FAT filesystem: {reason}")]
    NotFat {
        /// What the boot sector says that cannot be.
        reason: &'static str,
    },
    /// A chain of clusters makes no sense.
    #[error(
        "the FAT filesystem is damaged: the chain that begins at cluster {first} {reason}; check \
         the image with fsck.vfat -n"
    )]
    Chain {
        /// The chain's first cluster.
        first: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file is larger than any that is read here.
    #[error("{name} on the FAT filesystem is {size} bytes long: at most {MAX_FILE_SIZE} are read")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size in bytes.
        size: u32,
    },
    /// The used clusters form more separate ranges than any card has.
    #[error("the FAT filesystem is too fragmented to list its used parts")]
    TooFragmented,
}

#[cfg(test)]
mod tests;
