//! The root filesystem of an image, by path.
//!
//! [`ext4_offline`] does the work. What is nodecard's own is here: applying [`FileEdit`]s,
//! copying files of this machine, files of boot partitions, and showing all of these to
//! rendering ([`SystemFiles`]). A path
//! that does not exist is `None` here, not an error.
//!
//! [`FileEdit`]: cluster_profile::FileEdit
//! [`SystemFiles`]: cluster_profile::SystemFiles

mod apply;
mod boot;
mod copy;
mod error;
mod read;
mod shared;
mod system;

use std::{ops::Deref, sync::Arc};

use block_io::{ReadAt, WriteAt};
use ext4_offline::{Editor, Reader, Timestamp};

pub use boot::{BootEdit, edit_boot_in_place};
pub use copy::SourceError;
pub use error::{FsError, FsResult};
pub use ext4_offline::Metadata;

/// The files of a root filesystem, for reading.
#[derive(Debug)]
pub struct RootFs {
    reader: Reader,
    /// The boot partitions that are mounted in it.
    boot: Vec<boot::BootFiles>,
}

impl RootFs {
    /// Opens the filesystem that fills `storage`. A journal is replayed in memory.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or has a feature that is not supported.
    pub fn open(storage: Arc<dyn ReadAt>) -> FsResult<Self> {
        Ok(RootFs { reader: Reader::open(storage)?, boot: Vec::new() })
    }

    /// Returns the filesystem with the methods of `std::fs`.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }
}

/// The files of a root filesystem, for reading and editing.
#[derive(Debug)]
pub struct RootFsEditor {
    editor: Editor,
    /// What edits are complete can be read through it.
    files: RootFs,
    boot: Vec<boot::BootEditor>,
    /// In seconds since 1970.
    now: i64,
    /// Whether new contents are for all names of a file.
    keeps_names: bool,
}

impl Deref for RootFsEditor {
    type Target = RootFs;

    fn deref(&self) -> &RootFs {
        &self.files
    }
}

impl RootFsEditor {
    /// Opens the filesystem that fills `storage`, after doing what mounting it would do first:
    /// replaying its journal and removing orphans.
    ///
    /// `now`, in seconds since 1970, becomes the time of every change.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or has a feature that is not supported. At most the
    /// replay of the journal has been written then.
    pub fn open(storage: Arc<dyn WriteAt>, now: u64) -> FsResult<Self> {
        let editor = Editor::open(storage, Timestamp::saturating(now))?;
        let files = RootFs { reader: (*editor).clone(), boot: Vec::new() };
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        Ok(RootFsEditor { editor, files, boot: Vec::new(), now, keeps_names: false })
    }

    /// Returns the filesystem with the methods of `std::fs`, for editing.
    pub fn editor(&mut self) -> &mut Editor {
        &mut self.editor
    }

    /// Completes all edits. Without it the filesystem is not consistent.
    ///
    /// # Errors
    /// [`FsError`] if that cannot be written.
    pub fn close(self) -> FsResult<()> {
        Ok(self.editor.finish()?)
    }
}
