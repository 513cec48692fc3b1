//! Shared blocks, and advice that is not taken.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use rustix::fs::{CWD, CloneFlags};

use crate::{Privacy, sparse::Advice, unix::create_new};

/// clonefile(2) only makes new files, so the empty file is replaced.
pub(crate) fn share_blocks(from: &File, to: &mut File, path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    if let Err(errno) = rustix::fs::fclonefileat(from, CWD, path, CloneFlags::empty()) {
        *to = create_new(path, Privacy::Private)?;
        return Err(errno.into());
    }
    // A clone has the permissions of what it is a clone of.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    *to = OpenOptions::new().read(true).write(true).open(path)?;
    Ok(())
}

pub(crate) fn advise(_: &File, _: Advice) {}

pub(crate) fn drop_cached(_: &File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}
