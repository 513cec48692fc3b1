//! What a path leads to.

use std::{fs::File, io, path::Path};

use crate::system;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A block device, such as a disk or a card in a reader.
    BlockDevice,
    /// A named pipe.
    Pipe,
    /// Anything else.
    Other,
}

/// A file, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The number of its filesystem's device, or the serial number of its volume.
    pub device: u64,
    /// Its inode, or its index in the volume.
    pub inode: u64,
}

/// What is known about a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Its kind.
    pub kind: FileKind,
    /// Its identity.
    pub id: FileId,
    /// Its size in bytes; 0 for a device.
    pub size: u64,
    /// The number of a block device.
    pub device: Option<u64>,
    /// The number of the group that owns it. Windows has none.
    pub group: Option<u32>,
}

impl FileInfo {
    /// Looks at what a path leads to.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn at(path: &Path) -> io::Result<Self> {
        system::info_at(path)
    }

    /// Looks at what is at a path. A symlink is not followed.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn at_link(path: &Path) -> io::Result<Self> {
        system::info_at_link(path)
    }

    /// Looks at an open file.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn of(file: &File) -> io::Result<Self> {
        system::info_of(file)
    }

    /// Returns whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::Regular
    }

    /// Returns whether it is a block device.
    pub fn is_block_device(&self) -> bool {
        self.kind == FileKind::BlockDevice
    }
}

/// What distinguishes a file from itself before it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    /// The inode, or the index in the volume.
    pub inode: u64,
    /// The size in bytes.
    pub size: u64,
    /// The time when its contents were last changed, in seconds since 1970 and nanoseconds.
    pub modified: (i64, i64),
    /// The time when anything about it was last changed. On Unix, no program can set it back.
    pub changed: (i64, i64),
}

impl FileStamp {
    /// Returns the stamp of an open file.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn of(file: &File) -> io::Result<Self> {
        system::stamp(file)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_the_same_by_any_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), b"abc").unwrap();
        fs::hard_link(at("file"), at("link")).unwrap();
        fs::write(at("other"), b"abc").unwrap();
        let id = |name: &str| FileInfo::at(&at(name)).unwrap().id;
        assert_eq!(id("file"), id("link"));
        assert_ne!(id("file"), id("other"));
        let open = FileInfo::of(&File::open(at("link")).unwrap()).unwrap();
        assert_eq!(open, FileInfo::at_link(&at("file")).unwrap());
        assert!(open.is_file() && open.size == 3 && open.device.is_none());
        assert_eq!(FileInfo::at(directory.path()).unwrap().kind, FileKind::Directory);
    }

    #[test]
    fn a_stamp_changes_with_the_contents() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"abc").unwrap();
        let stamp = || FileStamp::of(&File::open(&path).unwrap()).unwrap();
        let before = stamp();
        assert_eq!(before, stamp());
        std::thread::sleep(std::time::Duration::from_millis(30));
        fs::write(&path, b"abd").unwrap();
        assert_ne!(before, stamp());
        assert_eq!(before.inode, stamp().inode);
    }
}
