//! The journal (jbd2): replaying it, and committing a change through it.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/journal.rst` and, for
//! the end of a log and for damage, `fs/jbd2/recovery.c`.

mod add;
mod blocks;
mod clear;
mod commit;
mod fast_commit;
mod location;
mod plan;
mod replay;
mod revoke;
mod scan;
mod superblock;

pub use add::add_journal;
pub(crate) use clear::clear_log;
pub use commit::{Committed, commit};
pub(crate) use replay::verify_empty;
pub use replay::{Replayed, replay_journal};
