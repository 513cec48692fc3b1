//! Owners and permission bits.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{
        DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
    },
    path::Path,
};

use rustix::fs::OFlags;

use crate::access::{Access, Owner, Permissions, Privacy};

pub(crate) fn create_new(path: &Path, privacy: Privacy) -> io::Result<File> {
    let mode = match privacy {
        Privacy::Private => 0o600,
        Privacy::Public => 0o644,
    };
    OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)
}

pub(crate) fn create_directory(path: &Path, privacy: Privacy) -> io::Result<()> {
    let mode = match privacy {
        Privacy::Private => 0o700,
        Privacy::Public => 0o755,
    };
    DirBuilder::new().mode(mode).create(path)
}

/// Opens a file for writing, and creates it for its owner only.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

pub(crate) fn access_of(file: &File) -> io::Result<Access> {
    Ok(access(&file.metadata()?))
}

pub(crate) fn access_at(path: &Path) -> io::Result<Access> {
    Ok(access(&fs::metadata(path)?))
}

pub(crate) fn access_at_link(path: &Path) -> io::Result<Access> {
    Ok(access(&fs::symlink_metadata(path)?))
}

pub(crate) fn make_private(file: &File) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_mode(permissions.mode() & 0o700);
    file.set_permissions(permissions)
}

fn access(metadata: &Metadata) -> Access {
    let mode = metadata.mode() & 0o7777;
    Access {
        owner: Owner::User(metadata.uid()),
        permissions: Permissions::Mode(mode),
        is_owner_trusted: is_trusted_owner(metadata.uid()),
        others_read: mode & 0o055 != 0,
        others_write: mode & 0o022 != 0,
    }
}

/// Returns whether what belongs to this user cannot be changed behind the caller's back.
fn is_trusted_owner(user: u32) -> bool {
    let caller = rustix::process::geteuid().as_raw();
    is_trusted_by(caller, user, |name| std::env::var(name).ok()?.parse().ok())
}

fn is_trusted_by(caller: u32, user: u32, variable: impl Fn(&str) -> Option<u32>) -> bool {
    let behind_root = ["SUDO_UID", "PKEXEC_UID"].into_iter().find_map(variable);
    user == caller || user == 0 || (caller == 0 && behind_root == Some(user))
}

pub(crate) fn command_to_restrict(word: &str, is_directory: bool) -> String {
    let mode = if is_directory { "700" } else { "600" };
    format!("chmod {mode} {word}")
}

pub(crate) fn command_to_own(word: &str) -> String {
    format!("chown -R $(id -u) {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn others_are_the_group_and_everybody() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // Executing alone gives nobody the contents of a file, but names in a directory.
        for (mode, exposed, written) in [
            (0o600, false, false),
            (0o700, false, false),
            (0o640, true, false),
            (0o604, true, false),
            (0o620, true, true),
            (0o602, true, true),
            (0o710, true, false),
        ] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            let access = Access::at(file.path()).unwrap();
            assert_eq!(
                (access.is_exposed(), access.others_write()),
                (exposed, written),
                "{mode:o}"
            );
            assert_eq!(access.permissions, Permissions::Mode(mode));
            make_private(file.as_file()).unwrap();
            let access = Access::at(file.path()).unwrap();
            assert_eq!(access.permissions, Permissions::Mode(mode & 0o700));
        }
    }
}
