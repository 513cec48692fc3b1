//! The metadata of one file.

use crate::{
    FileKind, Timestamp,
    inode::{Inode, TimeField},
};

/// The metadata of a file: what its inode says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The inode's number. Two names of one file have the same.
    pub inode: u32,
    /// The kind of file.
    pub kind: FileKind,
    /// The permission bits, the low 12 bits of `i_mode`.
    pub mode: u16,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
    /// The number of names; for a directory, of the entries that refer to it.
    pub links: u16,
    /// The time of the last access.
    pub accessed: Timestamp,
    /// The time of the last change to the contents.
    pub modified: Timestamp,
    /// The time of the last change to the inode.
    pub changed: Timestamp,
    /// The time of creation; `None` if the inode has no room for it.
    pub created: Option<Timestamp>,
}

impl Metadata {
    /// Returns the metadata of a file that root owns and that has no inode, such as one of a
    /// FAT filesystem beside an ext4. `size` is in bytes.
    pub fn without_inode(kind: FileKind, mode: u16, size: u64) -> Self {
        let epoch = Timestamp::saturating(0);
        Metadata {
            inode: 0,
            kind,
            mode,
            uid: 0,
            gid: 0,
            size,
            links: 1,
            accessed: epoch,
            modified: epoch,
            changed: epoch,
            created: None,
        }
    }

    pub(crate) fn of(inode: &Inode) -> Self {
        Metadata {
            inode: inode.number(),
            kind: inode.file_kind(),
            mode: inode.i_mode() & 0o7777,
            uid: inode.i_uid(),
            gid: inode.i_gid(),
            size: inode.i_size(),
            links: inode.i_links_count(),
            accessed: inode.time(TimeField::Access),
            modified: inode.time(TimeField::Modification),
            changed: inode.time(TimeField::Change),
            created: inode.creation_time(),
        }
    }

    /// Returns whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Returns whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::Regular
    }

    /// Returns whether it is a symlink.
    pub fn is_symlink(&self) -> bool {
        self.kind == FileKind::Symlink
    }
}

/// The times to give a file; the others stay as they are.
///
/// ```
/// use ext4_offline::{FileTimes, Timestamp};
///
/// let times = FileTimes::new().set_modified(Timestamp::from(0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileTimes {
    pub(crate) accessed: Option<Timestamp>,
    pub(crate) modified: Option<Timestamp>,
}

impl FileTimes {
    /// Changes no time.
    pub fn new() -> Self {
        FileTimes::default()
    }

    /// Sets the time of the last access.
    pub fn set_accessed(self, time: Timestamp) -> Self {
        FileTimes { accessed: Some(time), ..self }
    }

    /// Sets the time of the last change to the contents.
    pub fn set_modified(self, time: Timestamp) -> Self {
        FileTimes { modified: Some(time), ..self }
    }
}
