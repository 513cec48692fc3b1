//! Making sure that no other process has a file open.
//!
//! The kernel grants a write lease (fcntl(2), F_SETLEASE) only while nobody else has the file open,
//! by whatever name or loop device.
#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, PermissionsExt as _},
    },
    path::Path,
};

use crate::FileInfo;

/// The request to be told of a broken lease by another signal than SIGIO (`linux/fcntl.h`).
const F_SETSIG: i32 = 10;

/// Opens a file and leases it.
pub(crate) fn open_unshared(path: &Path) -> io::Result<File> {
    let file = crate::open_regular(path, OpenOptions::new().read(true).write(true))?;
    let user = rustix::process::geteuid().as_raw();
    let is_link = FileInfo::at_link(path)?.id != FileInfo::of(&file)?.id;
    if is_link || has_second_name(&file)? || file.metadata()?.uid() != user {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    // Whoever opens the file from now on breaks the lease, of which the kernel tells by a signal.
    // SIGURG is ignored by default; SIGIO would end the process.
    request(&file, F_SETSIG, libc::SIGURG)?;
    request(&file, libc::F_SETLEASE, libc::F_WRLCK)?;
    Ok(file)
}

/// Gives the lease back, and makes the file private.
pub(crate) fn end_lease(file: &File) -> io::Result<()> {
    // A name can be added without opening the file.
    let is_held = is_leased(file)? && !has_second_name(file)?;
    request(file, libc::F_SETLEASE, libc::F_UNLCK)?;
    if !is_held {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    let mut permissions = file.metadata()?.permissions();
    permissions.set_mode(0o600);
    file.set_permissions(permissions)
}

fn has_second_name(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() != 1)
}

/// Returns whether nobody has asked to open the file since it was leased.
fn is_leased(file: &File) -> io::Result<bool> {
    Ok(request(file, libc::F_GETLEASE, 0)? == libc::F_WRLCK)
}

fn request(file: &File, request: i32, argument: i32) -> io::Result<i32> {
    // SAFETY: these requests take an integer, and touch no memory of ours.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), request, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;
    use crate::opening::UnsharedFile;

    #[test]
    fn only_a_file_that_nobody_else_has_is_unshared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"bytes").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = UnsharedFile::open(&path).unwrap().into_file(&path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(file);

        let reader = File::open(&path).unwrap();
        UnsharedFile::open(&path).unwrap_err();
        drop(reader);
        let second = directory.path().join("second");
        fs::hard_link(&path, &second).unwrap();
        UnsharedFile::open(&path).unwrap_err();
        fs::remove_file(&second).unwrap();
        std::os::unix::fs::symlink(&path, &second).unwrap();
        UnsharedFile::open(&second).unwrap_err();
        fs::remove_file(&second).unwrap();

        // A second name that it gets meanwhile, and another file in its place.
        let unshared = UnsharedFile::open(&path).unwrap();
        fs::hard_link(&path, &second).unwrap();
        unshared.into_file(&path).unwrap_err();
        fs::remove_file(&second).unwrap();
        let unshared = UnsharedFile::open(&path).unwrap();
        fs::rename(&path, &second).unwrap();
        fs::write(&path, b"other").unwrap();
        unshared.into_file(&path).unwrap_err();

        // Who opens it meanwhile waits, and is noticed.
        let leased = open_unshared(&path).unwrap();
        let opener = thread::spawn({
            let path = path.clone();
            move || File::open(path).map(drop)
        });
        while !opener.is_finished() && is_leased(&leased).unwrap() {
            thread::yield_now();
        }
        end_lease(&leased).unwrap_err();
        opener.join().unwrap().unwrap();
    }
}
