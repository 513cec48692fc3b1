//! Reading files by path.

use std::sync::Arc;

use block_io::{Layer, ReadAt};

use super::{
    File, at, require,
    walk::{Found, LastSymlink, Place, walk},
};
use crate::{
    FileKind, Metadata, PathErrorKind, PathOperation, PathResult, Result,
    inodes::{DirEntry, Files},
    inspect, replay_journal,
};

/// A filesystem for reading, by path.
///
/// The methods are those of `std::fs`. Paths are bytes, or strings, that are resolved from the
/// root of the filesystem; a leading `/` makes no difference. Symlinks, absolute ones too, are
/// resolved inside the filesystem, and `..` never leaves it.
///
/// Reading needs [`ReadAt`] only: if the filesystem was not unmounted, its journal is replayed
/// in memory and the storage stays as it is. A clone is cheap and reads the same storage.
#[derive(Debug, Clone)]
pub struct Reader {
    files: Files,
}

impl Reader {
    /// The largest file that [`read`](Self::read) reads, in bytes.
    pub const READ_LIMIT: u64 = 1 << 30;

    /// Opens the filesystem that fills `storage`, or its first part.
    ///
    /// # Errors
    /// Damage, or a feature that is not supported. Only the superblock, the group descriptors
    /// and the journal are looked at; [`check`](crate::check) looks at everything.
    pub fn open(storage: Arc<dyn ReadAt>) -> Result<Self> {
        let mut storage = storage;
        if inspect(&storage)?.needs_recovery {
            let size = storage.size();
            let replayed = Layer::new(storage, size);
            replay_journal(&replayed)?;
            storage = Arc::new(replayed);
        }
        Files::open(storage).map(Reader::from)
    }

    /// Returns the files of the filesystem by inode number.
    pub fn inodes(&self) -> &Files {
        &self.files
    }

    /// Returns the number of free blocks, including those reserved for root.
    pub fn free_blocks(&self) -> u64 {
        self.files.free_blocks()
    }

    /// Returns the number of free inodes.
    pub fn free_inodes(&self) -> u32 {
        self.files.free_inodes()
    }

    /// Reads the whole file at `path`, of up to [`READ_LIMIT`](Self::READ_LIMIT) bytes. Open
    /// larger files with [`open_file`](Self::open_file).
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such regular file, it is too large or cannot be read.
    pub fn read(&self, path: impl AsRef<[u8]>) -> PathResult<Vec<u8>> {
        self.read_up_to(path, Self::READ_LIMIT)
    }

    /// Reads the whole file at `path` if it has no more than `limit` bytes.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_up_to(&self, path: impl AsRef<[u8]>, limit: u64) -> PathResult<Vec<u8>> {
        let path = path.as_ref();
        let error = at(PathOperation::Read, path);
        let file = self.open_file(path)?;
        let size = file.metadata().size;
        if size > limit {
            return Err(error(PathErrorKind::TooLarge { size, limit }));
        }
        let mut contents = vec![0; size as usize];
        self.files.read(file.metadata().inode, 0, &mut contents).map_err(|e| error(e.into()))?;
        Ok(contents)
    }

    /// Opens the regular file at `path` for reading in pieces.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such regular file.
    pub fn open_file(&self, path: impl AsRef<[u8]>) -> PathResult<File<'_>> {
        let path = path.as_ref();
        let metadata = self.stat(PathOperation::Read, path, LastSymlink::Follow)?;
        require(&metadata, FileKind::Regular, PathOperation::Read, path)?;
        Ok(File::new(&self.files, metadata))
    }

    /// Returns the metadata of the file at `path`, following symlinks.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file.
    pub fn metadata(&self, path: impl AsRef<[u8]>) -> PathResult<Metadata> {
        self.stat(PathOperation::Inspect, path.as_ref(), LastSymlink::Follow)
    }

    /// Returns the metadata of the file at `path`; of the symlink itself if it is one.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file.
    pub fn symlink_metadata(&self, path: impl AsRef<[u8]>) -> PathResult<Metadata> {
        self.stat(PathOperation::Inspect, path.as_ref(), LastSymlink::Keep)
    }

    /// Returns whether there is a file at `path`, following symlinks.
    ///
    /// # Errors
    /// [`PathErrorKind`]: this cannot be determined, because the filesystem is damaged or
    /// symlinks form a loop.
    pub fn exists(&self, path: impl AsRef<[u8]>) -> PathResult<bool> {
        match self.metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the target of the symlink at `path`.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such symlink.
    pub fn read_link(&self, path: impl AsRef<[u8]>) -> PathResult<Vec<u8>> {
        let path = path.as_ref();
        let metadata = self.stat(PathOperation::ReadLink, path, LastSymlink::Keep)?;
        require(&metadata, FileKind::Symlink, PathOperation::ReadLink, path)?;
        self.files.read_link(metadata.inode).map_err(at(PathOperation::ReadLink, path))
    }

    /// Returns the entries of the directory at `path`, without `.` and `..`, in the order in
    /// which they are stored.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such directory.
    pub fn read_dir(&self, path: impl AsRef<[u8]>) -> PathResult<Vec<DirEntry>> {
        let path = path.as_ref();
        let metadata = self.stat(PathOperation::List, path, LastSymlink::Follow)?;
        require(&metadata, FileKind::Directory, PathOperation::List, path)?;
        self.files.entries(metadata.inode).map_err(at(PathOperation::List, path))
    }

    /// Returns the extended attributes of the file at `path`, sorted by name; of the symlink
    /// itself if it is one. Values are as they are on disk.
    ///
    /// # Errors
    /// [`PathErrorKind`]: there is no such file, or its attributes are damaged.
    pub fn xattrs(&self, path: impl AsRef<[u8]>) -> PathResult<Vec<(String, Vec<u8>)>> {
        let path = path.as_ref();
        let operation = PathOperation::ReadAttributes;
        let found = self.find(operation, path, LastSymlink::Keep)?;
        let mut attributes = self.files.xattrs(found.inode).map_err(at(operation, path))?;
        attributes.sort();
        Ok(attributes)
    }

    /// Follows a path to a file that must exist.
    pub(super) fn find(
        &self,
        operation: PathOperation,
        path: &[u8],
        last: LastSymlink,
    ) -> PathResult<Found> {
        let error = at(operation, path);
        match walk(&self.files, path, last).map_err(&error)? {
            Place::Found(found) => Ok(found),
            Place::Missing { .. } => Err(error(PathErrorKind::NotFound)),
        }
    }

    /// Follows a path to a file that must exist, and reads its metadata.
    fn stat(
        &self,
        operation: PathOperation,
        path: &[u8],
        last: LastSymlink,
    ) -> PathResult<Metadata> {
        let found = self.find(operation, path, last)?;
        self.files.stat(found.inode).map_err(at(operation, path))
    }
}

impl From<Files> for Reader {
    fn from(files: Files) -> Self {
        Reader { files }
    }
}
