//! Reading files and directories.

use fs_ext4::{
    dir::{DirBlockIter, DirEntry},
    features::Incompat,
    inode::{Inode, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK},
    xattr,
};

use super::{
    FsError, FsResult, RootFs, guard,
    walk::{Found, LastSymlink},
};

/// What kind of file an inode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character or block device, a pipe, a socket, or unknown.
    Special,
}

impl FileKind {
    fn of(inode: &Inode) -> Self {
        match inode.mode & S_IFMT {
            S_IFREG => FileKind::Regular,
            S_IFDIR => FileKind::Directory,
            S_IFLNK => FileKind::Symlink,
            S_IFCHR | S_IFBLK | S_IFIFO | S_IFSOCK => FileKind::Special,
            _ => FileKind::Special,
        }
    }

    /// The kind's name with its article, for messages.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Regular => "a regular file",
            FileKind::Directory => "a directory",
            FileKind::Symlink => "a symlink",
            FileKind::Special => "a special file",
        }
    }
}

/// What an inode says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The kind of file.
    pub kind: FileKind,
    /// Permission bits, the low 12 bits of `i_mode`.
    pub mode: u16,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last change of contents, in seconds since 1970.
    pub mtime: i64,
}

impl RootFs {
    /// What is known of the file at `path`, a symlink at its end not followed.
    /// `None`: there is none.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or the path has no end.
    pub fn metadata(&self, path: &str) -> FsResult<Option<Metadata>> {
        let Some(found) = self.find(path, LastSymlink::Keep)? else { return Ok(None) };
        let inode = self.inode(path, found.inode)?;
        Ok(Some(Metadata {
            kind: FileKind::of(&inode),
            mode: inode.mode & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            size: inode.size,
            mtime: inode.mtime,
        }))
    }

    /// The contents of the regular file at `path`, if it is no longer than
    /// `limit` bytes. `None`: there is none.
    ///
    /// # Errors
    /// [`FsError::TooLarge`], [`FsError::WrongKind`], or that the filesystem is
    /// damaged.
    pub fn read(&self, path: &str, limit: u64) -> FsResult<Option<Vec<u8>>> {
        let Some(found) = self.find(path, LastSymlink::Follow)? else { return Ok(None) };
        let inode = self.inode(path, found.inode)?;
        require(&inode, FileKind::Regular, "read", path)?;
        if inode.size > limit {
            return Err(FsError::TooLarge { path: path.to_owned(), size: inode.size, limit });
        }
        let mut contents = vec![0; inode.size as usize];
        let mut done = 0;
        while done < contents.len() {
            let rest = &mut contents[done..];
            let read = guard("read", path, || self.fs.read_ino(found.inode, done as u64, rest))?;
            if read == 0 {
                break;
            }
            done += read;
        }
        Ok(Some(contents))
    }

    /// Where the symlink at `path` points; `None`: there is no symlink.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or the path has no end.
    pub fn read_link(&self, path: &str) -> FsResult<Option<Vec<u8>>> {
        let Some(found) = self.find(path, LastSymlink::Keep)? else { return Ok(None) };
        if !self.inode(path, found.inode)?.is_symlink() {
            return Ok(None);
        }
        guard("read", path, || self.fs.read_link(found.inode)).map(Some)
    }

    /// The names in the directory at `path`, sorted, without `.` and `..`.
    /// `None`: there is no directory.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or the path has no end.
    pub fn list(&self, path: &str) -> FsResult<Option<Vec<Vec<u8>>>> {
        let Some(found) = self.find(path, LastSymlink::Follow)? else { return Ok(None) };
        if !self.inode(path, found.inode)?.is_dir() {
            return Ok(None);
        }
        let mut names: Vec<_> = self.entries(&found)?.into_iter().map(|entry| entry.name).collect();
        names.sort();
        Ok(Some(names))
    }

    /// The extended attributes of the file at `path`, sorted by their names.
    ///
    /// # Errors
    /// [`FsError::NotFound`], or that the filesystem is damaged.
    pub fn xattrs(&self, path: &str) -> FsResult<Vec<(String, Vec<u8>)>> {
        let found = self
            .find(path, LastSymlink::Keep)?
            .ok_or_else(|| FsError::NotFound { path: path.to_owned() })?;
        let mut attributes = guard("read the attributes of", path, || {
            let (inode, raw) = self.fs.read_inode_verified(found.inode)?;
            xattr::read_all_resolved(&self.fs, &inode, &raw)
        })?;
        attributes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(attributes.into_iter().map(|entry| (entry.name, entry.value)).collect())
    }

    /// A directory's entries without `.` and `..`.
    ///
    /// The library lists only directories with extents or inline data; those of
    /// ext2 and ext3 map their blocks otherwise.
    pub(super) fn entries(&self, dir: &Found) -> FsResult<Vec<DirEntry>> {
        let path = dir.shown();
        let inode = self.inode(&path, dir.inode)?;
        let mut entries = guard("list", &path, || {
            if inode.has_extents() || inode.has_inline_data() {
                return self.fs.read_dir_ino(dir.inode);
            }
            let has_file_type = self.fs.sb.feature_incompat & Incompat::FILETYPE.bits() != 0;
            let mut entries = Vec::new();
            for index in 0..inode.size.div_ceil(u64::from(self.fs.sb.block_size())) {
                if let Some(block) = self.fs.map_inode_logical(&inode, index)? {
                    let block = self.fs.read_block(block)?;
                    for entry in DirBlockIter::new(&block, has_file_type) {
                        entries.push(entry?);
                    }
                }
            }
            Ok(entries)
        })?;
        entries.retain(|entry| entry.name != b"." && entry.name != b"..");
        Ok(entries)
    }
}

/// Errors unless the inode is of the kind that the operation is for.
pub(super) fn require(
    inode: &Inode,
    kind: FileKind,
    operation: &'static str,
    path: &str,
) -> FsResult<()> {
    match FileKind::of(inode) {
        found if found == kind => Ok(()),
        found => Err(FsError::WrongKind { operation, path: path.to_owned(), found: found.name() }),
    }
}
