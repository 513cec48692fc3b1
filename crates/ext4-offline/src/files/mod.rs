//! Files by inode: reading and editing.
//!
//! Edits do not use the journal: edit a [`block_io::Layer`] if several edits must be atomic.
//! Each operation is complete or has no effect (see `volume`), so running out of room, or
//! finding damage, leaves the filesystem as consistent as it was.

mod attributes;
mod directory;
mod edit;
mod inline_dir;
mod names;
mod write;

use std::sync::Arc;

use block_io::ReadAt;

use crate::{
    Error, FileKind, Metadata, Operation, Result,
    filesystem::Filesystem,
    inode::{Inode, ROOT},
    source::{Files, Source},
};
pub(crate) use directory::{renumber as renumber_directory, verify as verify_directory};
pub use edit::FilesMut;
pub use names::NewFile;

/// The inode of the root directory.
pub const ROOT_INODE: u32 = ROOT;

/// Returns an error unless the inode is of the kind that the operation is for.
fn require_kind(inode: &Inode, wanted: FileKind) -> Result<()> {
    match inode.file_kind() {
        found if found == wanted => Ok(()),
        found => {
            Err(Error::Kind { inode: inode.number(), found: found.name(), wanted: wanted.name() })
        }
    }
}

/// Returns an error unless the inode is in use.
fn require_linked(inode: &Inode) -> Result<()> {
    let (found, wanted) = ("not in use", "a file");
    if inode.is_linked() {
        Ok(())
    } else {
        Err(Error::Kind { inode: inode.number(), found, wanted })
    }
}

/// Returns an error if the inode is the journal, which has a name (`/.journal`) if it was added to
/// a mounted filesystem.
fn refuse_journal(source: &dyn Source, inode: &Inode) -> Result<()> {
    let superblock = &source.fs().superblock;
    if superblock.features().has_journal() && superblock.s_journal_inum() == inode.number() {
        let (found, wanted) = ("the journal", "a file that can change");
        return Err(Error::Kind { inode: inode.number(), found, wanted });
    }
    Ok(())
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirEntry {
    /// The inode that the name stands for.
    pub inode: u32,
    /// The name, 1 to 255 bytes.
    pub name: Vec<u8>,
}

impl Files {
    /// Opens the filesystem that fills `storage`, or its first part.
    ///
    /// # Errors
    /// Damage; a feature that is not supported; [`Error::NeedsRecovery`] if the journal must
    /// be replayed first.
    pub fn open(storage: Arc<dyn ReadAt>) -> Result<Self> {
        let fs = Arc::new(Filesystem::open(&storage, Operation::Read)?);
        Ok(Files { fs, storage })
    }

    /// Returns the number of free blocks, including those reserved for root.
    pub fn free_blocks(&self) -> u64 {
        self.fs().free_counts().0
    }

    /// Returns the number of free inodes.
    pub fn free_inodes(&self) -> u32 {
        self.fs().free_counts().1
    }

    /// Returns the metadata of an inode that is in use.
    ///
    /// # Errors
    /// [`Error::InodeNumber`], [`Error::InodeChecksum`]; [`Error::Kind`] if the inode is not
    /// in use.
    pub fn stat(&self, inode: u32) -> Result<Metadata> {
        let inode = self.inode(inode)?;
        require_linked(&inode)?;
        Ok(Metadata::of(&inode))
    }

    /// Returns the inode that a name in a directory stands for.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Flag`], damage to the directory.
    pub fn look_up(&self, dir: u32, name: &[u8]) -> Result<Option<u32>> {
        let entry = directory::look_up(self, &self.inode(dir)?, name)?;
        Ok(entry.map(|entry| entry.inode))
    }

    /// Returns the names in a directory, in the order of its blocks, without `.` and `..`.
    ///
    /// # Errors
    /// As for [`look_up`](Self::look_up).
    pub fn entries(&self, dir: u32) -> Result<Vec<DirEntry>> {
        let entries = directory::entries(self, &self.inode(dir)?)?;
        let entries = entries.into_iter().filter(|entry| !entry.is_dots());
        Ok(entries.map(|entry| DirEntry { inode: entry.inode, name: entry.name }).collect())
    }
}
