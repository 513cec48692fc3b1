//! Opening files that other users may have put there.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;

/// Opens a regular file. Unlike [`OpenOptions::open`], it does not wait for the other end of a
/// named pipe, and does not open a device, which can already do something.
///
/// # Errors
/// Those of the operating system, and [`io::ErrorKind::InvalidInput`] for anything but a
/// regular file.
pub fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    open_with(path, options, OFlags::empty())
}

/// Opens a file to be locked, and creates it, for its owner only, if it is missing. A symlink
/// is not followed.
///
/// # Errors
/// As [`open_regular`].
pub fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    open_with(path, &mut options, OFlags::NOFOLLOW)
}

fn open_with(path: &Path, options: &mut OpenOptions, flags: OFlags) -> io::Result<File> {
    let not_regular = || io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
    // What is put there between this look and the opening is seen below.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(not_regular());
    }
    options.custom_flags((flags | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    match options.open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Ok(_) => Err(not_regular()),
        // A named pipe without a reader, opened for writing.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            Err(not_regular())
        }
        Err(error) => Err(error),
    }
}

/// Returns whether what belongs to this user cannot be changed behind the caller's back: it is
/// the caller, or root, or the user who has become root by sudo or pkexec.
pub fn is_trusted_owner(user: u32) -> bool {
    let caller = rustix::process::geteuid().as_raw();
    is_trusted_by(caller, user, |name| std::env::var(name).ok()?.parse().ok())
}

fn is_trusted_by(caller: u32, user: u32, variable: impl Fn(&str) -> Option<u32>) -> bool {
    let behind_root = ["SUDO_UID", "PKEXEC_UID"].into_iter().find_map(variable);
    user == caller || user == 0 || (caller == 0 && behind_root == Some(user))
}

/// Returns whether only trusted users could have written a file: by its owner, and by its
/// permission bits.
pub fn is_trusted_file(metadata: &Metadata) -> bool {
    is_trusted_owner(metadata.uid()) && metadata.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::symlink, net::UnixListener};

    use super::*;

    #[test]
    fn opens_nothing_but_regular_files() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), b"x").unwrap();
        symlink("file", at("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        symlink("/dev/tty", at("tty")).unwrap();
        for good in ["file", "link"] {
            open_regular(&at(good), OpenOptions::new().read(true)).unwrap();
        }
        open_lock(&at("file")).unwrap();
        open_lock(&at("new")).unwrap();
        assert!(open_lock(&at("link")).is_err(), "a symlink to a lock is not followed");
        let odd = [at("pipe"), at("socket"), at("tty"), at("."), "/dev/null".into()];
        for odd in odd {
            for writable in [false, true] {
                let mut options = OpenOptions::new();
                let error = open_regular(&odd, options.read(true).write(writable)).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{odd:?}: {error}");
            }
            assert!(open_lock(&odd).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn root_trusts_the_user_behind_sudo_and_nobody_trusts_others() {
        let none = |_: &str| None;
        let sudo = |name: &str| (name == "SUDO_UID").then_some(1000);
        for (caller, user, by_sudo, expected) in [
            (1000, 1000, false, true),
            (1000, 0, false, true),
            (1000, 1001, false, false),
            (0, 1000, false, false),
            (0, 1000, true, true),
            (0, 1001, true, false),
            (1001, 1000, true, false),
        ] {
            let trusted = if by_sudo {
                is_trusted_by(caller, user, sudo)
            } else {
                is_trusted_by(caller, user, none)
            };
            assert_eq!(trusted, expected, "{caller} {user} {by_sudo}");
        }
    }
}
