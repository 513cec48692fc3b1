//! Editing files by path.

use std::{ops::Deref, sync::Arc};

use block_io::WriteAt;

use super::{
    Reader, at, require,
    walk::{Found, LastSymlink, Place, walk},
};
use crate::{
    FileKind, FileTimes, PathError, PathErrorKind, PathOperation, PathResult, Result, Timestamp,
    inodes::{FilesMut, NewFile},
    recover,
};

/// A filesystem for reading and editing, by path.
///
/// The methods are those of `std::fs`; those for reading are [`Reader`]'s. What is new belongs
/// to root. Every change gets the time that the editor was opened with, so the same edits give
/// the same bytes.
///
/// **Call [`finish`](Self::finish) after the last edit**: without it the filesystem is not
/// consistent. Each operation is complete or has no effect, also when the filesystem is full;
/// to make several of them atomic, edit a [`block_io::Layer`] and [`commit`](crate::commit) it.
#[derive(Debug)]
pub struct Editor {
    files: FilesMut,
    /// The files as of opening: the same but for the counts of what is free.
    reader: Reader,
}

impl Deref for Editor {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Editor {
    /// Opens the filesystem that fills `storage`, or its first part, after doing what mounting
    /// it would do first: replaying its journal and removing orphans
    /// ([`recover`](crate::recover)).
    ///
    /// `now` becomes the time of every change.
    ///
    /// # Errors
    /// Damage, or a feature or state that is not supported. At most the replay of the journal has
    /// been written then.
    pub fn open(storage: Arc<dyn WriteAt>, now: Timestamp) -> Result<Self> {
        recover(&storage, now)?;
        FilesMut::open(storage, now).map(Editor::from)
    }

    /// Completes all edits.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage);
    /// [`Error::HalfWritten`](crate::Error::HalfWritten) if a write failed before.
    pub fn finish(self) -> Result<()> {
        self.files.finish()
    }

    /// Returns the files of the filesystem by inode number, for editing.
    pub fn inodes_mut(&mut self) -> &mut FilesMut {
        &mut self.files
    }

    /// Returns the number of free blocks, including those reserved for root.
    pub fn free_blocks(&self) -> u64 {
        self.files.free_blocks()
    }

    /// Returns the number of free inodes.
    pub fn free_inodes(&self) -> u32 {
        self.files.free_inodes()
    }

    /// Writes a file: replaces the contents of the regular file at `path`, or creates one with
    /// the permissions 0644. Owner, permissions and extended attributes of a file that exists
    /// stay as they are.
    ///
    /// # Errors
    /// [`PathErrorKind`]: the directory does not exist, the path leads to something other than
    /// a regular file, or the filesystem is full.
    pub fn write(&mut self, path: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) -> PathResult<()> {
        let (path, operation) = (path.as_ref(), PathOperation::Write);
        let inode =
            match walk(&self.files, path, LastSymlink::Follow).map_err(at(operation, path))? {
                Place::Found(found) => {
                    self.require(found.inode, FileKind::Regular, operation, path)?;
                    found.inode
                }
                Place::Missing { parent, names } => {
                    let (dir, name) = last_name(operation, path, &parent, names)?;
                    let created = self.files.create(dir, &name, NewFile::Regular, 0o644);
                    created.map_err(at(operation, path))?
                }
            };
        self.files.replace(inode, contents.as_ref()).map_err(at(operation, path))
    }

    /// Adds bytes at the end of the regular file at `path`.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such regular file, or the filesystem is full.
    pub fn append(&mut self, path: impl AsRef<[u8]>, more: impl AsRef<[u8]>) -> PathResult<()> {
        let (path, operation) = (path.as_ref(), PathOperation::Write);
        let found = self.find(operation, path, LastSymlink::Follow)?;
        let size = self.require(found.inode, FileKind::Regular, operation, path)?;
        self.files.write(found.inode, size, more.as_ref()).map_err(at(operation, path))
    }

    /// Creates an empty directory with the permissions 0755.
    ///
    /// # Errors
    /// [`PathErrorKind`]: something is at `path`, the directory above does not exist, or the
    /// filesystem is full.
    pub fn create_dir(&mut self, path: impl AsRef<[u8]>) -> PathResult<()> {
        self.create_new(PathOperation::CreateDirectory, path.as_ref(), NewFile::Directory, 0o755)
    }

