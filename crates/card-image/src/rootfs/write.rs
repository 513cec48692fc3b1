//! Creating, changing and removing files.

use ext4_offline::{FileKind, NewFile};

use super::{
    FsError, FsResult, RootFs,
    error::at,
    read::require,
    walk::{Found, LastSymlink, Place},
};

/// Deeper than any directory tree that paths can reach (`PATH_MAX` / 2).
const MAX_DEPTH: usize = 2048;

impl RootFs {
    /// Makes an empty regular file, root's, and its missing parent directories.
    /// Answers whether there was none: a file that exists stays as it is.
    ///
    /// # Errors
    /// [`FsError::WrongKind`] if something else is there, [`FsError::NoSpace`].
    pub fn create(&mut self, path: &str, mode: u16) -> FsResult<bool> {
        self.make(path, "create", NewFile::Regular, mode)
    }

    /// Makes a directory, root's, and its missing parents. Answers whether there
    /// was none.
    ///
    /// # Errors
    /// [`FsError::WrongKind`] if something else is there, [`FsError::NoSpace`].
    pub fn mkdir(&mut self, path: &str, mode: u16) -> FsResult<bool> {
        self.make(path, "make the directory", NewFile::Directory, mode)
    }

    /// Gives the regular file at `path` new contents; its owner, mode and
    /// extended attributes stay.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::WrongKind`], [`FsError::NoSpace`].
    pub fn replace(&mut self, path: &str, contents: &[u8]) -> FsResult<()> {
        let found = self.existing(path, FileKind::Regular, "write")?;
        self.files.replace(found.inode, contents).map_err(at("write", path))
    }

    /// Adds bytes at the end of the regular file at `path`.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::WrongKind`], [`FsError::NoSpace`].
    pub fn append(&mut self, path: &str, more: &[u8]) -> FsResult<()> {
        let found = self.existing(path, FileKind::Regular, "append to")?;
        let size = self.stat(path, found.inode)?.size;
        self.files.write(found.inode, size, more).map_err(at("append to", path))
    }

    /// Makes a symlink at `path` that points at `target`, in place of the file
    /// or symlink that may be there.
    ///
    /// # Errors
    /// [`FsError::WrongKind`] if a directory is there, [`FsError::NoSpace`].
    pub fn symlink(&mut self, path: &str, target: &str) -> FsResult<()> {
        if let Some(found) = self.find(path, LastSymlink::Keep)? {
            if self.stat(path, found.inode)?.kind == FileKind::Directory {
                return Err(FsError::WrongKind {
                    operation: "make a symlink at",
                    path: path.to_owned(),
                    found: FileKind::Directory.name(),
                });
            }
            self.remove_found(&found)?;
        }
        self.make(path, "make a symlink at", NewFile::Symlink(target.as_bytes()), 0).map(drop)
    }

