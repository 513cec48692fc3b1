//! Changes to a system's files, as plain values.

use std::path::PathBuf;

use crate::Purpose;

/// One change to one file of an image's root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// Absolute path inside the image. Symlinks on the way are followed inside
    /// the image only, and so is a symlink at its end, save for
    /// [`Change::Symlink`], [`Change::Remove`] and [`Change::Clear`].
    pub path: String,
    /// What becomes of the file.
    pub change: Change,
    /// The thing on the card that the file is for.
    pub purpose: Purpose,
}

/// What a [`FileEdit`] does. Missing parent directories are made, root's, 0755.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The file holds just these bytes.
    Write {
        /// The file's new contents.
        contents: Vec<u8>,
        /// Permission bits (the low 12 bits of `i_mode`) and owner.
        attributes: Attributes,
    },
    /// The file holds what a file of this machine holds, which may be large.
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
    /// There is a directory with at least what it holds already. A symlink is
    /// refused where the attributes are to be enforced: they would be another
    /// directory's.
    Directory {
        /// Permission bits and owner.
        attributes: Attributes,
    },
    /// There is a symlink to `target`, in place of a file or symlink.
    Symlink {
        /// What the symlink points at.
        target: String,
    },
    /// There is nothing: a file, a symlink, or a directory with all below it is
    /// removed. Nothing to remove is fine.
    Remove,
    /// The directory, if there is one and no symlink, stays and is empty.
    Clear,
    /// The file's modification time is this many seconds after 1970; an empty
    /// file is made where there is none.
    Touch {
        /// Seconds since 1970-01-01T00:00:00Z.
        mtime: u64,
        /// For a file that has to be made.
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
    /// Whether a file that exists already gets these too (what sshd insists
    /// on), or keeps its own (what the image's maker chose).
    pub enforce: bool,
}

impl Attributes {
    /// Root's, with this mode, for a file that has to be made; one that
    /// exists keeps its own.
    pub const fn root(mode: u16) -> Self {
        Attributes { mode, uid: 0, gid: 0, enforce: false }
    }

    /// Just these, whether the file exists or not.
    pub const fn exactly(mode: u16, uid: u32, gid: u32) -> Self {
        Attributes { mode, uid, gid, enforce: true }
    }
}
