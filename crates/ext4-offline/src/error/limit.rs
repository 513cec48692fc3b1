//! What keeps a filesystem from becoming smaller.

use std::fmt;

/// What keeps a filesystem from becoming smaller. Its text is a clause: `all blocks are in use`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShrinkLimit {
    /// One block less would leave too few for the contents and the metadata.
    Blocks,
    /// The groups of a smaller filesystem would have too few inodes.
    Inodes {
        /// The number of inodes in use, with those that are reserved.
        used: u64,
        /// The number of inodes of one group.
        per_group: u32,
    },
    /// A group would have no contiguous room for its bitmaps or its inode table.
    Tables {
        /// The block group.
        group: u32,
    },
    /// Metadata would have to be in a block that is listed as bad.
    BadBlock {
        /// The block.
        block: u64,
    },
    /// No filesystem with these settings can be smaller.
    Format,
}

impl fmt::Display for ShrinkLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShrinkLimit::Blocks => {
                f.write_str("one block less would not hold its files and metadata")
            }
            ShrinkLimit::Inodes { used, per_group } => {
                write!(f, "{used} inodes are in use, and a block group has only {per_group}")
            }
            ShrinkLimit::Tables { group } => {
                write!(f, "block group {group} would have no room for its tables")
            }
            ShrinkLimit::BadBlock { block } => {
                write!(f, "metadata would be in block {block}, which is listed as bad")
            }
            ShrinkLimit::Format => f.write_str("no filesystem with its settings can be smaller"),
        }
    }
}
