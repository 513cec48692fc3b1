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

mod attributes;
mod bitmap;
mod check;
mod checksum;
mod contents;
mod digest;
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
mod kind;
mod map;
mod metadata;
mod orphans;
mod paths;
mod recount;
mod recover;
mod source;
mod superblock;
mod time;
mod used;
mod volume;
mod xattr;

pub use check::check;
pub use error::{Error, Operation, PathError, PathErrorKind, PathOperation, PathResult, Result};
pub use features::{FEATURES, Feature, FeatureSet, Features};
pub use grow::{Grown, grow, grow_lazily};
pub use inspect::{ExtVersion, FilesystemInfo, inspect};
pub use journal::{Committed, Replayed, commit, replay_journal};
pub use kind::FileKind;
pub use metadata::{FileTimes, Metadata};
pub use paths::{Editor, File, Reader};
pub use recount::recount;
pub use recover::{clear_errors, recover};
pub use time::{Timestamp, TimestampOutOfRange};
pub use used::used_extents;

pub(crate) use geometry::{Backups, Geometry, MAX_GROUPS};
pub(crate) use superblock::Superblock;

/// Files by inode number, the layer below [`Reader`] and [`Editor`].
///
/// This is what a program needs that walks all files or keeps its own index of them; it has
/// neither paths nor symlinks.
pub mod inodes {
    pub use crate::{
        files::{DirEntry, FilesMut, NewFile, ROOT_INODE},
        source::Files,
    };
}

/// Not part of the API: what this crate's own tests need to judge a filesystem.
#[doc(hidden)]
pub mod internals {
    pub use crate::{
        geometry::{Backups, BaseMetadata, Geometry},
        group_desc::{BLOCK_UNINIT, DescriptorTable, GroupDescriptor, INODE_UNINIT, INODE_ZEROED},
        superblock::Superblock,
    };
}
