//! Files, and what is known about them.

use std::{
    fs::{File, OpenOptions},
    io,
    os::windows::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES,
};

use super::control::place;
use crate::{
    info::{FileId, FileInfo, FileKind},
    sparse::Advice,
};

pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buf, offset)
}

pub(crate) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    file.seek_write(buf, offset)
}

/// Named pipes are in a namespace of their own.
pub(crate) fn open_at_once(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.open(path)
}

pub(crate) fn is_pipe_without_reader(_: &io::Error) -> bool {
    false
}

pub(crate) fn share_blocks(_: &File, _: &mut File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn advise(_: &File, _: Advice) {}

pub(crate) fn drop_cached(_: &File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}

pub(crate) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn is_writable(directory: &Path) -> bool {
    directory.is_dir()
}

pub(crate) fn info_at(path: &Path) -> io::Result<FileInfo> {
    info_of(&open(path, 0)?)
}

pub(crate) fn info_at_link(path: &Path) -> io::Result<FileInfo> {
    info_of(&open(path, FILE_FLAG_OPEN_REPARSE_POINT)?)
}

/// Opens a file or directory for looking at what is known about it.
fn open(path: &Path, flags: u32) -> io::Result<File> {
    let flags = flags | FILE_FLAG_BACKUP_SEMANTICS;
    OpenOptions::new().access_mode(FILE_READ_ATTRIBUTES).custom_flags(flags).open(path)
}

pub(crate) fn info_of(file: &File) -> io::Result<FileInfo> {
    let found = file.metadata()?.file_type();
    let kind = if found.is_dir() {
        FileKind::Directory
    } else if found.is_file() {
        FileKind::Regular
    } else {
        FileKind::Other
    };
    let (device, inode, size) = place(file)?;
    Ok(FileInfo { kind, id: FileId { device, inode }, size, device: None, group: None })
}
