//! Devices are not written on macOS.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use rustix::io::Errno;

pub(crate) use crate::unsupported::*;
use crate::{devices::Opening, unix::is};

pub(crate) const OTHER_PROGRAMS: &str = "Raspberry Pi Imager, balenaEtcher or dd";

pub(crate) fn open_device(path: &Path, opening: Opening) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(opening.writable);
    if opening.at_once {
        return crate::unix::open_at_once(path, &mut options);
    }
    options.open(path)
}

pub(crate) fn has_no_medium(error: &io::Error) -> bool {
    is(error, Errno::NXIO)
}

pub(crate) fn is_gone(error: &io::Error) -> bool {
    has_no_medium(error) || is(error, Errno::NODEV)
}

pub(crate) fn is_foreign_path(path: &Path) -> bool {
    path.starts_with("/dev")
}
