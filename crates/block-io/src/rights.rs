//! Opening devices in a program that sudo gave the rights of root.
//!
//! Such a program may have taken on the identity of the user who called sudo, with root only as
//! its saved user id, so that whatever it makes belongs to that user. Devices still need root.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileTypeExt as _,
    path::Path,
};

use rustix::{
    process::{Uid, geteuid},
    thread::set_thread_res_uid,
};

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
    let is_device = |metadata: fs::Metadata| metadata.file_type().is_block_device();
    if !fs::metadata(path).is_ok_and(is_device) {
        return Err(denied);
    }
    let Some(file) = with_root(|| options.open(path)) else { return Err(denied) };
    let file = file?;
    // The path may have led elsewhere a moment later, to a file that is not the user's.
    if is_device(file.metadata()?) { Ok(file) } else { Err(denied) }
}

/// Does something as root, in this thread only, if the process has root as its saved user id.
/// Returns `None` otherwise.
pub fn with_root<T>(action: impl FnOnce() -> T) -> Option<T> {
    let _rights = RootRights::take()?;
    Some(action())
}

/// The rights of root, until this is dropped.
struct RootRights {
    user: Uid,
}

impl RootRights {
    fn take() -> Option<Self> {
        let user = geteuid();
        if user.is_root() {
            return None;
        }
        set_thread_res_uid(None, Uid::ROOT, None).ok()?;
        Some(RootRights { user })
    }
}

impl Drop for RootRights {
    fn drop(&mut self) {
        // The kernel never refuses this to root. Nothing is safe to do if it does.
        if set_thread_res_uid(None, self.user, None).is_err() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_as_saved_id_nothing_changes() {
        let before = geteuid();
        let done = with_root(geteuid);
        assert!(done.is_none() || !before.is_root());
        assert_eq!(geteuid(), before);
    }
}
