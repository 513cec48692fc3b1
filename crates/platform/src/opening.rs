//! Opening files that other users may have put there.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use crate::{FileInfo, system};

/// Opens a regular file. Unlike [`OpenOptions::open`], it does not wait for the other end of a
/// named pipe, and does not open a device, which can already do something.
///
/// # Errors
/// Those of the operating system, and [`io::ErrorKind::InvalidInput`] for anything but a
/// regular file.
pub fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    only_regular(path, |path| system::open_at_once(path, options))
}

/// Opens a file for reading that need not be a regular one. It does not wait for the other end of
/// a named pipe.
///
/// # Errors
/// Those of the operating system.
pub fn open_at_once(path: &Path) -> io::Result<File> {
    system::open_at_once(path, OpenOptions::new().read(true))
}

/// Opens a file to be locked, and creates it, for its owner only, if it is missing. A symlink
/// is not followed.
///
/// # Errors
/// As [`open_regular`].
pub fn open_lock(path: &Path) -> io::Result<File> {
    only_regular(path, system::open_lock)
}

/// Opens a file for writing, and creates it, for its owner only, if it is missing.
///
/// # Errors
/// Those of the operating system.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    system::open_or_create(path)
}

/// A file that only this process has open, and that nobody can open unnoticed.
#[derive(Debug)]
pub struct UnsharedFile {
    file: File,
}

impl UnsharedFile {
    /// Opens a regular file for reading and writing whose changes nobody else can notice: the
    /// user owns it, it has no second name, and no other process has it open. A symlink is not
    /// followed. Only Linux can make sure of that.
    ///
    /// # Errors
    /// Those of the operating system; [`io::ErrorKind::ResourceBusy`] or
    /// [`io::ErrorKind::WouldBlock`] if it is shared, and [`io::ErrorKind::Unsupported`].
    pub fn open(path: &Path) -> io::Result<Self> {
        system::open_unshared(path).map(|file| UnsharedFile { file })
    }

    /// Returns the file, which must be at `path` by now and is private from now on: a process that
    /// opens it by this name is not noticed any more.
    ///
    /// # Errors
    /// Those of the operating system, and [`io::ErrorKind::ResourceBusy`] if a process has asked
    /// to open it since, if it has got a second name, or if another file is at `path`.
    pub fn into_file(self, path: &Path) -> io::Result<File> {
        let is_there = FileInfo::at_link(path)?.id == FileInfo::of(&self.file)?.id;
        system::end_lease(&self.file)?;
        if is_there { Ok(self.file) } else { Err(io::ErrorKind::ResourceBusy.into()) }
    }
}

fn only_regular(path: &Path, open: impl FnOnce(&Path) -> io::Result<File>) -> io::Result<File> {
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    // What is put there between this look and the opening is seen below.
    if FileInfo::at(path).is_ok_and(|found| !found.is_file()) {
        return Err(not_regular());
    }
    match open(path) {
        Ok(file) if FileInfo::of(&file)?.is_file() => Ok(file),
        Ok(_) => Err(not_regular()),
        // A named pipe without a reader, opened for writing.
        Err(error) if system::is_pipe_without_reader(&error) => Err(not_regular()),
        Err(error) => Err(error),
    }
}
