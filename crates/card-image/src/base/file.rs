//! The file as given: opened read-only, identified, and hashed while it is read.

use std::{
    fs::File,
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use block_io::FileStorage;
use md5::Md5;
use plain_text::to_hex;
use platform::{
    FileInfo, FileKind, FileStamp, PositionedFile as _,
    opening::open_at_once,
    sparse::{Advice, advise},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BaseError, format};
use crate::{
    Cancel,
    progress::{BuildProgress, BuildStage, RunningStage},
};

/// How many bytes are read at a time.
const CHUNK: usize = 256 << 10;

/// What distinguishes a file from others, and from itself before it was changed.
///
/// The change time is part of it. Unlike the modification time, no program can set it
/// back, so a file that was rewritten in place and "touched" is detected. The device
/// number is not part of it: on some filesystems it differs after every mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileIdentity {
    path: String,
    inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    pub(super) fn new(path: &Path, stamp: FileStamp) -> Self {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        FileIdentity {
            path: path.to_string_lossy().into_owned(),
            inode: stamp.inode,
            size: stamp.size,
            modified: stamp.modified,
            changed: stamp.changed,
        }
    }

    /// Returns whether the file's last change was so long ago that a further one is certain
    /// to get another time stamp. The coarsest clocks (FAT) tick every two seconds.
    pub(super) fn is_settled(&self) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let Ok(seconds) = u64::try_from(seconds) else { return false };
        let since = Duration::new(seconds, u32::try_from(nanoseconds).unwrap_or(0));
        SystemTime::UNIX_EPOCH
            .checked_add(since)
            .and_then(|changed| SystemTime::now().duration_since(changed).ok())
            .is_some_and(|age| age > Duration::from_secs(2))
    }

    /// Returns whether both have the same path, whatever their contents.
    pub(super) fn same_path(&self, other: &FileIdentity) -> bool {
        self.path == other.path
    }

    /// Returns whether there is no file at the path any more.
    pub(super) fn is_gone(&self) -> bool {
        let found = std::fs::symlink_metadata(&self.path);
        found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Makes sure that an open file has not been written to since it was identified.
    /// Removing the file, or renaming another over it, changes its times too.
    ///
    /// # Errors
    /// [`BaseError::Changed`]; [`BaseError::Read`] if the file's metadata cannot be read.
    pub(super) fn check_unchanged(&self, file: &File, path: &Path) -> Result<(), BaseError> {
        let stamp = FileStamp::of(file).map_err(|source| BaseError::Read {
            path: path.to_owned(),
            offset: 0,
            source,
        })?;
        let same = stamp.size == self.size
            && stamp.modified == self.modified
            // Unlike the modification time, no program can set this one back.
            && stamp.changed == self.changed;
        if same { Ok(()) } else { Err(BaseError::Changed { path: path.to_owned() }) }
    }

    /// Returns a name for what is made from this file that can be part of a file name.
    pub(super) fn key(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let mut key = to_hex(&Sha256::digest(text));
        key.truncate(24);
        key
    }
}

/// The checksums of a file as given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) sha256: [u8; 32],
    pub(super) md5: Option<[u8; 16]>,
}

/// The open file.
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) identity: FileIdentity,
}