    /// Creates a directory and the missing directories above it, with the permissions 0755.
    /// Directories that exist stay as they are.
    ///
    /// # Errors
    /// [`PathErrorKind`]: something other than a directory is in the way, or the filesystem is
    /// full.
    pub fn create_dir_all(&mut self, path: impl AsRef<[u8]>) -> PathResult<()> {
        self.ensure(path, NewFile::Directory, 0o755).map(drop)
    }

    /// Makes sure that there is a file of this kind at `path`: creates it, and the missing
    /// directories above it, unless it exists. Returns whether it was created.
    ///
    /// A file that exists stays as it is. Symlinks are followed, except where a symlink is to
    /// be created: a dangling one is completed, as Linux does it (`O_CREAT`). `mode` has the
    /// permission bits of a new file or directory; directories above it get 0755.
    ///
    /// # Errors
    /// [`PathErrorKind`]: a file of another kind is in the way, or the filesystem is full.
    pub fn ensure(
        &mut self,
        path: impl AsRef<[u8]>,
        file: NewFile<'_>,
        mode: u16,
    ) -> PathResult<bool> {
        let path = path.as_ref();
        let (operation, last, kind) = match file {
            NewFile::Regular => (PathOperation::Create, LastSymlink::Follow, FileKind::Regular),
            NewFile::Directory => {
                (PathOperation::CreateDirectory, LastSymlink::Follow, FileKind::Directory)
            }
            NewFile::Symlink(_) => {
                (PathOperation::CreateSymlink, LastSymlink::Keep, FileKind::Symlink)
            }
        };
        let (parent, names) = match walk(&self.files, path, last).map_err(at(operation, path))? {
            Place::Found(found) => {
                self.require(found.inode, kind, operation, path)?;
                return Ok(false);
            }
            Place::Missing { parent, names } => (parent, names),
        };
        let Some((name, above)) = names.split_last() else { return Ok(false) };
        let mut dir = parent.inode;
        for name in above {
            let made = self.files.create(dir, name, NewFile::Directory, 0o755);
            dir = made.map_err(at(operation, path))?;
        }
        self.files.create(dir, name, file, mode).map_err(at(operation, path))?;
        Ok(true)
    }

    /// Creates a symlink at `link` that points to `target`.
    ///
    /// # Errors
    /// [`PathErrorKind`]: something is at `link`, its directory does not exist, the target is
    /// empty or too long, or the filesystem is full.
    pub fn symlink(&mut self, target: impl AsRef<[u8]>, link: impl AsRef<[u8]>) -> PathResult<()> {
        let file = NewFile::Symlink(target.as_ref());
        self.create_new(PathOperation::CreateSymlink, link.as_ref(), file, 0o777)
    }

    /// Gives the file at `original` the further name `link`. A symlink is not followed: it gets
    /// the name itself.
    ///
    /// # Errors
    /// [`PathErrorKind`]: `original` is missing or a directory, something is at `link`, or the
    /// filesystem is full.
    pub fn hard_link(
        &mut self,
        original: impl AsRef<[u8]>,
        link: impl AsRef<[u8]>,
    ) -> PathResult<()> {
        let (link, operation) = (link.as_ref(), PathOperation::Link);
        let original = self.find(operation, original.as_ref(), LastSymlink::Keep)?;
        let (dir, name) = self.new_name(operation, link)?;
        self.files.link(original.inode, dir, &name).map_err(at(operation, link))
    }

