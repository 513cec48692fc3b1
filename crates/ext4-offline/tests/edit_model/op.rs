//! Operations on files as data: to be run, predicted and printed.

use std::fmt;

use ext4_offline::{
    Error, FileTimes, Timestamp,
    inodes::{FilesMut, NewFile},
};

/// Bytes that are generated when they are needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Data {
    pub seed: u8,
    pub length: usize,
}

impl Data {
    pub fn bytes(self) -> Vec<u8> {
        let mut state = u32::from(self.seed) + 1;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..self.length).map(|_| next()).collect()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.length)
    }
}

#[derive(Clone, PartialEq, Eq)]
pub enum New {
    Regular,
    Directory,
    Symlink(Vec<u8>),
}

impl fmt::Debug for New {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            New::Regular => f.write_str("a file"),
            New::Directory => f.write_str("a directory"),
            New::Symlink(target) => write!(f, "a symlink of {} bytes", target.len()),
        }
    }
}

pub type Name = Vec<u8>;

#[derive(Debug, Clone)]
pub enum Op {
    Create { dir: u32, name: Name, new: New, mode: u16 },
    Write { inode: u32, offset: u64, data: Data },
    Replace { inode: u32, data: Data },
    Resize { inode: u32, size: u64 },
    Link { inode: u32, dir: u32, name: Name },
    Rename { from: u32, name: Name, to: u32, new_name: Name },
    Unlink { dir: u32, name: Name },
    Rmdir { dir: u32, name: Name },
    SetMode { inode: u32, mode: u16 },
    SetOwner { inode: u32, uid: u32, gid: u32 },
    SetMtime { inode: u32, seconds: i64 },
    SetXattr { inode: u32, name: String, data: Data },
    RemoveXattr { inode: u32, name: String },
}

/// The result of an operation that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Nothing,
    /// The new file's inode.
    Inode(u32),
    /// Whether there was such an attribute.
    Was(bool),
}

impl Op {
    /// Runs the operation.
    pub fn run(&self, files: &mut FilesMut) -> Result<Outcome, Error> {
        let done = match self {
            Op::Create { dir, name, new, mode } => {
                let new = match new {
                    New::Regular => NewFile::Regular,
                    New::Directory => NewFile::Directory,
                    New::Symlink(target) => NewFile::Symlink(target),
                };
                return files.create(*dir, name, new, *mode).map(Outcome::Inode);
            }
            Op::RemoveXattr { inode, name } => {
                return files.remove_xattr(*inode, name).map(Outcome::Was);
            }
            Op::Write { inode, offset, data } => files.write(*inode, *offset, &data.bytes()),
            Op::Replace { inode, data } => files.replace(*inode, &data.bytes()),
            Op::Resize { inode, size } => files.resize(*inode, *size),
            Op::Link { inode, dir, name } => files.link(*inode, *dir, name),
            Op::Rename { from, name, to, new_name } => files.rename(*from, name, *to, new_name),
            Op::Unlink { dir, name } => files.unlink(*dir, name),
            Op::Rmdir { dir, name } => files.rmdir(*dir, name),
            Op::SetMode { inode, mode } => files.set_mode(*inode, *mode),
            Op::SetOwner { inode, uid, gid } => files.set_owner(*inode, *uid, *gid),
            Op::SetMtime { inode, seconds } => {
                let modified = Timestamp::saturating(*seconds);
                files.set_times(*inode, FileTimes::new().set_modified(modified))
            }
            Op::SetXattr { inode, name, data } => files.set_xattr(*inode, name, &data.bytes()),
        };
        done.map(|()| Outcome::Nothing)
    }

    /// Its name, for counting.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Create { new: New::Regular, .. } => "create",
            Op::Create { new: New::Directory, .. } => "mkdir",
            Op::Create { new: New::Symlink(_), .. } => "symlink",
            Op::Write { .. } => "write",
            Op::Replace { .. } => "replace",
            Op::Resize { .. } => "resize",
            Op::Link { .. } => "link",
            Op::Rename { .. } => "rename",
            Op::Unlink { .. } => "unlink",
            Op::Rmdir { .. } => "rmdir",
            Op::SetMode { .. } => "set_mode",
            Op::SetOwner { .. } => "set_owner",
            Op::SetMtime { .. } => "set_mtime",
            Op::SetXattr { .. } => "set_xattr",
            Op::RemoveXattr { .. } => "remove_xattr",
        }
    }
}

/// Why an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Exists,
    NoEntry,
    NotEmpty,
    Kind,
    Loop,
    Name,
    Limit,
    Full,
}

impl Refusal {
    /// The reason of an error, if an intact filesystem can give it.
    pub fn of(error: &Error) -> Option<Self> {
        Some(match error {
            Error::Exists { .. } => Refusal::Exists,
            Error::NoEntry { .. } => Refusal::NoEntry,
            Error::NotEmpty { .. } => Refusal::NotEmpty,
            Error::Kind { .. } => Refusal::Kind,
            Error::Loop { .. } => Refusal::Loop,
            Error::FileName { .. } => Refusal::Name,
            Error::Limit { .. } => Refusal::Limit,
            Error::Full { .. } => Refusal::Full,
            _ => return None,
        })
    }
}
