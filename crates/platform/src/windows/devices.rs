//! Devices are not written on Windows.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use windows_sys::Win32::Foundation::{
    ERROR_DEV_NOT_EXIST, ERROR_DEVICE_NOT_CONNECTED, ERROR_NO_MEDIA_IN_DRIVE, ERROR_NOT_READY,
};

use crate::devices::Opening;

pub(crate) const OTHER_PROGRAMS: &str = "Raspberry Pi Imager, balenaEtcher or Rufus";

pub(crate) fn open_device(path: &Path, opening: Opening) -> io::Result<File> {
    OpenOptions::new().read(true).write(opening.writable).open(path)
}

fn is(error: &io::Error, codes: &[u32]) -> bool {
    error.raw_os_error().is_some_and(|code| codes.contains(&code.cast_unsigned()))
}

pub(crate) fn has_no_medium(error: &io::Error) -> bool {
    is(error, &[ERROR_NOT_READY, ERROR_NO_MEDIA_IN_DRIVE])
}

pub(crate) fn is_gone(error: &io::Error) -> bool {
    has_no_medium(error) || is(error, &[ERROR_DEVICE_NOT_CONNECTED, ERROR_DEV_NOT_EXIST])
}

/// `\\.\PhysicalDrive1` and `\\.\E:` are devices, and so is a drive without a path.
pub(crate) fn is_foreign_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let is_drive = matches!(text.as_bytes(), [letter, b':'] | [letter, b':', b'\\']
        if letter.is_ascii_alphabetic());
    is_drive || text.starts_with(r"\\.\") || text.starts_with("/dev/")
}
