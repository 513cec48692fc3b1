//! Kinds of files.

/// `i_mode`: the bits that hold the kind of file.
pub(crate) const S_IFMT: u16 = 0xf000;
/// `i_mode`: a directory.
pub(crate) const S_IFDIR: u16 = 0x4000;
/// `i_mode`: a regular file.
pub(crate) const S_IFREG: u16 = 0x8000;
/// `i_mode`: a symlink.
pub(crate) const S_IFLNK: u16 = 0xa000;

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character or block device, a pipe, a socket, or an unknown kind.
    Special,
}

impl FileKind {
    /// The kind that an inode's `i_mode` says.
    pub(crate) fn of_mode(mode: u16) -> Self {
        match mode & S_IFMT {
            S_IFREG => FileKind::Regular,
            S_IFDIR => FileKind::Directory,
            S_IFLNK => FileKind::Symlink,
            _ => FileKind::Special,
        }
    }

    /// Returns the kind's name with its article, for messages: `a directory`.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Regular => "a regular file",
            FileKind::Directory => "a directory",
            FileKind::Symlink => "a symlink",
            FileKind::Special => "a special file",
        }
    }
}
