//! Errors of a filesystem. Those of a path in it are in `path.rs`.

mod fix;
mod limit;
mod operation;
mod path;

pub use limit::ShrinkLimit;
pub use operation::Operation;
pub use path::{PathError, PathErrorKind, PathOperation, PathResult};
use plain_text::two_sizes;

/// The result of an operation on a filesystem.
pub type Result<T> = std::result::Result<T, Error>;

/// An operation on a filesystem failed.
///
/// The text says what happened, and to which inode, block, group or field. Where a user can
/// do something about it, [`fix`](Self::fix) says what. Every error that says that the
/// filesystem is damaged or not supported was found before the first write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage could not be read or written.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// An earlier write failed, so an edit may be incomplete and nothing can build on it.
    #[error("an earlier write failed and may have left an edit incomplete: {reason}")]
    HalfWritten {
        /// The storage's error.
        reason: String,
    },
    /// There is no ext2, ext3 or ext4 filesystem here.
    #[error(
        "not an ext2, ext3 or ext4 filesystem: the superblock's magic number at byte 1080 is \
         {magic:#06x}, not 0xef53"
    )]
    NotExt {
        /// The number that is there instead.
        magic: u16,
    },
    /// The superblock's checksum does not match.
    #[error(
        "the superblock is damaged: its checksum is {stored:#010x}, but should be {computed:#010x}"
    )]
    SuperblockChecksum {
        /// The checksum in the superblock.
        stored: u32,
        /// The checksum of the superblock's bytes.
        computed: u32,
    },
    /// A field of the superblock has an impossible value.
    #[error("the superblock is damaged: {field} is {value}, but {reason}")]
    Superblock {
        /// The field's name in the specification.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The rule that the value breaks, as a clause.
        reason: &'static str,
    },
    /// A field of the superblock has a value that is possible, but not supported.
    #[error("the filesystem is not supported: {field} is {value}, but {reason}")]
    Unsupported {
        /// The field's name in the specification.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What is supported, as a clause.
        reason: &'static str,
    },
    /// A group descriptor's checksum does not match.
    #[error(
        "the descriptor of block group {group} is damaged: its checksum is {stored:#06x}, but \
         should be {computed:#06x}"
    )]
    DescriptorChecksum {
        /// The block group.
        group: u32,
        /// The checksum in the descriptor.
        stored: u16,
        /// The checksum of the descriptor's bytes.
        computed: u16,
    },
    /// A field of a group descriptor has an impossible value.
    #[error("the descriptor of block group {group} is damaged: {field} is {value}, but {reason}")]
    Descriptor {
        /// The block group.
        group: u32,
        /// The field's name in the specification.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The rule that the value breaks, as a clause.
        reason: &'static str,
    },
    /// A bitmap's checksum does not match.
    #[error(
        "the {kind} bitmap of block group {group} (block {block}) is damaged: its checksum does \
         not match"
    )]
    BitmapChecksum {
        /// `block` or `inode`.
        kind: &'static str,
        /// The block group.
        group: u32,
        /// The block that holds the bitmap.
        block: u64,
    },
    /// An inode's checksum does not match.
    #[error(
        "inode {inode} is damaged: its checksum is {stored:#010x}, but should be {computed:#010x}"
    )]
    InodeChecksum {
        /// The inode's number.
        inode: u32,
        /// The checksum in the inode.
        stored: u32,
        /// The checksum of the inode's bytes.
        computed: u32,
    },
    /// No inode has this number.
    #[error("there is no inode {inode}: the filesystem has {inodes} inodes")]
    InodeNumber {
        /// The number.
        inode: u32,
        /// The number of inodes.
        inodes: u32,
    },
    /// A block of an inode contradicts the bitmaps or another inode.
    #[error("inode {inode} is damaged: its block {block} {reason}")]
    Inode {
        /// The inode's number; 0 for the filesystem's own tables.
        inode: u32,
        /// The block.
        block: u64,
        /// What is wrong with the block, as the rest of a sentence.
        reason: &'static str,
    },
    /// A field of an inode has an impossible value.
    #[error("inode {inode} is damaged: {field} is {value}, but {reason}")]
    InodeField {
        /// The inode's number.
        inode: u32,
        /// The field's name in the specification.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The rule that the value breaks, as a clause.
        reason: &'static str,
    },
    /// An inode does not contradict itself, but Linux does not open it.
    #[error("inode {inode} is not supported: {reason}")]
    UnsupportedInode {
        /// The inode's number.
        inode: u32,
        /// What is not supported, as a sentence without a full stop.
        reason: &'static str,
    },
    /// A bitmap is wrong about a block or an inode.
    #[error("the {kind} bitmap of block group {group} is damaged: {kind} {number} {reason}")]
    Bitmap {
        /// `block` or `inode`.
        kind: &'static str,
        /// The block group.
        group: u32,
        /// The block or the inode.
        number: u64,
        /// What is wrong with it, as the rest of a sentence.
        reason: &'static str,
    },
    /// The record of the orphans, or one of the orphans, is damaged.
    #[error("inode {inode} is damaged: {reason}")]
    Orphan {
        /// The inode's number.
        inode: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A directory is damaged.
    #[error("the directory of inode {inode} is damaged in its block {index}: {reason}")]
    Directory {
        /// The directory's inode number.
        inode: u32,
        /// The block, counted from the beginning of the directory.
        index: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A directory can hold no more names.
    #[error(
        "the directory of inode {inode} can hold no more names: its hash tree has the largest \
         size that the filesystem allows"
    )]
    DirectoryFull {
        /// The directory's inode number.
        inode: u32,
    },
    /// No file can have this name.
    #[error("no file can have the name {name:?}: {reason}")]
    FileName {
        /// The name; bytes that are not UTF-8 are replaced.
        name: String,
        /// What is wrong with the name.
        reason: &'static str,
    },
    /// The inode that holds the reserved descriptor blocks is damaged.
    #[error("the resize inode (inode 7) is damaged at block {block}: {reason}")]
    ResizeInode {
        /// The block that is wrong, or that holds the wrong value.
        block: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The extended attributes of an inode are damaged.
    #[error("the extended attributes of inode {inode} are damaged: {reason}")]
    Attributes {
        /// The inode's number.
        inode: u32,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A change should go through a journal, but there is none.
    #[error("the filesystem has no journal, so a change to it cannot be atomic")]
    NoJournal,
    /// A change is larger than the journal.
    #[error("the change takes {needed} blocks of the journal, which has {available}")]
    JournalTooSmall {
        /// The number of blocks that the change takes.
        needed: u64,
        /// The number of blocks that the log has.
        available: u64,
        /// The size in MiB of a journal that is large enough.
        larger: u64,
    },
    /// There is no room left.
    #[error("the filesystem is full: it has no free {what} left")]
    Full {
        /// `blocks` or `inodes`.
        what: &'static str,
    },
    /// A limit of the format.
    #[error("inode {inode} cannot have {what}")]
    Limit {
        /// The inode's number.
        inode: u32,
        /// What exceeds the limit: `a larger file`, `more links`.
        what: &'static str,
    },
    /// An inode has a flag that the operation does not support.
    #[error("cannot {operation} inode {inode}: it has the flag {flag}")]
    Flag {
        /// Reading or editing.
        operation: Operation,
        /// The inode's number.
        inode: u32,
        /// The flag's name.
        flag: &'static str,
    },
    /// An inode is of another kind than the operation is for.
    #[error("inode {inode} is {found}, not {wanted}")]
    Kind {
        /// The inode's number.
        inode: u32,
        /// Its kind with its article: `a directory`.
        found: &'static str,
        /// The kind that the operation is for, with its article.
        wanted: &'static str,
    },
    /// A directory does not have this name.
    #[error("there is no {name:?} in the directory of inode {dir}")]
    NoEntry {
        /// The directory's inode number.
        dir: u32,
        /// The name.
        name: String,
    },
    /// A directory already has this name.
    #[error("there is already a {name:?} in the directory of inode {dir}")]
    Exists {
        /// The directory's inode number.
        dir: u32,
        /// The name.
        name: String,
    },
    /// A directory would be moved below itself.
    #[error("the directory of inode {inode} cannot be moved below itself")]
    Loop {
        /// The directory's inode number.
        inode: u32,
    },
    /// A directory that must be empty is not.
    #[error("the directory of inode {inode} is not empty")]
    NotEmpty {
        /// The directory's inode number.
        inode: u32,
    },
    /// The filesystem is larger than the storage that it is on.
    #[error(
        "the filesystem is cut short: it has {}, but the storage has only {}",
        two_sizes(*filesystem, *storage)[0],
        two_sizes(*filesystem, *storage)[1]
    )]
    CutShort {
        /// The filesystem's size in bytes.
        filesystem: u64,
        /// The storage's size in bytes.
        storage: u64,
    },
    /// The filesystem has more block groups than this crate holds in memory.
    #[error(
        "the filesystem has or would have {groups} block groups; at most {limit} are supported"
    )]
    TooManyGroups {
        /// The number of groups.
        groups: u64,
        /// The number of groups that are supported.
        limit: u32,
    },
    /// The filesystem has a feature that the operation does not support.
    #[error("cannot {operation} a filesystem with the feature {feature}: {reason}")]
    Feature {
        /// The operation.
        operation: Operation,
        /// The feature's name as tune2fs prints it.
        feature: String,
        /// Why the operation does not support it, as a clause.
        reason: &'static str,
    },
    /// The journal holds changes that the filesystem lacks.
    #[error("cannot {operation} the filesystem: its journal was not replayed (needs_recovery)")]
    NeedsRecovery {
        /// The operation.
        operation: Operation,
    },
    /// The journal is damaged.
    #[error("the journal is damaged at its block {block}: {reason}")]
    Journal {
        /// The block, counted from the beginning of the journal.
        block: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The journal has a feature that replaying does not support.
    #[error("cannot replay the journal: it has the feature {feature}, but {reason}")]
    JournalFeature {
        /// The feature's name as dumpe2fs prints it.
        feature: String,
        /// Why it is not supported, as a clause.
        reason: &'static str,
    },
    /// The journal is not in the filesystem.
    #[error("cannot replay the journal: it is on another device")]
    ExternalJournal,
    /// Deleted files that were still open wait for their removal.
    #[error(
        "cannot {operation} the filesystem: it has orphans, deleted files that wait for their \
         removal ({})",
        orphans(*.first)
    )]
    Orphans {
        /// The operation.
        operation: Operation,
        /// The first inode of the list; 0 if only the orphan file has any.
        first: u32,
    },
    /// The filesystem is marked as having errors.
    #[error("cannot {operation} the filesystem: it is marked as having errors")]
    MarkedErroneous {
        /// The operation.
        operation: Operation,
    },
    /// The filesystem was not unmounted cleanly.
    #[error("cannot {operation} the filesystem: it was not unmounted cleanly")]
    NotClean {
        /// The operation.
        operation: Operation,
    },
    /// The target is smaller than the filesystem.
    #[error(
        "cannot shrink the filesystem from {} to {}",
        two_sizes(*current, *target)[0],
        two_sizes(*current, *target)[1]
    )]
    Shrink {
        /// The filesystem's size in bytes.
        current: u64,
        /// The requested size in bytes.
        target: u64,
    },
    /// The contents of the filesystem do not fit into the target.
    #[error(
        "cannot shrink the filesystem to {}: it needs at least {}, because {limit}",
        two_sizes(*target, *minimum)[0],
        two_sizes(*target, *minimum)[1]
    )]
    DoesNotFit {
        /// The requested size in bytes.
        target: u64,
        /// The smallest possible size in bytes.
        minimum: u64,
        /// Why it cannot be smaller.
        limit: ShrinkLimit,
    },
    /// The storage is smaller than the target.
    #[error(
        "cannot grow the filesystem to {}: its partition or image has only {}",
        two_sizes(*target, *storage)[0],
        two_sizes(*target, *storage)[1]
    )]
    NoSpace {
        /// The requested size in bytes.
        target: u64,
        /// The storage's size in bytes.
        storage: u64,
    },
    /// A new block group would have no room for its own tables.
    #[error(
        "cannot grow the filesystem: block group {group} has no room for {blocks} blocks of \
         metadata"
    )]
    NoRoomForTables {
        /// The block group.
        group: u32,
        /// The number of blocks that its metadata takes.
        blocks: u64,
    },
}

fn orphans(first: u32) -> String {
    match first {
        0 => "orphan_present".to_owned(),
        first => format!("a list that begins with inode {first}"),
    }
}
