//! One file, read in pieces.

use std::io::{self, Read, Seek, SeekFrom};

use crate::{Metadata, Result, inodes::Files};

/// A regular file, opened for reading.
///
/// It reads like a [`std::fs::File`], from a position that [`Read`] advances, or from any
/// position with [`read_at`](Self::read_at).
#[derive(Debug, Clone)]
pub struct File<'a> {
    files: &'a Files,
    metadata: Metadata,
    position: u64,
}

impl<'a> File<'a> {
    pub(super) fn new(files: &'a Files, metadata: Metadata) -> Self {
        File { files, metadata, position: 0 }
    }

    /// Returns the metadata of the file.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Reads from byte `offset` on. Returns the number of bytes that were read: fewer than
    /// `buf` holds only at the end of the file. Holes read as zeros.
    ///
    /// # Errors
    /// [`Error`](crate::Error): the file is damaged or cannot be read.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let left = self.metadata.size.saturating_sub(offset);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        if let Some(buf) = buf.get_mut(..count) {
            self.files.read(self.metadata.inode, offset, buf)?;
        }
        Ok(count)
    }
}

impl Read for File<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(self.position, buf).map_err(io::Error::other)?;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for File<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.metadata.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        self.position = position.ok_or_else(invalid)?;
        Ok(self.position)
    }
}
