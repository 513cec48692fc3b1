//! Reading files and directories.

use ext4_offline::{DirEntry, FileKind, Stat};

use super::{
    FsError, FsResult, RootFs,
    error::at,
    walk::{Found, LastSymlink},
};

/// What an inode says of its file.
pub type Metadata = Stat;

impl RootFs {
    /// What is known of the file at `path`, a symlink at its end not followed.
    /// `None`: there is none.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or the path has no end.
    pub fn metadata(&self, path: &str) -> FsResult<Option<Metadata>> {
        let Some(found) = self.find(path, LastSymlink::Keep)? else { return Ok(None) };
        self.stat(path, found.inode).map(Some)
    }

    /// As [`metadata`](Self::metadata), of what a symlink at the end leads to.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or the path has no end.
    pub fn metadata_followed(&self, path: &str) -> FsResult<Option<Metadata>> {
        let Some(found) = self.find(path, LastSymlink::Follow)? else { return Ok(None) };
        self.stat(path, found.inode).map(Some)
    }

    /// The contents of the regular file at `path`, if it is no longer than
    /// `limit` bytes. `None`: there is none.
    ///
    /// # Errors
    /// [`FsError::TooLarge`], [`FsError::WrongKind`], or that the filesystem is
    /// damaged.
    pub fn read(&self, path: &str, limit: u64) -> FsResult<Option<Vec<u8>>> {
        let Some(found) = self.find(path, LastSymlink::Follow)? else { return Ok(None) };
        let Stat { kind, size, .. } = self.stat(path, found.inode)?;
        require(kind, FileKind::Regular, "read", path)?;
        if size > limit {
            return Err(FsError::TooLarge { path: path.to_owned(), size, limit });
        }
        let mut contents = vec![0; size as usize];
        self.files.read(found.inode, 0, &mut contents).map_err(at("read", path))?;
        Ok(Some(contents))
    }

    /// Where the symlink at `path` points; `None`: there is no symlink.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or the path has no end.
    pub fn read_link(&self, path: &str) -> FsResult<Option<Vec<u8>>> {
        let Some(found) = self.find(path, LastSymlink::Keep)? else { return Ok(None) };
        if self.stat(path, found.inode)?.kind != FileKind::Symlink {
            return Ok(None);
        }
        self.files.read_link(found.inode).map(Some).map_err(at("read", path))
    }

    /// The names in the directory at `path`, sorted, without `.` and `..`.
    /// `None`: there is no directory.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged or the path has no end.
    pub fn list(&self, path: &str) -> FsResult<Option<Vec<Vec<u8>>>> {
        let Some(found) = self.find(path, LastSymlink::Follow)? else { return Ok(None) };
        if self.stat(path, found.inode)?.kind != FileKind::Directory {
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
        let mut attributes =
            self.files.xattrs(found.inode).map_err(at("read the attributes of", path))?;
        attributes.sort();
        Ok(attributes)
    }

    /// A directory's entries without `.` and `..`.
    pub(super) fn entries(&self, dir: &Found) -> FsResult<Vec<DirEntry>> {
        self.files.entries(dir.inode).map_err(at("list", &dir.shown()))
    }

    pub(super) fn stat(&self, path: &str, inode: u32) -> FsResult<Stat> {
        self.files.stat(inode).map_err(at("look at", path))
    }
}

/// Errors unless a file is of the kind that the operation is for.
pub(super) fn require(
    found: FileKind,
    kind: FileKind,
    operation: &'static str,
    path: &str,
) -> FsResult<()> {
    match found == kind {
        true => Ok(()),
        false => Err(FsError::WrongKind { operation, path: path.to_owned(), found: found.name() }),
    }
}
