//! Opening block devices.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::unix::{ffi::OsStringExt as _, fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{fs::OFlags, io::Errno};

use crate::{devices::Opening, rights, unix::is};

pub(crate) const OTHER_PROGRAMS: &str = "dd";

pub(crate) fn open_device(path: &Path, opening: Opening) -> io::Result<File> {
    let mut flags = OFlags::empty();
    flags.set(OFlags::EXCL, opening.exclusive);
    flags.set(OFlags::DIRECT, opening.direct);
    flags.set(OFlags::NONBLOCK, opening.at_once);
    let mut options = OpenOptions::new();
    options.read(true).write(opening.writable).custom_flags(flags.bits().cast_signed());
    rights::open(path, &options)
}

pub(crate) fn split_number(device: u64) -> (u32, u32) {
    (rustix::fs::major(device), rustix::fs::minor(device))
}

pub(crate) fn path_of(bytes: Vec<u8>) -> PathBuf {
    OsString::from_vec(bytes).into()
}

pub(crate) fn use_page_cache(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fcntl_setfl(file, OFlags::empty())?)
}

pub(crate) fn sector_size(device: &File) -> io::Result<u32> {
    Ok(rustix::fs::ioctl_blksszget(device)?)
}

pub(crate) fn has_no_medium(error: &io::Error) -> bool {
    is(error, Errno::NOMEDIUM) || is(error, Errno::NXIO)
}

pub(crate) fn is_gone(error: &io::Error) -> bool {
    has_no_medium(error) || is(error, Errno::NODEV)
}

pub(crate) fn is_foreign_path(_: &Path) -> bool {
    false
}
