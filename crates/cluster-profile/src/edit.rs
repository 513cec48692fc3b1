//! Changes to a system's files, as plain values.

use std::path::PathBuf;

use crate::Purpose;

/// One change to one file of an image's root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// Absolute path inside the image. Symlinks on the way are followed inside the image
    /// only, and so is a symlink at its end, except for [`Change::Symlink`],
    /// [`Change::Remove`] and [`Change::Clear`]. Rendering removes a symlink first that leads
    /// to a file with another purpose.
    pub path: String,
    /// How the file changes.
    pub change: Change,
    /// The thing on the card that the file is for.
    pub purpose: Purpose,
}

/// How a [`FileEdit`] changes its file. Missing parent directories are created with owner
/// root and mode 0755.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Makes a file with exactly these contents.
    Write {
        /// The file's new contents.
        contents: Vec<u8>,
        /// Permission bits (the low 12 bits of `i_mode`) and owner.
        attributes: Attributes,
    },
    /// Copies a file of this machine, which may be large.
    Copy {
        /// The file on this machine.
        source: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// Its SHA-256 sum.
        sha256: [u8; 32],
        /// Permission bits and owner.
        attributes: Attributes,
    },
    /// Makes a directory, or keeps the one that is there with what it holds. A symlink is
    /// rejected where the attributes are enforced: another directory would get them.
    Directory {
        /// Permission bits and owner.
        attributes: Attributes,
    },
    /// Makes a symlink, which replaces a file or symlink.
    Symlink {
        /// The path that the symlink contains.
        target: String,
    },
    /// Removes a file, a symlink, or a directory with everything below it, if there is
    /// one.
    Remove,
    /// Empties a directory, if there is one. A symlink is left alone.
    Clear,
    /// Sets a file's modification time, and creates an empty file if there is none.
    Touch {
        /// Seconds since 1970-01-01T00:00:00Z.
        mtime: u64,
        /// Permission bits and owner of a file that has to be created.
        attributes: Attributes,
    },
}

/// Permission bits and owner of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits: the low 12 bits of `i_mode`.
    pub mode: u16,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Whether a file that exists gets these too, as sshd insists on, or keeps what the
    /// image's author chose.
    pub enforce: bool,
}

impl Attributes {
    /// Returns attributes for a file of root's that has to be created. One that exists
    /// keeps its own.
    pub const fn root(mode: u16) -> Self {
        Attributes { mode, uid: 0, gid: 0, enforce: false }
    }

    /// Returns attributes that a file gets whether it exists or not.
    pub const fn exactly(mode: u16, uid: u32, gid: u32) -> Self {
        Attributes { mode, uid, gid, enforce: true }
    }
}