impl SourceFile {
    pub(super) fn open(path: &Path) -> Result<Self, BaseError> {
        let fail = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => BaseError::NotFound { path: path.to_owned() },
            _ => BaseError::Read { path: path.to_owned(), offset: 0, source },
        };
        let not_a_file = |what| BaseError::NotAFile { path: path.to_owned(), what };
        // Windows does not open directories.
        if path.is_dir() {
            return Err(not_a_file("a directory"));
        }
        // Opening a named pipe as usual would wait forever for a writer.
        let file = open_at_once(path).map_err(fail)?;
        let found = FileInfo::of(&file).map_err(fail)?;
        match found.kind {
            FileKind::Regular => {}
            FileKind::Directory => return Err(not_a_file("a directory")),
            FileKind::BlockDevice => return Err(not_a_file("a block device")),
            FileKind::Pipe => return Err(not_a_file("a named pipe")),
            _ => return Err(not_a_file("not a regular file")),
        }
        if found.size == 0 {
            return Err(BaseError::Empty { path: path.to_owned() });
        }
        let identity = FileIdentity::new(path, FileStamp::of(&file).map_err(fail)?);
        Ok(SourceFile { path: path.to_owned(), file, identity })
    }

    /// Returns the file's size in bytes when it was opened.
    pub(super) fn size(&self) -> u64 {
        self.identity.size
    }

    /// Returns the first [`format::HEAD`] bytes, or all if there are fewer.
    pub(super) fn head(&self) -> Result<Vec<u8>, BaseError> {
        let mut head = vec![0; format::HEAD];
        let mut filled = 0;
        while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.read_error(filled as u64, error)),
            }
        }
        head.truncate(filled);
        Ok(head)
    }

    pub(super) fn read_error(&self, offset: u64, source: io::Error) -> BaseError {
        BaseError::Read { path: self.path.clone(), offset, source }
    }

    /// Makes sure that the file has not been written to since it was opened.
    ///
    /// # Errors
    /// [`BaseError::Changed`] if it has.
    pub(super) fn check_unchanged(&self) -> Result<(), BaseError> {
        self.identity.check_unchanged(&self.file, &self.path)
    }

    /// Turns the open file into a storage.
    pub(super) fn into_storage(self) -> Result<(FileStorage, FileIdentity), BaseError> {
        // Computing checksums asked for sequential reading; a storage is read anywhere.
        advise(&self.file, Advice::Normal);
        Ok((FileStorage::from_file(self.file, self.path)?, self.identity))
    }

    /// Reads the whole file and returns its checksums.
    pub(super) fn digests(
        &self,
        md5: bool,
        progress: &dyn BuildProgress,
        cancel: &Cancel,
    ) -> Result<Digests, BaseError> {
        let running = RunningStage::begin(progress, BuildStage::CheckBase, self.size());
        let mut reader = HashingReader::new(self, md5, Some(&running), cancel);
        let result = reader.drain();
        let result = result.map_err(|error| self.read_error(reader.position(), error));
        cancel.check()?;
        result?;
        self.check_unchanged()?;
        Ok(reader.finish())
    }
}

/// Reads a file from its beginning and hashes what it reads.
pub(super) struct HashingReader<'a> {
    file: &'a File,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The number of bytes read from the file.
    read: u64,
    sha256: Sha256,
    md5: Option<Md5>,
    progress: Option<&'a RunningStage<'a>>,
    cancel: &'a Cancel,
}

impl<'a> HashingReader<'a> {
    pub(super) fn new(
        source: &'a SourceFile,
        md5: bool,
        progress: Option<&'a RunningStage<'a>>,
        cancel: &'a Cancel,
    ) -> Self {
        advise(&source.file, Advice::Sequential);
        HashingReader {
            file: &source.file,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            read: 0,
            sha256: Sha256::new(),
            md5: md5.then(Md5::new),
            progress,
            cancel,
        }
    }

    /// Returns the number of bytes consumed.
    pub(super) fn position(&self) -> u64 {
        self.read - (self.end - self.start) as u64
    }

    /// Reads the rest, so that the checksums cover the whole file.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        while !self.fill_buf()?.is_empty() {
            self.consume(CHUNK);
        }
        Ok(())
    }

    /// Returns the checksums of all bytes read.
    pub(super) fn finish(self) -> Digests {
        Digests {
            sha256: self.sha256.finalize().into(),
            md5: self.md5.map(|md5| md5.finalize().into()),
        }
    }
}

impl BufRead for HashingReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.cancel.check().map_err(io::Error::other)?;
            let n = loop {
                match self.file.read_at(&mut self.buffer, self.read) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other?,
                }
            };
            let fresh = self.buffer.get(..n).unwrap_or_default();
            self.sha256.update(fresh);
            if let Some(md5) = &mut self.md5 {
                md5.update(fresh);
            }
            (self.start, self.end) = (0, n);
            self.read += n as u64;
            if let Some(progress) = self.progress {
                progress.advance(n as u64);
            }
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.start = self.end.min(self.start.saturating_add(amount));
    }
}

impl Read for HashingReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), available.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}
