//! Files and block devices as storages.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use platform::{PositionedFile as _, rights, sparse};

use crate::{Error, ReadAt, Result, WriteAt, storage::check_bounds};

/// A file or block device. Its size is determined once, when it is opened.
#[derive(Debug)]
pub struct FileStorage {
    file: File,
    path: PathBuf,
    size: u64,
    writable: bool,
}

impl FileStorage {
    /// Opens a file or device for reading.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, OpenOptions::new().read(true), false)
    }

    /// Opens a file or device for reading and writing.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn open_writable(path: &Path) -> Result<Self> {
        Self::open_with(path, OpenOptions::new().read(true).write(true), true)
    }

    fn open_with(path: &Path, options: &OpenOptions, writable: bool) -> Result<Self> {
        let file = rights::open(path, options)
            .map_err(|source| Error::Open { path: path.to_owned(), source })?;
        Self::new(file, path.to_owned(), writable)
    }

    /// Turns a file or device that was opened for reading into a storage. `path` stands
    /// for it in error messages.
    ///
    /// # Errors
    /// [`Error::Open`] if its size cannot be determined.
    pub fn from_file(file: File, path: PathBuf) -> Result<Self> {
        Self::new(file, path, false)
    }

    fn new(mut file: File, path: PathBuf, writable: bool) -> Result<Self> {
        // A block device's metadata states a size of 0; seeking works for both kinds.
        match file.seek(SeekFrom::End(0)) {
            Ok(size) => Ok(FileStorage { file, path, size, writable }),
            Err(source) => Err(Error::Open { path, source }),
        }
    }

    /// Returns the path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the open file.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn error(&self, operation: &'static str, offset: u64, source: io::Error) -> Error {
        Error::Io { operation, path: self.path.clone(), offset, source }
    }
}

impl ReadAt for FileStorage {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_bounds(self.size, offset, buf.len() as u64)?;
        self.file.read_exact_at(buf, offset).map_err(|source| self.error("read", offset, source))
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        sparse::next_data(&self.file, from, self.size)
            .map_err(|source| self.error("read", from, source))
    }
}

impl WriteAt for FileStorage {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        if !self.writable {
            return Err(Error::ReadOnly);
        }
        check_bounds(self.size, offset, data.len() as u64)?;
        self.file.write_all_at(data, offset).map_err(|source| self.error("write", offset, source))
    }

    fn flush(&self) -> Result<()> {
        self.file.sync_all().map_err(|source| self.error("flush", 0, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of 64 KiB with one block of data at 16 KiB, if the filesystem has holes.
    fn sparse() -> (tempfile::NamedTempFile, FileStorage) {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(64 << 10).unwrap();
        file.as_file().write_all_at(&[7; 4096], 16 << 10).unwrap();
        let storage = FileStorage::open_writable(file.path()).unwrap();
        (file, storage)
    }

    #[test]
    fn reads_and_writes_within_its_bounds() {
        let (file, storage) = sparse();
        assert_eq!((storage.size(), storage.path()), (64 << 10, file.path()));
        assert_eq!(storage.read_vec((16 << 10) - 1, 3).unwrap(), [0, 7, 7]);
        storage.write_at((64 << 10) - 2, b"ab").unwrap();
        storage.flush().unwrap();
        assert_eq!(storage.read_vec((64 << 10) - 2, 2).unwrap(), b"ab");
        for offset in [(64 << 10) - 1, 64 << 10, u64::MAX] {
            let error = storage.write_at(offset, b"cd").unwrap_err();
            assert!(matches!(error, Error::OutOfBounds { size: 0x1_0000, .. }), "{error:?}");
            assert!(storage.read_at(offset, &mut [0; 2]).is_err());
        }
        assert_eq!(file.as_file().metadata().unwrap().len(), 64 << 10);
        let read_only = FileStorage::open(file.path()).unwrap();
        assert!(matches!(read_only.write_at(0, b"x"), Err(Error::ReadOnly)));
        assert_eq!(read_only.read_vec(0, 1).unwrap(), [0]);
    }

    #[test]
    fn finds_its_data() {
        let (file, storage) = sparse();
        let data = storage.next_data(0).unwrap().unwrap();
        let all_zero = |range: Range<u64>| {
            let bytes = storage.read_vec(range.start, (range.end - range.start) as usize).unwrap();
            bytes.iter().all(|byte| *byte == 0)
        };
        assert!(data.start <= 16 << 10 && data.end >= 20 << 10 && data.end <= 64 << 10);
        // From within the data, the rest of it.
        let rest = storage.next_data((16 << 10) + 5).unwrap().unwrap();
        assert_eq!(rest, (16 << 10) + 5..data.end);
        if let Some(after) = storage.next_data(data.end).unwrap() {
            assert!(after.start >= data.end && all_zero(data.end..after.start));
        } else {
            assert!(all_zero(data.end..64 << 10));
        }
        for end in [64 << 10, u64::MAX] {
            assert_eq!(storage.next_data(end).unwrap(), None);
        }
        // What a file has got behind its first size is not part of the storage.
        file.as_file().write_all_at(&[7; 4096], 64 << 10).unwrap();
        let mut at = 0;
        while let Some(data) = storage.next_data(at).unwrap() {
            assert!(data.end <= 64 << 10 && data.start >= at);
            at = data.end;
        }
    }
}
