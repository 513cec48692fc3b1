//! Files: read and edited by inode.
//!
//! There is no journal here: whoever wants an edit to be all or nothing edits a
//! [`block_io::Layer`]. What each operation changes of metadata is complete or
//! not there at all (`volume.rs`), so that running out of room, or into damage,
//! leaves the filesystem as consistent as it was.

mod attributes;
mod block_alloc;
mod contents;
mod directory;
mod inline_dir;
mod inode_alloc;
mod names;
mod undo;
mod volume;

use std::sync::Arc;

use block_io::WriteAt;

use crate::{
    Error, Result,
    features::Operation,
    filesystem::Filesystem,
    inode::{Inode, S_IFDIR, S_IFLNK, S_IFREG, Time, TimeField},
    source::Source,
};
pub(crate) use contents::read_contents;
pub(crate) use directory::verify as verify_directory;
pub use names::NewFile;
pub(crate) use volume::Volume;

/// The inode of the root directory.
pub const ROOT_INODE: u32 = crate::inode::ROOT;

/// What kind of file an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character or block device, a pipe, a socket, or unknown.
    Special,
}

impl FileKind {
    fn of(inode: &Inode) -> Self {
        match inode.kind() {
            S_IFREG => FileKind::Regular,
            S_IFDIR => FileKind::Directory,
            S_IFLNK => FileKind::Symlink,
            _ => FileKind::Special,
        }
    }

    /// The kind's name with its article, for messages.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Regular => "a regular file",
            FileKind::Directory => "a directory",
            FileKind::Symlink => "a symlink",
            FileKind::Special => "a special file",
        }
    }
}

/// Errors unless the inode is of the kind that the operation is for.
fn require_kind(inode: &Inode, wanted: FileKind) -> Result<()> {
    match FileKind::of(inode) {
        found if found == wanted => Ok(()),
        found => {
            Err(Error::Kind { inode: inode.number(), found: found.name(), wanted: wanted.name() })
        }
    }
}

/// Errors unless the inode is in use.
fn require_linked(inode: &Inode) -> Result<()> {
    let (found, wanted) = ("not in use", "a file");
    match inode.is_linked() {
        true => Ok(()),
        false => Err(Error::Kind { inode: inode.number(), found, wanted }),
    }
}

/// What an inode says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// The kind of file.
    pub kind: FileKind,
    /// Permission bits, the low 12 bits of `i_mode`.
    pub mode: u16,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
    /// How many names it has; for directories, how many refer to it.
    pub links: u16,
    /// The time of the last change of contents, in seconds since 1970.
    pub mtime: i64,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The inode it stands for.
    pub inode: u32,
    /// The name, 1 to 255 bytes.
    pub name: Vec<u8>,
}

/// The files of a filesystem, opened to be read or edited.
///
/// Nothing is complete before [`finish`](Self::finish): the bitmaps are kept in
/// memory until then.
#[derive(Debug)]
pub struct Files {
    volume: Volume,
    now: Time,
    generation: u32,
    writable: bool,
}

impl Files {
    /// Opens the filesystem that fills `storage`, or its first part, to be
    /// edited.
    ///
    /// `now`, in seconds since 1970, becomes the time of every change. The
    /// generations of new inodes count from it, so that the same edits give the
    /// same bytes.
    ///
    /// # Errors
    /// Damage; a feature that stands in the way; [`Error::NeedsRecovery`] and
    /// [`Error::Orphans`] for a filesystem that has to be
    /// [recovered](crate::recover) first; [`Error::MarkedErroneous`],
    /// [`Error::NotClean`].
    pub fn open(storage: Arc<dyn WriteAt>, now: u64) -> Result<Self> {
        let fs = Filesystem::open(&storage, Operation::Edit)?;
        fs.check_state(Operation::Edit)?;
        Ok(Self::new(storage, fs, now, true))
    }

    /// Opens the filesystem that fills `storage`, or its first part, to be read:
    /// any edit fails.
    ///
    /// # Errors
    /// Damage; a feature that stands in the way; [`Error::NeedsRecovery`].
    pub fn open_to_read(storage: Arc<dyn WriteAt>) -> Result<Self> {
        let fs = Filesystem::open(&storage, Operation::Read)?;
        Ok(Self::new(storage, fs, 0, false))
    }

    fn new(storage: Arc<dyn WriteAt>, fs: Filesystem, now: u64, writable: bool) -> Self {
        let time = Time { seconds: now as i64, nanoseconds: 0 };
        // The low half of the time differs from one build to the next, as a
        // generation should.
        Files { volume: Volume::new(storage, fs), now: time, generation: now as u32, writable }
    }

    /// Runs an edit: all of it is done, or nothing.
    fn edit<T>(&mut self, edit: impl FnOnce(&mut Volume) -> Result<T>) -> Result<T> {
        match self.writable {
            true => self.volume.atomically(edit),
            false => Err(Error::OpenedToRead),
        }
    }

    /// Completes all edits on the storage. Its superblock gets their time, if
    /// there were any.
    ///
    /// # Errors
    /// [`Error::Storage`]; [`Error::HalfWritten`] if a write failed before.
    pub fn finish(mut self) -> Result<()> {
        self.volume.finish(self.now.seconds as u32)
    }

    /// How many blocks are free, be they reserved for root or not.
    pub fn free_blocks(&self) -> u64 {
        self.volume.fs().free_counts().0
    }

    /// How many inodes are free.
    pub fn free_inodes(&self) -> u32 {
        self.volume.fs().free_counts().1
    }

    /// What is known of an inode that is in use.
    ///
    /// # Errors
    /// [`Error::InodeNumber`], [`Error::InodeChecksum`]; [`Error::Kind`] for one
    /// that is not in use.
    pub fn stat(&self, inode: u32) -> Result<Stat> {
        let inode = self.volume.inode(inode)?;
        require_linked(&inode)?;
        Ok(Stat {
            kind: FileKind::of(&inode),
            mode: inode.i_mode() & 0o7777,
            uid: inode.i_uid(),
            gid: inode.i_gid(),
            size: inode.i_size(),
            links: inode.i_links_count(),
            mtime: inode.time(TimeField::Modification).seconds,
        })
    }

    /// The inode that a name in a directory stands for.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Flag`], damage to the directory.
    pub fn look_up(&self, dir: u32, name: &[u8]) -> Result<Option<u32>> {
        let entry = directory::look_up(&self.volume, &self.volume.inode(dir)?, name)?;
        Ok(entry.map(|entry| entry.inode))
    }

    /// The names in a directory, in the order of its blocks, without `.` and `..`.
    ///
    /// # Errors
    /// As [`look_up`](Self::look_up).
    pub fn entries(&self, dir: u32) -> Result<Vec<DirEntry>> {
        let entries = directory::entries(&self.volume, &self.volume.inode(dir)?)?;
        let entries = entries.into_iter().filter(|entry| !entry.is_dots());
        Ok(entries.map(|entry| DirEntry { inode: entry.inode, name: entry.name }).collect())
    }
}
