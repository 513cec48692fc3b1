//! What is done with a filesystem.

use std::fmt;

/// Something that is done with a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Reading files.
    Read,
    /// Finding the used blocks.
    Map,
    /// Checking for consistency.
    Check,
    /// Counting free blocks and inodes.
    Count,
    /// Editing files.
    Edit,
    /// Growing.
    Grow,
    /// Shrinking.
    Shrink,
    /// Replaying the journal.
    Recover,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Read => "read",
            Operation::Map => "map",
            Operation::Check => "check",
            Operation::Count => "count",
            Operation::Edit => "edit",
            Operation::Grow => "grow",
            Operation::Shrink => "shrink",
            Operation::Recover => "replay the journal of",
        })
    }
}
