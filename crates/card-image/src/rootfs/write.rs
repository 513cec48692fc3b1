//! Creating, changing and removing files.

use fs_ext4::fs::{TIME_OMIT, UTIME_OMIT};

use super::{
    FileKind, FsError, FsResult, RootFs, guard,
    read::require,
    walk::{Found, LastSymlink, Place},
};

/// How many bytes go to the library at once. It looks for one contiguous run
/// of blocks for them.
const CHUNK: usize = 4 << 20;

/// Deeper than any directory tree that paths can reach (`PATH_MAX` / 2).
const MAX_DEPTH: usize = 2048;

impl RootFs {
    /// Makes an empty regular file, root's, and its missing parent directories.
    /// Answers whether there was none: a file that exists stays as it is.
    ///
    /// # Errors
    /// [`FsError::WrongKind`] if something else is there, [`FsError::NoSpace`].
    pub fn create(&self, path: &str, mode: u16) -> FsResult<bool> {
        self.make(path, "create", FileKind::Regular, |dir, name| {
            self.fs.apply_create_at(dir, name, mode)
        })
    }

    /// Makes a directory, root's, and its missing parents. Answers whether there
    /// was none.
    ///
    /// # Errors
    /// [`FsError::WrongKind`] if something else is there, [`FsError::NoSpace`].
    pub fn mkdir(&self, path: &str, mode: u16) -> FsResult<bool> {
        self.make(path, "make the directory", FileKind::Directory, |dir, name| {
            self.fs.apply_mkdir_at(dir, name, mode)
        })
    }

    /// Gives the regular file at `path` new contents; its owner, mode and
    /// extended attributes stay.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::WrongKind`], [`FsError::NoSpace`].
    pub fn replace(&self, path: &str, contents: &[u8]) -> FsResult<()> {
        let found = self.existing(path, FileKind::Regular, "write")?;
        // The library takes a path here, and only text.
        let real_path = found.path().ok_or_else(|| FsError::NotFound { path: path.to_owned() })?;
        // All at once where it is small, as nearly all configuration files are.
        let at_once = if contents.len() <= CHUNK { contents } else { &[] };
        guard("write", path, || self.fs.apply_replace_file_content(&real_path, at_once).map(drop))?;
        self.write_from(&found, at_once.len(), contents, path)
    }

    /// Adds bytes at the end of the regular file at `path`.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::WrongKind`], [`FsError::NoSpace`].
    pub fn append(&self, path: &str, more: &[u8]) -> FsResult<()> {
        let found = self.existing(path, FileKind::Regular, "append to")?;
        let size = self.inode(path, found.inode)?.size;
        for (index, chunk) in more.chunks(CHUNK).enumerate() {
            let offset = size + (index * CHUNK) as u64;
            guard("append to", path, || {
                self.fs.apply_pwrite_ino(found.inode, offset, chunk).map(drop)
            })?;
        }
        Ok(())
    }

    fn write_from(&self, file: &Found, start: usize, data: &[u8], path: &str) -> FsResult<()> {
        for (index, chunk) in data[start..].chunks(CHUNK).enumerate() {
            let offset = (start + index * CHUNK) as u64;
            guard("write", path, || self.fs.apply_pwrite_ino(file.inode, offset, chunk).map(drop))?;
        }
        Ok(())
    }

    /// Makes a symlink at `path` that points at `target`, in place of the file
    /// or symlink that may be there.
    ///
    /// # Errors
    /// [`FsError::WrongKind`] if a directory is there, [`FsError::NoSpace`].
    pub fn symlink(&self, path: &str, target: &str) -> FsResult<()> {
        if let Some(found) = self.find(path, LastSymlink::Keep)? {
            if self.inode(path, found.inode)?.is_dir() {
                return Err(FsError::WrongKind {
                    operation: "make a symlink at",
                    path: path.to_owned(),
                    found: FileKind::Directory.name(),
                });
            }
            self.remove_found(&found)?;
        }
        self.make(path, "make a symlink at", FileKind::Symlink, |dir, name| {
            self.fs.apply_symlink_at(dir, name, target.as_bytes())
        })
        .map(drop)
    }

