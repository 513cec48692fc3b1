//! What no library does on an unmounted ext4 filesystem.
//!
//! - [`inspect`] tells what a filesystem is,
//! - [`replay_journal`] brings it up to date if it was not unmounted,
//! - [`grow`] enlarges it to fill its partition,
//! - [`recount`] corrects its counts of free blocks and inodes,
//! - [`check`] makes sure that its bitmaps tell the truth about its files,
//! - [`used_extents`] tells which bytes of it matter.
//!
//! ext2 and ext3 are the same format with fewer features, and welcome. Files
//! are not this crate's business: it works on superblocks, group descriptors
//! and bitmaps, changes one inode, the one that reserves descriptor blocks, and
//! looks at the others only for the blocks that they hold.
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
mod filesystem;
mod geometry;
mod group_desc;
mod grow;
mod inode;
mod inspect;
mod map;
mod orphans;
mod recount;
mod recover;
mod source;
mod superblock;
mod used;

pub use check::check;
pub use error::{Error, Result};
pub use features::{FEATURES, Feature, FeatureSet, Features};
pub use geometry::{Backups, BaseMetadata, Geometry, MAX_GROUPS};
pub use group_desc::{BLOCK_UNINIT, DescriptorTable, GroupDescriptor, INODE_UNINIT, INODE_ZEROED};
pub use grow::{Grown, grow, grow_lazily};
pub use inspect::{Info, Kind, inspect};
pub use orphans::settle_orphans;
pub use recount::recount;
pub use recover::{Replayed, replay_journal};
pub use superblock::Superblock;
pub use used::used_extents;
