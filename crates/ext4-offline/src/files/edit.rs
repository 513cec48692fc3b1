//! The files of a filesystem, opened for editing.

use std::{ops::Deref, sync::Arc};

use block_io::WriteAt;

use super::{refuse_journal, require_kind, require_linked};
use crate::{
    FileKind, Operation, Result, Timestamp,
    filesystem::Filesystem,
    inode::{Inode, TimeField},
    source::{Files, Source},
    volume::Volume,
};

/// The files of a filesystem by inode, for reading and editing.
///
/// Nothing is complete before [`finish`](Self::finish): bitmaps, descriptors and the
/// superblock are kept in memory until then.
#[derive(Debug)]
pub struct FilesMut {
    volume: Volume,
    pub(super) now: Timestamp,
    pub(super) generation: u32,
}

impl Deref for FilesMut {
    type Target = Files;

    fn deref(&self) -> &Files {
        self.volume.files()
    }
}

impl FilesMut {
    /// Opens the filesystem that fills `storage`, or its first part.
    ///
    /// `now` becomes the time of every change. The generations of new inodes count from it,
    /// so the same edits give the same bytes.
    ///
    /// # Errors
    /// [`Error`](crate::Error): damage; a feature that is not supported; `NeedsRecovery` and
    /// `Orphans` for a filesystem that must be [recovered](crate::recover) first;
    /// `MarkedErroneous`, `NotClean`.
    pub fn open(storage: Arc<dyn WriteAt>, now: Timestamp) -> Result<Self> {
        let fs = Filesystem::open(&storage, Operation::Edit)?;
        fs.check_state(Operation::Edit)?;
        // The low half of the time differs from one build to the next, as a generation
        // should.
        Ok(FilesMut { volume: Volume::new(storage, fs), now, generation: now.low_seconds() })
    }

    /// Completes all edits on the storage. If there were any, the superblock gets their time.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage); [`Error::HalfWritten`](crate::Error::HalfWritten)
    /// if a write failed before.
    pub fn finish(mut self) -> Result<()> {
        self.volume.finish(self.now)
    }

    /// Runs an edit: it is complete or has no effect.
    pub(super) fn edit<T>(&mut self, edit: impl FnOnce(&mut Volume) -> Result<T>) -> Result<T> {
        self.volume.atomically(edit)
    }

    /// Edits one inode that is in use. If that changes it, its change time becomes `now`.
    pub(super) fn edit_inode(
        &mut self,
        inode: u32,
        edit: impl FnOnce(&mut Volume, &mut Inode) -> Result<()>,
    ) -> Result<()> {
        let now = self.now;
        self.edit(|volume| {
            let mut inode = volume.inode(inode)?;
            require_linked(&inode)?;
            refuse_journal(volume, &inode)?;
            let before = inode.clone();
            edit(volume, &mut inode)?;
            if inode != before {
                inode.set_time(TimeField::Change, now);
                volume.put_inode(&mut inode)?;
            }
            Ok(())
        })
    }

    /// Edits the contents of a regular file. Its times of modification and change become
    /// `now`, even if the contents come out the same.
    pub(super) fn edit_contents(
        &mut self,
        inode: u32,
        edit: impl FnOnce(&mut Volume, &mut Inode) -> Result<()>,
    ) -> Result<()> {
        let now = self.now;
        self.edit_inode(inode, |volume, inode| {
            require_kind(inode, FileKind::Regular)?;
            super::attributes::check_contents(inode, Operation::Edit)?;
            edit(volume, inode)?;
            inode.set_time(TimeField::Modification, now);
            inode.set_time(TimeField::Change, now);
            Ok(())
        })
    }
}
