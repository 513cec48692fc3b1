//! Read, edit, grow, shrink and check an ext4 filesystem that is not mounted.
//!
//! No kernel, no root and no FUSE are involved: a filesystem is anything that implements a
//! [`block_io`] trait, such as a file, a device, a window on a partition, or a copy-on-write
//! layer. ext2 and ext3 are the same format with fewer features and work too.
//!
//! ```
//! use std::sync::Arc;
//! use block_io::Memory;
//! use ext4_offline::{Editor, Reader, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A filesystem of 64 KiB that mke2fs made.
//! let image = Arc::new(Memory::new(std::fs::read("tests/data/small.ext4")?));
//!
//! let now = Timestamp::from(1_767_225_600);
//! let mut editor = Editor::open(image.clone(), now)?;
//! editor.create_dir_all("/etc/demo")?;
//! editor.write("/etc/demo/greeting", "hello\n")?;
//! editor.symlink("demo/greeting", "/etc/link")?;
//! editor.finish()?;
//!
//! let reader = Reader::open(image)?;
//! assert_eq!(reader.read("/etc/link")?, b"hello\n");
//! assert_eq!(reader.metadata("/etc/demo/greeting")?.modified, now);
//! let error = reader.read("/etc/none").unwrap_err();
//! assert_eq!(error.to_string(), "cannot read /etc/none");
//! # Ok(())
//! # }
//! ```
//!
//! # What there is
//!
//! - [`Reader`] reads files by path, with the methods of `std::fs`; [`Editor`] also writes them.
//!   The module [`inodes`] has the same by inode number.
//! - [`inspect`] reads the superblock; [`check`] checks the whole filesystem for consistency.
//! - [`recover`] does what mounting would do first: it replays the journal
//!   ([`replay_journal`]) and removes orphans.
//! - [`grow`] enlarges a filesystem to fill its partition; [`ShrinkPlan`] and [`shrink`] make one
//!   smaller.
//! - [`recount`] corrects the counts of free blocks and inodes.
//! - [`used_extents`] returns the bytes that a copy of the filesystem needs; [`owners`] says which
//!   files bytes belong to.
//! - [`scrub`] zeroes what deleted files left in blocks that are in use.
//! - [`commit`] writes the changes in a layer to a filesystem atomically, through its journal.
//!
//! The storage must begin where the filesystem begins; use a [`block_io::Window`] on a partition.
//!
//! # Paths
//!
//! Paths are strings or bytes, resolved from the root of the filesystem. Symlinks and `..` never
//! lead out of it.
//!
//! # Errors
//!
//! [`Error`] says what is wrong with a filesystem, and where: inode, block, group or field.
//! [`PathError`] says which operation failed on which path; the reason is its source. Their
//! `fix` method returns what a user can do. Damage and unsupported features are found before the
//! first write; no input makes this crate panic.
//!
//! # Writing
//!
//! Edits do not go through the journal. Each operation of an [`Editor`] is complete or has no
//! effect. To make several of them atomic, edit a [`block_io::Layer`] over the filesystem, and
//! [`commit`] that or write it elsewhere. The current time is never read: the caller passes it,
//! so the same edits give the same bytes.
//!
//! # Layers
//!
//! Modules depend on those below them only:
//!
//! ```text
//! paths                     Reader, Editor
//! recover  shrink           owners, scrub
//! check                     orphans, recount, used, grow, journal
//! files                     names, directories, contents by inode (dir: blocks of one directory)
//! attributes                extended attributes of one inode, and values in inodes of their own
//! contents                  reading what a file holds; census: all inodes with their blocks
//! map                       blocks of one file: extents or indirect blocks, as one list of runs
//! xattr                     the format of extended attributes
//! volume                    staged blocks, undo, bitmaps, allocation, the inode table
//! source                    reading blocks and inodes
//! filesystem                superblock, descriptors, bitmaps: geometry, group_desc, inode, …
//! ```
//!
//! The source of the format is the kernel's `Documentation/filesystems/ext4`; fields have the
//! names that they have there.

mod attributes;
mod bitmap;
mod census;
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
mod owners;
mod paths;
mod recount;
mod recover;
mod scrub;
mod shrink;
mod source;
mod superblock;
mod time;
mod used;
mod volume;
mod xattr;

pub use check::{CheckReport, check};
pub use error::{
    Error, Operation, PathError, PathErrorKind, PathOperation, PathResult, Result, ShrinkLimit,
};
pub use features::{FEATURES, Feature, FeatureSet, Features};
pub use grow::{Grown, grow, grow_lazily};
pub use inspect::{ExtVersion, FilesystemInfo, inspect};
pub use journal::{Committed, Replayed, add_journal, commit, replay_journal};
pub use kind::FileKind;
pub use metadata::{FileTimes, Metadata};
pub use owners::{BlockOwner, OwnedBytes, owners};
pub use paths::{Editor, File, Reader};
pub use recount::recount;
pub use recover::{clear_errors, recover};
pub use scrub::scrub;
pub use shrink::{ShrinkPlan, Shrunk, shrink};
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
