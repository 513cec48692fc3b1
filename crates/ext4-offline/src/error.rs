//! What can go wrong with a filesystem.

/// The result of an operation on a filesystem.
pub type Result<T> = std::result::Result<T, Error>;

/// A filesystem could not be understood, mapped, counted or grown.
///
/// Whatever says that a filesystem is refused was found before the first
/// write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage underneath could not be read or written.
    #[error(transparent)]
    Storage(#[from] block_io::Error),
    /// A write of an earlier edit failed. How much of that edit is there is not
    /// known, so nothing can be built on it.
    #[error("an earlier write to the filesystem failed, and left an edit half done: {reason}")]
    HalfWritten {
        /// What the storage answered then.
        reason: String,
    },
    /// There is no ext2, ext3 or ext4 filesystem here.
    #[error(
        "no ext2, ext3 or ext4 filesystem: the superblock's magic number at byte 1080 \
         is {magic:#06x}, not 0xef53; check that this is the right partition"
    )]
    NotExt {
        /// What stands in place of the magic number.
        magic: u16,
    },
    /// The superblock's checksum does not match.
    #[error(
        "the superblock is damaged: its checksum is {stored:#010x}, its bytes give \
         {computed:#010x}; repair the filesystem with e2fsck"
    )]
    SuperblockChecksum {
        /// The checksum in the superblock.
        stored: u32,
        /// The checksum of the superblock's bytes.
        computed: u32,
    },
    /// A field of the superblock holds what cannot be.
    #[error(
        "the superblock is damaged: {field} is {value}, but {reason}; repair the filesystem \
         with e2fsck"
    )]
    Superblock {
        /// The field's name in the specification.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// What it would have to be.
        reason: &'static str,
    },
    /// A group descriptor's checksum does not match.
    #[error(
        "the descriptor of block group {group} is damaged: its checksum is {stored:#06x}, its \
         bytes give {computed:#06x}; repair the filesystem with e2fsck"
    )]
    DescriptorChecksum {
        /// The block group.
        group: u32,
        /// The checksum in the descriptor.
        stored: u16,
        /// The checksum of the descriptor's bytes.
        computed: u16,
    },
    /// A field of a group descriptor holds what cannot be.
    #[error(
        "the descriptor of block group {group} is damaged: {field} is {value}, but {reason}; \
         repair the filesystem with e2fsck"
    )]
    Descriptor {
        /// The block group.
        group: u32,
        /// The field's name in the specification.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A bitmap's checksum does not match.
    #[error(
        "the {kind} bitmap of block group {group} (block {block}) is damaged: its checksum does \
         not match; repair the filesystem with e2fsck"
    )]
    BitmapChecksum {
        /// `block` or `inode`.
        kind: &'static str,
        /// The block group.
        group: u32,
        /// Where the bitmap is.
        block: u64,
    },
    /// An inode's checksum does not match.
    #[error(
        "inode {inode} is damaged: its checksum is {stored:#010x}, its bytes give \
         {computed:#010x}; repair the filesystem with e2fsck"
    )]
    InodeChecksum {
        /// The inode's number.
        inode: u32,
        /// The checksum in the inode.
        stored: u32,
        /// The checksum of the inode's bytes.
        computed: u32,
    },
    /// There is no inode of this number.
    #[error("there is no inode {inode}: the filesystem has {inodes}; repair it with e2fsck")]
    InodeNumber {
        /// The number.
        inode: u32,
        /// How many inodes there are.
        inodes: u32,
    },
    /// What an inode holds contradicts the bitmaps, or another inode.
    #[error(
        "inode {inode} is damaged: its block {block} {reason}; repair the filesystem with e2fsck"
    )]
    Inode {
        /// The inode's number; 0 for the filesystem's own tables.
        inode: u32,
        /// The block.
        block: u64,
        /// What is wrong with it, as a clause that follows.
        reason: &'static str,
    },
    /// A field of an inode holds what cannot be.
    #[error(
        "inode {inode} is damaged: {field} is {value}, but {reason}; repair the filesystem with \
         e2fsck"
    )]
    InodeField {
        /// The inode's number.
        inode: u32,
        /// The field's name in the specification.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A bitmap says of a block or an inode what is not so.
    #[error(
        "the {kind} bitmap of block group {group} is damaged: {kind} {number} {reason}; repair \
         the filesystem with e2fsck"
    )]
    Bitmap {
        /// `block` or `inode`.
        kind: &'static str,
        /// The block group.
        group: u32,
        /// The block or the inode.
        number: u64,
        /// What is wrong with it, as a clause that follows.
        reason: &'static str,
    },
    /// What records the orphans, or one of them, is not as it must be.
    #[error("inode {inode} is damaged: {reason}; repair the filesystem with e2fsck")]
    Orphan {
        /// The inode's number.
        inode: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A directory is not as it must be.
    #[error(
        "the directory of inode {inode} is damaged in its block {index}: {reason}; repair the \
         filesystem with e2fsck"
    )]
    Directory {
        /// The directory's inode number.
        inode: u32,
        /// The block, counted from the directory's beginning.
        index: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A directory can hold no more names.
    #[error(
        "the directory of inode {inode} can hold no more names: its hash tree is as large as the \
         filesystem allows; put the files in several directories, or allow a larger tree with \
         tune2fs -O large_dir"
    )]
    DirectoryFull {
        /// The directory's inode number.
        inode: u32,
    },
    /// No file can have this name.
    #[error("no file can be named {name:?}: {reason}")]
    FileName {
        /// The name; what is not UTF-8 of it is replaced.
        name: String,
        /// What is wrong with it, as a clause that follows.
        reason: &'static str,
    },
    /// The inode that holds the reserved descriptor blocks is not as it must be.
    #[error(
        "the resize inode (inode 7) is damaged at block {block}: {reason}; repair the filesystem \
         with e2fsck"
    )]
    ResizeInode {
        /// The block that is wrong, or that holds what is wrong.
        block: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The extended attributes of an inode are not as they must be.
    #[error(
        "the extended attributes of inode {inode} are damaged: {reason}; repair the filesystem \
         with e2fsck"
    )]
    Attributes {
        /// The inode's number.
        inode: u32,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A change is to go through a journal, but there is none.
    #[error(
        "the filesystem has no journal, so a change to it cannot be all or nothing; \
         `tune2fs -j` adds one"
    )]
    NoJournal,
    /// A change is larger than the journal.
    #[error(
        "the change takes {needed} blocks of the journal, which has {available}; make it in \
         smaller steps, or give the filesystem a larger journal: `tune2fs -O ^has_journal`, then \
         `tune2fs -J size={larger}`"
    )]
    JournalTooSmall {
        /// How many blocks it takes.
        needed: u64,
        /// How many blocks the log has.
        available: u64,
        /// The size in MiB of a journal that is large enough.
        larger: u64,
    },
    /// There is no room left.
    #[error("the filesystem is full: no free {what} are left")]
    Full {
        /// `blocks` or `inodes`.
        what: &'static str,
    },
    /// A limit of the format.
    #[error("inode {inode} cannot have {what}")]
    Limit {
        /// The inode's number.
        inode: u32,
        /// What is too much: `a larger file`, `more names`.
        what: &'static str,
    },
    /// An inode has a flag that stands in the operation's way.
    #[error("cannot {operation} inode {inode}, which has the flag {flag}")]
    Flag {
        /// `read` or `edit`.
        operation: &'static str,
        /// The inode's number.
        inode: u32,
        /// The flag's name.
        flag: &'static str,
    },
    /// An inode is not of the kind that the operation is for.
    #[error("inode {inode} is {found}, not {wanted}")]
    Kind {
        /// The inode's number.
        inode: u32,
        /// What it is, with its article.
        found: &'static str,
        /// What it should be, with its article.
        wanted: &'static str,
    },
    /// A name that is not there.
    #[error("there is no {name:?} in the directory of inode {dir}")]
    NoEntry {
        /// The directory's inode number.
        dir: u32,
        /// The name.
        name: String,
    },
    /// A name that is there already.
    #[error("there is a {name:?} in the directory of inode {dir} already")]
    Exists {
        /// The directory's inode number.
        dir: u32,
        /// The name.
        name: String,
    },
    /// A directory would be below itself.
    #[error("the directory of inode {inode} cannot be moved below itself")]
    Loop {
        /// The directory's inode number.
        inode: u32,
    },
    /// An edit of what was opened to be read.
    #[error("the filesystem was opened to be read, not to be edited")]
    OpenedToRead,
    /// A directory that was to be empty is not.
    #[error("the directory of inode {inode} is not empty")]
    NotEmpty {
        /// The directory's inode number.
        inode: u32,
    },
    /// The filesystem is larger than what it is stored on.
    #[error(
        "the filesystem is {filesystem} bytes large, but only {storage} bytes are there; the \
         image or partition is cut short"
    )]
    CutShort {
        /// The filesystem's size in bytes.
        filesystem: u64,
        /// The storage's size in bytes.
        storage: u64,
    },
    /// The filesystem has more block groups than this crate holds in memory.
    #[error(
        "the filesystem has or would have {groups} block groups, more than the {limit} handled"
    )]
    TooManyGroups {
        /// How many groups.
        groups: u64,
        /// How many are handled.
        limit: u32,
    },
    /// The filesystem uses a feature that stands in the operation's way.
    #[error("cannot {operation} a filesystem with the feature {feature}{reason}")]
    Feature {
        /// `map`, `count` or `grow`.
        operation: &'static str,
        /// The feature's name as tune2fs prints it.
        feature: String,
        /// Why, or what to do; begins with punctuation, or is empty.
        reason: &'static str,
    },
    /// The journal holds changes that the filesystem lacks.
    #[error(
        "cannot {operation} the filesystem: its journal was not replayed (needs_recovery); mount \
         it once, or run e2fsck on it"
    )]
    NeedsRecovery {
        /// `map`, `count` or `grow`.
        operation: &'static str,
    },
    /// The journal is not as it must be.
    #[error(
        "the journal is damaged at its block {block}: {reason}; repair the filesystem with e2fsck"
    )]
    Journal {
        /// The block, counted from the journal's beginning.
        block: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The journal has a feature that stands in the way of replaying it.
    #[error("cannot replay the journal: it has the feature {feature}{reason}")]
    JournalFeature {
        /// The feature's name as dumpe2fs prints it.
        feature: String,
        /// Why, or what to do; begins with punctuation.
        reason: &'static str,
    },
    /// The journal is not in the filesystem.
    #[error(
        "cannot replay the journal: it is on another device; attach that and mount the \
         filesystem once, or run e2fsck on it"
    )]
    ExternalJournal,
    /// Deleted files that were still open wait for their removal.
    #[error(
        "cannot {operation} the filesystem: deleted files wait for their removal \
         (orphan_present, or a list that begins with inode {first}); mount it once, or run \
         e2fsck on it"
    )]
    Orphans {
        /// `edit` or `grow`.
        operation: &'static str,
        /// The list's first inode; 0 if only the orphan file has any.
        first: u32,
    },
    /// The filesystem is marked as having errors.
    #[error(
        "cannot {operation} the filesystem: it is marked as having errors; repair it with e2fsck"
    )]
    MarkedErroneous {
        /// `edit` or `grow`.
        operation: &'static str,
    },
    /// The filesystem was not unmounted cleanly.
    #[error(
        "cannot {operation} the filesystem: it was not unmounted cleanly; check it with e2fsck"
    )]
    NotClean {
        /// `edit` or `grow`.
        operation: &'static str,
    },
    /// The target is smaller than the filesystem is.
    #[error(
        "cannot shrink the filesystem from {current} to {target} bytes; choose a card or \
         partition at least as large as it is"
    )]
    Shrink {
        /// The filesystem's size in bytes.
        current: u64,
        /// The size that was asked for in bytes.
        target: u64,
    },
    /// The storage is smaller than the target.
    #[error(
        "cannot grow the filesystem to {target} bytes: there are only {storage}; enlarge the \
         partition first"
    )]
    NoSpace {
        /// The size that was asked for in bytes.
        target: u64,
        /// The storage's size in bytes.
        storage: u64,
    },
    /// A new block group would have no room for its own tables.
    #[error(
        "cannot grow the filesystem: block group {group} has no room for {blocks} blocks of \
         metadata; grow it with resize2fs"
    )]
    NoRoomForTables {
        /// The block group.
        group: u32,
        /// How many blocks its metadata takes.
        blocks: u64,
    },
}
