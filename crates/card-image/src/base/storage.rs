//! The bytes of a base image, compared with the checksums of the cache.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use block_io::{FileStorage, ReadAt};

use super::{
    BaseError,
    piece_sums::{PIECE, PieceSums},
};

/// The bytes of a base image, for reading only.
///
/// An image that was decoded into the cache is compared with what was decoded: each piece when
/// it is read for the first time. A later change is one that
/// [`BaseImage::check_unchanged`](super::BaseImage::check_unchanged) detects.
#[derive(Debug)]
pub struct BaseStorage {
    file: FileStorage,
    decoded: Option<DecodedPieces>,
}

/// What is known about the pieces of a decoded image.
#[derive(Debug)]
pub(super) struct DecodedPieces {
    sums: PieceSums,
    /// Which pieces have been compared.
    compared: Vec<AtomicBool>,
    /// Where the first piece begins that differs.
    differs: OnceLock<u64>,
    /// The record that makes the image an entry of the cache.
    record: PathBuf,
}

impl DecodedPieces {
    pub(super) fn new(sums: PieceSums, record: PathBuf) -> Self {
        let compared = (0..sums.len()).map(|_| AtomicBool::new(false)).collect();
        DecodedPieces { sums, compared, differs: OnceLock::new(), record }
    }

    /// Returns the pieces that overlap a range of bytes and have not been compared.
    fn unknown(&self, range: &Range<u64>) -> impl Iterator<Item = usize> {
        let pieces = range.start / PIECE as u64..range.end.div_ceil(PIECE as u64);
        pieces.map(|piece| piece as usize).filter(|piece| {
            self.compared.get(*piece).is_none_or(|known| !known.load(Ordering::Relaxed))
        })
    }

    /// Compares a piece. If it differs, the entry of the cache is no longer one.
    fn compare(&self, piece: usize, bytes: &[u8], path: &Path) -> block_io::Result<()> {
        if self.sums.agrees(piece, bytes) {
            if let Some(known) = self.compared.get(piece) {
                known.store(true, Ordering::Relaxed);
            }
            return Ok(());
        }
        let offset = *self.differs.get_or_init(|| (piece * PIECE) as u64);
        // The next run decodes the image again. It does so too if this fails: it gets here.
        let _ = fs::remove_file(&self.record);
        let source = io::Error::new(io::ErrorKind::InvalidData, "it is not what was decoded");
        Err(block_io::Error::Io { operation: "read", path: path.to_owned(), offset, source })
    }
}

impl BaseStorage {
    pub(super) fn new(file: FileStorage, decoded: Option<DecodedPieces>) -> Self {
        BaseStorage { file, decoded }
    }

    /// Returns the path of the base itself, or of the decoded image.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Returns the open file.
    pub fn file(&self) -> &File {
        self.file.file()
    }

    /// Makes sure that all that was read is what was decoded.
    pub(super) fn check_pieces(&self) -> Result<(), BaseError> {
        match self.decoded.as_ref().and_then(|decoded| decoded.differs.get()) {
            Some(offset) => {
                Err(BaseError::CachedImage { path: self.path().to_owned(), offset: *offset })
            }
            None => Ok(()),
        }
    }

    /// Returns where a piece is in the image.
    fn range_of(&self, piece: usize) -> Range<u64> {
        let start = (piece * PIECE) as u64;
        start..(start + PIECE as u64).min(self.size())
    }

    /// Reads a whole piece and compares it.
    fn read_piece(&self, decoded: &DecodedPieces, piece: usize) -> block_io::Result<Vec<u8>> {
        let Range { start, end } = self.range_of(piece);
        let bytes = self.file.read_vec(start, (end - start) as usize)?;
        decoded.compare(piece, &bytes, self.path())?;
        Ok(bytes)
    }
}

impl ReadAt for BaseStorage {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> block_io::Result<()> {
        self.file.read_at(offset, buf)?;
        let Some(decoded) = &self.decoded else { return Ok(()) };
        let read = offset..offset + buf.len() as u64;
        for piece in decoded.unknown(&read) {
            let whole = self.range_of(piece);
            let part = whole.start.max(read.start)..whole.end.min(read.end);
            let to = &mut buf[(part.start - offset) as usize..(part.end - offset) as usize];
            if part == whole {
                decoded.compare(piece, to, self.path())?;
            } else {
                let bytes = self.read_piece(decoded, piece)?;
                let within = (part.start - whole.start) as usize..(part.end - whole.start) as usize;
                to.copy_from_slice(&bytes[within]);
            }
        }
        Ok(())
    }

    fn next_data(&self, from: u64) -> block_io::Result<Option<Range<u64>>> {
        let data = self.file.next_data(from)?;
        let Some(decoded) = &self.decoded else { return Ok(data) };
        // A hole counts for zeros without being read, so it is compared here.
        let hole = from..data.as_ref().map_or(self.size(), |data| data.start).max(from);
        for piece in decoded.unknown(&hole).filter(|piece| !decoded.sums.is_zero(*piece)) {
            self.read_piece(decoded, piece)?;
        }
        Ok(data)
    }
}
