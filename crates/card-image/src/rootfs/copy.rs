//! Files of this machine, copied into a filesystem piece by piece.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use ext4_offline::FileKind;
use sha2::{Digest, Sha256};

use super::{FsError, FsResult, RootFs, error::at, read::require, walk::LastSymlink};

/// Large enough for the filesystem to give each piece one extent.
const PIECE: usize = 4 << 20;

/// A file of this machine whose contents are wanted.
pub(super) struct Source<'a> {
    pub path: &'a Path,
    /// In bytes.
    pub size: u64,
    pub sha256: &'a [u8; 32],
}

/// A file of this machine cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is another file by now.
    #[error("{} has changed since the profile was read; run nodecard again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl Source<'_> {
    fn unreadable(&self) -> impl Fn(io::Error) -> SourceError + '_ {
        |source| SourceError::Unreadable { path: self.path.to_owned(), source }
    }

    fn changed(&self) -> SourceError {
        SourceError::Changed { path: self.path.to_owned() }
    }
}

impl RootFs {
    /// Gives the regular file at `path` the contents of `source`.
    pub(super) fn copy_in(&mut self, path: &str, source: &Source<'_>) -> FsResult<()> {
        let mut file = File::open(source.path).map_err(source.unreadable())?;
        self.replace(path, &[])?;
        let mut sum = Sha256::new();
        let mut left = source.size;
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let count = left.min(PIECE as u64) as usize;
            let bytes = piece.get_mut(..count).unwrap_or_default();
            file.read_exact(bytes).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => source.changed(),
                _ => source.unreadable()(error),
            })?;
            sum.update(&*bytes);
            self.append(path, bytes)?;
            left -= count as u64;
        }
        match sum.finalize().as_slice() == source.sha256 {
            true => Ok(()),
            false => Err(source.changed().into()),
        }
    }

    /// Whether the regular file at `path` has the size and the sum of `source`.
    ///
    /// # Errors
    /// [`FsError::WrongKind`], or that the filesystem is damaged.
    pub(super) fn holds_copy(&self, path: &str, source: &Source<'_>) -> FsResult<bool> {
        let Some(found) = self.find(path, LastSymlink::Follow)? else { return Ok(false) };
        let stat = self.stat(path, found.inode)?;
        require(stat.kind, FileKind::Regular, "read", path)?;
        if stat.size != source.size {
            return Ok(false);
        }
        let mut sum = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        while offset < stat.size {
            let count = (stat.size - offset).min(PIECE as u64) as usize;
            let bytes = piece.get_mut(..count).unwrap_or_default();
            self.files.read(found.inode, offset, bytes).map_err(at("read", path))?;
            sum.update(&*bytes);
            offset += count as u64;
        }
        Ok(sum.finalize().as_slice() == source.sha256)
    }

    /// The first and the last bytes of the regular file at `path`, `length` of each or as
    /// many as there are; `None` where there is no such file.
    ///
    /// # Errors
    /// [`FsError::WrongKind`], or that the filesystem is damaged.
    pub fn ends(&self, path: &str, length: usize) -> FsResult<Option<(Vec<u8>, Vec<u8>)>> {
        let Some(found) = self.find(path, LastSymlink::Follow)? else { return Ok(None) };
        let stat = self.stat(path, found.inode)?;
        require(stat.kind, FileKind::Regular, "read", path)?;
        let length = stat.size.min(length as u64);
        let read = |offset| {
            let mut bytes = vec![0; length as usize];
            self.files.read(found.inode, offset, &mut bytes).map_err(at("read", path))?;
            Ok::<_, FsError>(bytes)
        };
        Ok(Some((read(0)?, read(stat.size - length)?)))
    }
}
