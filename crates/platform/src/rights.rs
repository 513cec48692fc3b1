//! Opening devices in a program that sudo gave the rights of root.
//!
//! Such a program may have taken on the identity of the user who called sudo, with root only as
//! its saved user id, so that whatever it makes belongs to that user
//! ([`invoker`](crate::invoker)). Devices still need root. Only Linux has this; elsewhere nothing
//! is done as root.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use crate::{FileInfo, system};

/// Opens a file or device. If the user is not allowed to open a block device, and the process
/// has root as its saved user id, the device is opened as root.
///
/// # Errors
/// Those of the operating system.
pub fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    let denied = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => error,
        other => return other,
    };
    if !FileInfo::at(path).is_ok_and(|found| found.is_block_device()) {
        return Err(denied);
    }
    let Some(file) = with_root(|| options.open(path)) else { return Err(denied) };
    let file = file?;
    // The path may have led elsewhere a moment later, to a file that is not the user's.
    if FileInfo::of(&file)?.is_block_device() { Ok(file) } else { Err(denied) }
}

/// Does something as root, in this thread only, if the process has root as its saved user id.
/// Returns `None` otherwise.
pub fn with_root<T>(action: impl FnOnce() -> T) -> Option<T> {
    let _rights = system::RootRights::take()?;
    Some(action())
}