    /// Removes what is at `path`: a file, a symlink itself, or a directory with
    /// all below it. Answers whether there was anything.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged.
    pub fn remove(&self, path: &str) -> FsResult<bool> {
        match self.find(path, LastSymlink::Keep)? {
            Some(found) => self.remove_found(&found).map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes all that is in the directory at `path`, if there is one. A symlink
    /// is none: what it points at is another's.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged.
    pub fn clear(&self, path: &str) -> FsResult<()> {
        let Some(found) = self.find(path, LastSymlink::Keep)? else { return Ok(()) };
        if !self.inode(path, found.inode)?.is_dir() {
            return Ok(());
        }
        for entry in self.entries(&found)? {
            self.remove_found(&found.child(entry.inode, &entry.name))?;
        }
        Ok(())
    }

    /// Sets the permission bits (12) of the file at `path`.
    ///
    /// # Errors
    /// [`FsError::NotFound`].
    pub fn set_mode(&self, path: &str, mode: u16) -> FsResult<()> {
        let found = self.existing_any(path)?;
        guard("change the mode of", path, || self.fs.apply_chmod_ino(found.inode, mode))
    }

    /// Sets the owner of the file at `path`.
    ///
    /// # Errors
    /// [`FsError::NotFound`].
    pub fn set_owner(&self, path: &str, uid: u32, gid: u32) -> FsResult<()> {
        let found = self.existing_any(path)?;
        guard("change the owner of", path, || self.fs.apply_chown_ino(found.inode, uid, gid))
    }

    /// Sets the time of the last change of contents, in seconds since 1970.
    ///
    /// # Errors
    /// [`FsError::NotFound`].
    pub fn set_mtime(&self, path: &str, seconds: u64) -> FsResult<()> {
        let found = self.existing_any(path)?;
        self.stamp(found.inode, Some(seconds), path)
    }

    /// Sets a modification time; `None`: to the time of this build.
    fn stamp(&self, inode: u32, seconds: Option<u64>, path: &str) -> FsResult<()> {
        use fs_ext4::fs::UTIME_NOW;
        let (seconds, nanoseconds) = match seconds {
            Some(seconds) => (seconds as i64, 0),
            None => (0, UTIME_NOW),
        };
        guard("change the time of", path, || {
            self.fs.apply_utimens_ino(inode, TIME_OMIT, UTIME_OMIT, seconds, nanoseconds)
        })
    }

    fn existing_any(&self, path: &str) -> FsResult<Found> {
        self.find(path, LastSymlink::Follow)?
            .ok_or_else(|| FsError::NotFound { path: path.to_owned() })
    }

    fn existing(&self, path: &str, kind: FileKind, operation: &'static str) -> FsResult<Found> {
        let found = self.existing_any(path)?;
        require(&self.inode(path, found.inode)?, kind, operation, path)?;
        Ok(found)
    }

    /// Makes a file by `call` unless there is one of that kind, and the
    /// directories above it.
    fn make(
        &self,
        path: &str,
        operation: &'static str,
        kind: FileKind,
        call: impl FnOnce(u32, &[u8]) -> Result<u32, fs_ext4::error::Error>,
    ) -> FsResult<bool> {
        let last = match kind {
            FileKind::Symlink => LastSymlink::Keep,
            _ => LastSymlink::Follow,
        };
        let (mut dir, names) = match self.walk(path, last)? {
            Place::Found(found) => {
                require(&self.inode(path, found.inode)?, kind, operation, path)?;
                return Ok(false);
            }
            Place::Missing { parent, names } => (parent, names),
        };
        let Some((name, above)) = names.split_last() else { return Ok(false) };
        for directory in above {
            let inode =
                guard(operation, path, || self.fs.apply_mkdir_at(dir.inode, directory, 0o755))?;
            self.stamp(dir.inode, None, path)?;
            dir = dir.child(inode, directory);
        }
        guard(operation, path, || call(dir.inode, name))?;
        self.stamp(dir.inode, None, path)?;
        Ok(true)
    }

    /// Removes a file, or a directory from its leaves up.
    fn remove_found(&self, found: &Found) -> FsResult<()> {
        // Each directory on the way down with those of its entries that are left.
        let mut open = vec![(found.clone(), None)];
        while let Some((here, entries)) = open.last_mut() {
            let path = here.shown();
            let Some((dir, name)) = here.parent() else {
                return Err(FsError::WrongKind {
                    operation: "remove",
                    path: "/".to_owned(),
                    found: "the root directory",
                });
            };
            if !self.inode(&path, here.inode)?.is_dir() {
                guard("remove", &path, || self.fs.apply_unlink_at(dir, name))?;
                self.stamp(dir, None, &path)?;
                open.pop();
                continue;
            }
            let entries = match entries {
                Some(entries) => entries,
                None => entries.insert(self.entries(here)?),
            };
            if let Some(entry) = entries.pop() {
                let child = here.child(entry.inode, &entry.name);
                if open.len() >= MAX_DEPTH {
                    return Err(FsError::Endless { operation: "remove", path: found.shown() });
                }
                open.push((child, None));
            } else {
                guard("remove", &path, || self.fs.apply_rmdir_at(dir, name))?;
                self.stamp(dir, None, &path)?;
                open.pop();
            }
        }
        Ok(())
    }
}