    /// Removes what is at `path`: a file, a symlink itself, or a directory with
    /// all below it. Answers whether there was anything.
    ///
    /// # Errors
    /// [`FsError`] if the filesystem is damaged.
    pub fn remove(&mut self, path: &str) -> FsResult<bool> {
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
    pub fn clear(&mut self, path: &str) -> FsResult<()> {
        let Some(found) = self.find(path, LastSymlink::Keep)? else { return Ok(()) };
        if self.stat(path, found.inode)?.kind != FileKind::Directory {
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
    pub fn set_mode(&mut self, path: &str, mode: u16) -> FsResult<()> {
        let found = self.existing_any(path)?;
        self.files.set_mode(found.inode, mode).map_err(at("change the mode of", path))
    }

    /// Sets the owner of the file at `path`.
    ///
    /// # Errors
    /// [`FsError::NotFound`].
    pub fn set_owner(&mut self, path: &str, uid: u32, gid: u32) -> FsResult<()> {
        let found = self.existing_any(path)?;
        self.files.set_owner(found.inode, uid, gid).map_err(at("change the owner of", path))
    }

    /// Sets the time of the last change of contents, in seconds since 1970.
    ///
    /// # Errors
    /// [`FsError::NotFound`].
    pub fn set_mtime(&mut self, path: &str, seconds: u64) -> FsResult<()> {
        let found = self.existing_any(path)?;
        self.files.set_mtime(found.inode, seconds as i64).map_err(at("change the time of", path))
    }

    /// Gives the file at `path`, if it is no directory, a further name. Missing
    /// parent directories of that are made.
    ///
    /// # Errors
    /// [`FsError::NotFound`]; [`FsError::File`] if the name is taken.
    pub fn link(&mut self, path: &str, new: &str) -> FsResult<()> {
        let found = self.find(path, LastSymlink::Keep)?;
        let found = found.ok_or_else(|| FsError::NotFound { path: path.to_owned() })?;
        let (dir, name) = self.new_place(new, "make a link at")?;
        self.files.link(found.inode, dir, &name).map_err(at("make a link at", new))
    }

    /// Gives what is at `path` the name `new`, in place of a file or an empty
    /// directory that may have it. Missing parent directories are made.
    ///
    /// # Errors
    /// [`FsError::NotFound`]; [`FsError::File`] if it cannot take that place.
    pub fn rename(&mut self, path: &str, new: &str) -> FsResult<()> {
        let found = self.find(path, LastSymlink::Keep)?;
        let found = found.ok_or_else(|| FsError::NotFound { path: path.to_owned() })?;
        let Some((from_dir, from)) = found.parent() else {
            return Err(FsError::WrongKind {
                operation: "rename",
                path: path.to_owned(),
                found: "the root directory",
            });
        };
        let (dir, name) = self.new_place(new, "rename to")?;
        self.files.rename(from_dir, from, dir, &name).map_err(at("rename to", new))
    }

    /// Gives the file at `path` an extended attribute.
    ///
    /// # Errors
    /// [`FsError::NotFound`]; [`FsError::File`] if there is no room for it.
    pub fn set_xattr(&mut self, path: &str, name: &str, value: &[u8]) -> FsResult<()> {
        let found = self.existing_any(path)?;
        let error = at("set an attribute of", path);
        self.files.set_xattr(found.inode, name, value).map_err(error)
    }

    /// Takes an extended attribute from the file at `path`. Answers whether it had
    /// it.
    ///
    /// # Errors
    /// [`FsError::NotFound`].
    pub fn remove_xattr(&mut self, path: &str, name: &str) -> FsResult<bool> {
        let found = self.existing_any(path)?;
        self.files.remove_xattr(found.inode, name).map_err(at("remove an attribute of", path))
    }

    fn existing_any(&self, path: &str) -> FsResult<Found> {
        self.find(path, LastSymlink::Follow)?
            .ok_or_else(|| FsError::NotFound { path: path.to_owned() })
    }

    fn existing(&self, path: &str, kind: FileKind, operation: &'static str) -> FsResult<Found> {
        let found = self.existing_any(path)?;
        require(self.stat(path, found.inode)?.kind, kind, operation, path)?;
        Ok(found)
    }

    /// Makes a file unless there is one of that kind, and the directories above it.
    fn make(
        &mut self,
        path: &str,
        operation: &'static str,
        new: NewFile<'_>,
        mode: u16,
    ) -> FsResult<bool> {
        let (last, kind) = match new {
            NewFile::Regular => (LastSymlink::Follow, FileKind::Regular),
            NewFile::Directory => (LastSymlink::Follow, FileKind::Directory),
            NewFile::Symlink(_) => (LastSymlink::Keep, FileKind::Symlink),
        };
        let (parent, names) = match self.walk(path, last)? {
            Place::Found(found) => {
                require(self.stat(path, found.inode)?.kind, kind, operation, path)?;
                return Ok(false);
            }
            Place::Missing { parent, names } => (parent, names),
        };
        let Some((name, above)) = names.split_last() else { return Ok(false) };
        let dir = self.make_parents(parent.inode, above, operation, path)?;
        self.files.create(dir, name, new, mode).map_err(at(operation, path))?;
        Ok(true)
    }

    /// Makes directories, each in the one before.
    fn make_parents(
        &mut self,
        dir: u32,
        names: &[Vec<u8>],
        operation: &'static str,
        path: &str,
    ) -> FsResult<u32> {
        let mut dir = dir;
        for name in names {
            dir = self
                .files
                .create(dir, name, NewFile::Directory, 0o755)
                .map_err(at(operation, path))?;
        }
        Ok(dir)
    }

    /// The directory of a path, made if it is missing, and the last name.
    fn new_place(&mut self, path: &str, operation: &'static str) -> FsResult<(u32, Vec<u8>)> {
        match self.walk(path, LastSymlink::Keep)? {
            Place::Found(found) => match found.parent() {
                Some((dir, name)) => Ok((dir, name.to_vec())),
                None => Err(FsError::WrongKind {
                    operation,
                    path: path.to_owned(),
                    found: "the root directory",
                }),
            },
            Place::Missing { parent, mut names } => {
                let name = names.pop().unwrap_or_default();
                let dir = self.make_parents(parent.inode, &names, operation, path)?;
                Ok((dir, name))
            }
        }
    }

    /// Removes a file, or a directory from its leaves up.
    fn remove_found(&mut self, found: &Found) -> FsResult<()> {
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
            if self.stat(&path, here.inode)?.kind != FileKind::Directory {
                self.files.unlink(dir, name).map_err(at("remove", &path))?;
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
                self.files.rmdir(dir, name).map_err(at("remove", &path))?;
                open.pop();
            }
        }
        Ok(())
    }
}
