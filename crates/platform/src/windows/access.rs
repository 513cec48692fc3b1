//! Private files, by access lists.
#![allow(unsafe_code)]

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::windows::{fs::OpenOptionsExt as _, io::FromRawHandle as _},
    path::Path,
    ptr,
};

use windows_sys::Win32::{
    Foundation::{GENERIC_ALL, GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE},
    Storage::FileSystem::{
        CREATE_NEW, CreateDirectoryW, CreateFileW, DELETE, FILE_APPEND_DATA, FILE_ATTRIBUTE_NORMAL,
        FILE_DELETE_CHILD, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
        FILE_READ_DATA, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_WRITE_DATA,
        READ_CONTROL, WRITE_DAC, WRITE_OWNER,
    },
};

use super::{
    acl::{Allowed, Descriptor, Security, security_of, user_sid},
    text::wide_path,
};
use crate::access::{Access, Owner, Permissions, Privacy};

/// Those who can get at everything anyway, as root can: the system and the administrators; and
/// names for the owner.
const TRUSTED: [&str; 4] = ["S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4"];

const READ: u32 = FILE_READ_DATA | GENERIC_READ | GENERIC_ALL;
const WRITE: u32 = FILE_WRITE_DATA
    | FILE_APPEND_DATA
    | FILE_DELETE_CHILD
    | DELETE
    | WRITE_DAC
    | WRITE_OWNER
    | GENERIC_WRITE
    | GENERIC_ALL;

pub(crate) fn create_new(path: &Path, privacy: Privacy) -> io::Result<File> {
    if privacy == Privacy::Public {
        return OpenOptions::new().read(true).write(true).create_new(true).open(path);
    }
    let (wide, descriptor) = (wide_path(path)?, Descriptor::private()?);
    let attributes = descriptor.attributes();
    // SAFETY: the path ends with zero, and the descriptor lives until the end of this function.
    let handle = unsafe {
        CreateFileW(
            wide.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            &raw const attributes,
            CREATE_NEW,
            FILE_ATTRIBUTE_NORMAL,
            ptr::null_mut(),
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was just opened, and nothing else owns it.
    Ok(unsafe { File::from_raw_handle(handle) })
}

pub(crate) fn create_directory(path: &Path, privacy: Privacy) -> io::Result<()> {
    if privacy == Privacy::Public {
        return fs::create_dir(path);
    }
    let (wide, descriptor) = (wide_path(path)?, Descriptor::private()?);
    let attributes = descriptor.attributes();
    // SAFETY: the path ends with zero, and the descriptor lives until the end of this function.
    if unsafe { CreateDirectoryW(wide.as_ptr(), &raw const attributes) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Opens a file for writing, and creates it with the access list of its directory.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)
}

pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    if file.metadata()?.file_type().is_symlink() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a symlink"));
    }
    Ok(file)
}

pub(crate) fn make_private(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn access_of(file: &File) -> io::Result<Access> {
    Ok(access(security_of(file)?, &user_sid()?))
}

pub(crate) fn access_at(path: &Path) -> io::Result<Access> {
    access_of(&open(path, 0)?)
}

pub(crate) fn access_at_link(path: &Path) -> io::Result<Access> {
    access_of(&open(path, FILE_FLAG_OPEN_REPARSE_POINT)?)
}

/// Opens a file or directory for looking at its access list.
fn open(path: &Path, flags: u32) -> io::Result<File> {
    let flags = flags | FILE_FLAG_BACKUP_SEMANTICS;
    OpenOptions::new().access_mode(READ_CONTROL).custom_flags(flags).open(path)
}

fn access(security: Security, user: &str) -> Access {
    let Security { owner, allowed } = security;
    let is_trusted = |sid: &str| sid == user || TRUSTED.contains(&sid);
    let is_other = |entry: &&Allowed| match &entry.sid {
        Some(sid) => !is_trusted(sid) && *sid != owner,
        None => true,
    };
    let others = match &allowed {
        Some(allowed) => allowed.iter().filter(is_other).fold(0, |mask, entry| mask | entry.mask),
        None => GENERIC_ALL,
    };
    Access {
        permissions: Permissions::List,
        is_owner_trusted: is_trusted(&owner),
        others_read: others & READ != 0,
        others_write: others & WRITE != 0,
        owner: Owner::Sid(owner),
    }
}

pub(crate) fn command_to_restrict(word: &str, is_directory: bool) -> String {
    let inherited = if is_directory { "(OI)(CI)" } else { "" };
    format!("icacls {word} /inheritance:r /grant:r \"$env:USERNAME:{inherited}F\"")
}

pub(crate) fn command_to_own(word: &str) -> String {
    format!("takeown /r /f {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_is_not_trusted_counts() {
        let security = |sid: Option<&str>, mask| Security {
            owner: "S-1-5-21-1".into(),
            allowed: Some(vec![Allowed { sid: sid.map(str::to_owned), mask }]),
        };
        let look = |sid, mask| access(security(sid, mask), "S-1-5-21-1");
        assert!(!look(Some("S-1-5-21-1"), GENERIC_ALL).is_exposed());
        assert!(!look(Some("S-1-5-18"), GENERIC_ALL).is_exposed());
        assert!(look(Some("S-1-1-0"), FILE_READ_DATA).is_exposed());
        assert!(!look(Some("S-1-1-0"), FILE_READ_DATA).others_write());
        assert!(look(Some("S-1-1-0"), FILE_APPEND_DATA).others_write());
        assert!(look(None, FILE_READ_DATA).is_exposed());
        let open = Security { owner: "S-1-5-21-1".into(), allowed: None };
        assert!(access(open, "S-1-5-21-1").others_write());
        assert!(!access(security(None, 0), "S-1-5-21-2").is_owner_trusted());
    }
}