    /// Renames a file or directory, or moves it to another directory. A file that has the name
    /// `to` is replaced, as is an empty directory if `from` is a directory.
    ///
    /// # Errors
    /// [`PathErrorKind`]: `from` or the directory of `to` is missing, or `to` cannot be
    /// replaced by it.
    pub fn rename(&mut self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> PathResult<()> {
        let (from, to, operation) = (from.as_ref(), to.as_ref(), PathOperation::Rename);
        let found = self.find(operation, from, LastSymlink::Keep)?;
        let Some((from_dir, from_name)) = found.parent() else {
            return Err(PathError::new(operation, from, PathErrorKind::RootDirectory));
        };
        let (dir, name) = match walk(&self.files, to, LastSymlink::Keep)
            .map_err(at(operation, to))?
        {
            Place::Found(found) => match found.parent() {
                Some((dir, name)) => (dir, name.to_vec()),
                None => return Err(PathError::new(operation, to, PathErrorKind::RootDirectory)),
            },
            Place::Missing { parent, names } => last_name(operation, to, &parent, names)?,
        };
        self.files.rename(from_dir, from_name, dir, &name).map_err(at(operation, from))
    }

    /// Sets the permission bits (12) of the file at `path`, following symlinks.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file.
    pub fn set_permissions(&mut self, path: impl AsRef<[u8]>, mode: u16) -> PathResult<()> {
        self.change(PathOperation::SetPermissions, path.as_ref(), |files, inode| {
            files.set_mode(inode, mode)
        })
    }

    /// Sets the owner of the file at `path`, following symlinks.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file.
    pub fn chown(&mut self, path: impl AsRef<[u8]>, uid: u32, gid: u32) -> PathResult<()> {
        self.change(PathOperation::SetOwner, path.as_ref(), |files, inode| {
            files.set_owner(inode, uid, gid)
        })
    }

    /// Sets times of the file at `path`, following symlinks.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file.
    pub fn set_times(&mut self, path: impl AsRef<[u8]>, times: FileTimes) -> PathResult<()> {
        self.change(PathOperation::SetTimes, path.as_ref(), |files, inode| {
            files.set_times(inode, times)
        })
    }

    /// Gives the file at `path` an extended attribute, following symlinks.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file, or no room for the attribute.
    pub fn set_xattr(
        &mut self,
        path: impl AsRef<[u8]>,
        name: &str,
        value: impl AsRef<[u8]>,
    ) -> PathResult<()> {
        self.change(PathOperation::SetAttribute, path.as_ref(), |files, inode| {
            files.set_xattr(inode, name, value.as_ref())
        })
    }

    /// Removes an extended attribute of the file at `path`, following symlinks. Returns whether
    /// there was one.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file.
    pub fn remove_xattr(&mut self, path: impl AsRef<[u8]>, name: &str) -> PathResult<bool> {
        self.change(PathOperation::SetAttribute, path.as_ref(), |files, inode| {
            files.remove_xattr(inode, name)
        })
    }

    /// Changes the inode of a file that must exist.
    fn change<T>(
        &mut self,
        operation: PathOperation,
        path: &[u8],
        change: impl FnOnce(&mut FilesMut, u32) -> Result<T>,
    ) -> PathResult<T> {
        let found = self.find(operation, path, LastSymlink::Follow)?;
        change(&mut self.files, found.inode).map_err(at(operation, path))
    }

    /// Returns an error unless an inode is of the kind that the operation is for; else its size.
    fn require(
        &self,
        inode: u32,
        kind: FileKind,
        operation: PathOperation,
        path: &[u8],
    ) -> PathResult<u64> {
        let metadata = self.files.stat(inode).map_err(at(operation, path))?;
        require(&metadata, kind, operation, path).map(|()| metadata.size)
    }

    /// Creates a file where there must be none.
    fn create_new(
        &mut self,
        operation: PathOperation,
        path: &[u8],
        file: NewFile<'_>,
        mode: u16,
    ) -> PathResult<()> {
        let (dir, name) = self.new_name(operation, path)?;
        self.files.create(dir, &name, file, mode).map(drop).map_err(at(operation, path))
    }

    /// The directory, which must exist, and the name of a path where there must be no file.
    fn new_name(&self, operation: PathOperation, path: &[u8]) -> PathResult<(u32, Vec<u8>)> {
        match walk(&self.files, path, LastSymlink::Keep).map_err(at(operation, path))? {
            Place::Found(_) => Err(PathError::new(operation, path, PathErrorKind::AlreadyExists)),
            Place::Missing { parent, names } => last_name(operation, path, &parent, names),
        }
    }

    pub(super) fn files_mut(&mut self) -> &mut FilesMut {
        &mut self.files
    }
}

impl From<FilesMut> for Editor {
    fn from(files: FilesMut) -> Self {
        let reader = Reader::from((*files).clone());
        Editor { files, reader }
    }
}

/// The directory and the name of a missing file, unless the directory is missing too.
fn last_name(
    operation: PathOperation,
    path: &[u8],
    parent: &Found,
    names: Vec<Vec<u8>>,
) -> PathResult<(u32, Vec<u8>)> {
    match <[Vec<u8>; 1]>::try_from(names) {
        Ok([name]) => Ok((parent.inode, name)),
        Err(_) => Err(PathError::new(operation, path, PathErrorKind::NotFound)),
    }
}
