//! Copying files of this machine into a filesystem, piece by piece.

use std::{
    fs::OpenOptions,
    io::{self, Read},
    path::{Path, PathBuf},
};

use platform::open_regular;
use sha2::{Digest, Sha256};

use super::{FsResult, RootFsEditor};

/// Large enough for the filesystem to give each piece one extent.
const PIECE: usize = 4 << 20;

/// A file of this machine that is to be copied.
pub(super) struct Source<'a> {
    pub path: &'a Path,
    /// In bytes.
    pub size: u64,
    pub sha256: &'a [u8; 32],
}

/// A file of this machine cannot be copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file is not the one that the profile was read with.
    #[error("{} has changed since the profile was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl SourceError {
    /// Returns what a user can do about the error.
    pub fn fix(&self) -> Option<String> {
        match self {
            SourceError::Unreadable { .. } => None,
            SourceError::Changed { .. } => Some("run nodecard again".to_owned()),
        }
    }
}

impl Source<'_> {
    fn unreadable(&self) -> impl Fn(io::Error) -> SourceError + '_ {
        |source| SourceError::Unreadable { path: self.path.to_owned(), source }
    }

    fn changed(&self) -> SourceError {
        SourceError::Changed { path: self.path.to_owned() }
    }
}

impl Source<'_> {
    /// Returns the whole contents, checked.
    pub(super) fn read_whole(&self) -> Result<Vec<u8>, SourceError> {
        let mut contents = Vec::new();
        let file = open_regular(self.path, OpenOptions::new().read(true));
        let file = file.map_err(self.unreadable())?;
        let read = file.take(self.size.saturating_add(1)).read_to_end(&mut contents);
        read.map_err(self.unreadable())?;
        let is_same = contents.len() as u64 == self.size
            && Sha256::digest(&contents).as_slice() == self.sha256;
        if is_same { Ok(contents) } else { Err(self.changed()) }
    }
}

impl RootFsEditor {
    /// Gives the regular file at `path` the contents of `source`.
    pub(super) fn copy_in(&mut self, path: &str, source: &Source<'_>) -> FsResult<()> {
        let mut file = open_regular(source.path, OpenOptions::new().read(true))
            .map_err(source.unreadable())?;
        self.editor().write(path, b"")?;
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
            self.editor().append(path, &*bytes)?;
            left -= count as u64;
        }
        if sum.finalize().as_slice() == source.sha256 {
            Ok(())
        } else {
            Err(source.changed().into())
        }
    }

    /// Returns whether the regular file at `path` has the size and the checksum of `source`.
    ///
    /// # Errors
    /// [`FsError`](super::FsError): it is not a regular file, or the filesystem is damaged.
    pub(super) fn holds_copy(&self, path: &str, source: &Source<'_>) -> FsResult<bool> {
        let file = self.reader().open_file(path)?;
        if file.metadata().size != source.size {
            return Ok(false);
        }
        let mut sum = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        loop {
            let count = file.read_at(offset, &mut piece)?;
            if count == 0 {
                return Ok(sum.finalize().as_slice() == source.sha256);
            }
            sum.update(piece.get(..count).unwrap_or_default());
            offset += count as u64;
        }
    }
}
