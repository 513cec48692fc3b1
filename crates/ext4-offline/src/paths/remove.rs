//! Removing files by path.

use super::{
    Editor, at, require,
    walk::{Found, LastSymlink},
};
use crate::{FileKind, PathError, PathErrorKind, PathOperation, PathResult, inodes::DirEntry};

/// Deeper than a path can reach (`PATH_MAX` / 2).
const MAX_DEPTH: usize = 2048;

impl Editor {
    /// Removes the file at `path`; a symlink itself, not what it points to.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file, or it is a directory.
    pub fn remove_file(&mut self, path: impl AsRef<[u8]>) -> PathResult<()> {
        let (path, operation) = (path.as_ref(), PathOperation::Remove);
        let found = self.find(operation, path, LastSymlink::Keep)?;
        let metadata = self.inodes().stat(found.inode).map_err(at(operation, path))?;
        if metadata.is_dir() {
            let kind = PathErrorKind::WrongKind { found: metadata.kind, wanted: "a file" };
            return Err(PathError::new(operation, path, kind));
        }
        self.remove_found(&found)
    }

    /// Removes the empty directory at `path`.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such directory, or it is not empty.
    pub fn remove_dir(&mut self, path: impl AsRef<[u8]>) -> PathResult<()> {
        let (path, operation) = (path.as_ref(), PathOperation::Remove);
        let found = self.find_dir(path)?;
        let Some((dir, name)) = found.parent() else {
            return Err(PathError::new(operation, path, PathErrorKind::RootDirectory));
        };
        self.files_mut().rmdir(dir, name).map_err(at(operation, path))
    }

    /// Removes the directory at `path` with everything below it. Symlinks below it are
    /// removed, not followed.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such directory, or it is the root.
    pub fn remove_dir_all(&mut self, path: impl AsRef<[u8]>) -> PathResult<()> {
        let found = self.find_dir(path.as_ref())?;
        self.remove_found(&found)
    }

    /// Removes everything in the directory at `path`, but not the directory itself.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such directory.
    pub fn remove_dir_contents(&mut self, path: impl AsRef<[u8]>) -> PathResult<()> {
        let found = self.find_dir(path.as_ref())?;
        for entry in self.entries(&found)? {
            self.remove_found(&found.child(entry.inode, &entry.name))?;
        }
        Ok(())
    }

    /// Follows a path to a directory, not to a symlink that leads to one.
    fn find_dir(&self, path: &[u8]) -> PathResult<Found> {
        let operation = PathOperation::Remove;
        let found = self.find(operation, path, LastSymlink::Keep)?;
        let metadata = self.inodes().stat(found.inode).map_err(at(operation, path))?;
        require(&metadata, FileKind::Directory, operation, path)?;
        Ok(found)
    }

    fn entries(&self, dir: &Found) -> PathResult<Vec<DirEntry>> {
        self.inodes().entries(dir.inode).map_err(at(PathOperation::List, &dir.path()))
    }

    /// Removes a file, or a directory from its leaves up.
    fn remove_found(&mut self, found: &Found) -> PathResult<()> {
        let operation = PathOperation::Remove;
        // Each directory on the way down, with those of its entries that are left.
        let mut open = vec![(found.clone(), None)];
        while let Some((here, entries)) = open.last_mut() {
            let path = here.path();
            let Some((dir, name)) = here.parent() else {
                return Err(PathError::new(operation, &path, PathErrorKind::RootDirectory));
            };
            let metadata = self.inodes().stat(here.inode).map_err(at(operation, &path))?;
            if !metadata.is_dir() {
                self.files_mut().unlink(dir, name).map_err(at(operation, &path))?;
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
                    return Err(PathError::new(operation, &found.path(), PathErrorKind::TooDeep));
                }
                open.push((child, None));
            } else {
                self.files_mut().rmdir(dir, name).map_err(at(operation, &path))?;
                open.pop();
            }
        }
        Ok(())
    }
}
