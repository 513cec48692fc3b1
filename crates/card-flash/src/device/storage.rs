//! An opened device or file as a storage for small changes.

use std::io;

use block_io::{Error, ReadAt, Result, WriteAt};
use platform::PositionedFile as _;

use super::OpenedTarget;

/// An opened device or file that is read and written through the page cache, at any offset
/// and length.
#[derive(Debug)]
pub struct OpenedStorage {
    opened: OpenedTarget,
}

impl OpenedStorage {
    pub(super) fn new(opened: OpenedTarget) -> io::Result<Self> {
        opened.use_page_cache()?;
        Ok(OpenedStorage { opened })
    }

    /// Returns the opened device or file.
    pub fn opened(&self) -> &OpenedTarget {
        &self.opened
    }

    fn check(&self, offset: u64, length: u64) -> Result<()> {
        let size = self.size();
        match offset.checked_add(length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Error::OutOfBounds { offset, length, size }),
        }
    }

    fn error(&self, operation: &'static str, offset: u64) -> impl FnOnce(io::Error) -> Error {
        let path = self.opened.path().to_owned();
        move |source| Error::Io { operation, path, offset, source }
    }
}

impl ReadAt for OpenedStorage {
    fn size(&self) -> u64 {
        crate::Medium::size(&self.opened)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.check(offset, buf.len() as u64)?;
        self.opened.file().read_exact_at(buf, offset).map_err(self.error("read", offset))
    }
}

impl WriteAt for OpenedStorage {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.check(offset, data.len() as u64)?;
        self.opened.file().write_all_at(data, offset).map_err(self.error("write", offset))
    }

    fn flush(&self) -> Result<()> {
        self.opened.file().sync_all().map_err(self.error("flush", 0))
    }
}
