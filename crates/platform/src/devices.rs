//! Block devices: what the kernel does for those who write cards.
//!
//! Only Linux lists its devices in a way that shows which of them may be overwritten
//! ([`ARE_LISTED`]). Elsewhere, the requests to devices are errors of the kind
//! [`Unsupported`](io::ErrorKind::Unsupported), and files are opened as usual.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::system;

/// Whether this system lists its block devices and who uses them.
pub const ARE_LISTED: bool = cfg!(target_os = "linux");

/// How a device, or a file instead of one, is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opening {
    /// For writing too.
    pub writable: bool,
    /// Only if nobody else has opened the device exclusively or mounted it (O_EXCL).
    pub exclusive: bool,
    /// Without the page cache, if the system and the filesystem can do so (O_DIRECT).
    pub direct: bool,
    /// Without waiting for a medium or for the other end of a pipe (O_NONBLOCK).
    pub at_once: bool,
}

impl Opening {
    /// Opens it, with the rights of root if the user lacks them ([`rights`](crate::rights)).
    ///
    /// # Errors
    /// Those of the operating system: `EINVAL` if it has to do without the page cache and cannot.
    pub fn open(self, path: &Path) -> io::Result<File> {
        system::open_device(path, self)
    }
}

/// What is behind a loop device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopStatus {
    /// The number of the device of the file's filesystem.
    pub device: u64,
    /// The file's inode.
    pub inode: u64,
    /// The device's number, if the file is one; else 0.
    pub rdevice: u64,
}

/// Splits the number of a device into its major and its minor number.
pub fn split_number(device: u64) -> (u32, u32) {
    system::split_number(device)
}

/// Makes all further reads and writes use the page cache.
///
/// # Errors
/// Those of the operating system.
pub fn use_page_cache(file: &File) -> io::Result<()> {
    system::use_page_cache(file)
}

/// Returns a path that the kernel wrote into a file.
pub fn path_of(bytes: Vec<u8>) -> PathBuf {
    system::path_of(bytes)
}

/// Returns the size of a device's sectors in bytes.
///
/// # Errors
/// Those of the operating system.
pub fn sector_size(device: &File) -> io::Result<u32> {
    system::sector_size(device)
}

/// Lets the kernel read the partition table again.
///
/// # Errors
/// Those of the kernel: `EBUSY` while a partition is in use, `EINVAL` if it does not look for
/// partitions on such devices.
pub fn reread_partition_table(device: &File) -> io::Result<()> {
    system::reread_partition_table(device)
}

/// Discards the first `length` bytes of the device.
///
/// # Errors
/// Those of the kernel: `EOPNOTSUPP` if the device or its reader does not support it.
pub fn discard(device: &File, length: u64) -> io::Result<()> {
    system::discard(device, length)
}

/// Returns what is behind a loop device.
///
/// # Errors
/// Those of the kernel: `ENXIO` if it has no file, `ENOTTY` if it is no loop device.
pub fn loop_status(device: &File) -> io::Result<LoopStatus> {
    system::loop_status(device)
}

/// Returns whether an error means that there is no medium in the reader.
pub fn has_no_medium(error: &io::Error) -> bool {
    system::has_no_medium(error)
}

/// Returns whether an error means that a device, or the medium in it, is gone.
pub fn is_gone(error: &io::Error) -> bool {
    system::is_gone(error)
}

/// Returns whether a path is meant as a device of a system that does not list them, such as
/// `\\.\PhysicalDrive1` or `/dev/disk2`.
pub fn is_foreign_path(path: &Path) -> bool {
    system::is_foreign_path(path)
}

/// Returns what images can be written to cards with, on a system that does not list its devices.
pub fn other_programs() -> &'static str {
    system::OTHER_PROGRAMS
}
