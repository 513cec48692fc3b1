//! An unmounted ext4 filesystem: read, edited and grown, without a kernel.
//!
//! - [`inspect`] tells what a filesystem is,
//! - [`recover`] does what mounting would do first: it replays the journal
//!   ([`replay_journal`]) and removes orphans; [`clear_errors`] is for copies,
//! - [`check`] makes sure that its bitmaps tell the truth about its files,
//! - [`Files`] reads and edits files, directories and their attributes,
//! - [`grow`] enlarges it to fill its partition,
//! - [`recount`] corrects its counts of free blocks and inodes,
//! - [`commit`] writes what a layer changed through the journal, all or nothing,
//! - [`used_extents`] tells which bytes of it matter.
//!
//! ext2 and ext3 are the same format with fewer features, and welcome. Edits go
//! without a journal: edit a [`block_io::Layer`], and commit that, if an edit is to
//! be all or nothing.
//!
//! All works on anything that a [`block_io`] trait stands for, which must
//! begin where the filesystem does, such as a window on a partition. Whatever
//! is damaged or not understood is refused, by name, before the first write.
//! Nothing here knows the time: where one is written, it is asked for.
//!
//! The format's source is the kernel's `Documentation/filesystems/ext4`;
//! fields have the names they have there.

mod bitmap;
mod check;
mod checksum;
mod dir;
mod error;
mod features;
mod files;
mod filesystem;
mod geometry;
mod group_desc;
mod grow;
mod inode;
mod inspect;
mod journal;
mod map;
mod orphans;
mod recount;
mod recover;
mod source;
mod superblock;
mod used;
mod xattr;

pub use check::check;
pub use error::{Error, Result};
pub use features::{FEATURES, Feature, FeatureSet, Features};
pub use files::{DirEntry, FileKind, Files, NewFile, ROOT_INODE, Stat};
pub use geometry::{Backups, BaseMetadata, Geometry, MAX_GROUPS};
pub use group_desc::{BLOCK_UNINIT, DescriptorTable, GroupDescriptor, INODE_UNINIT, INODE_ZEROED};
pub use grow::{Grown, grow, grow_lazily};
pub use inspect::{Info, Kind, inspect};
pub use journal::{Committed, Replayed, commit, replay_journal};
pub use recount::recount;
pub use recover::{clear_errors, recover};
pub use superblock::Superblock;
pub use used::used_extents;
