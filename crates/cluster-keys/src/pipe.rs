//! Reading pipes, whose other end may never come.

use std::{
    fs::File,
    io::{self, Cursor, Read},
    path::Path,
};

use block_io::{Background, Cancel};

/// How many bytes are read at a time.
const PIECE: usize = 64 << 10;

/// A pipe that is opened and read in a thread of its own, because neither can be interrupted.
pub(crate) struct Pipe<'a> {
    pieces: Background<io::Result<Vec<u8>>>,
    current: Cursor<Vec<u8>>,
    at_end: bool,
    cancel: &'a Cancel,
}

impl<'a> Pipe<'a> {
    pub(crate) fn open(path: &Path, cancel: &'a Cancel) -> Self {
        let path = path.to_owned();
        let pieces = Background::read(move || File::open(path), PIECE);
        Pipe { pieces, current: Cursor::default(), at_end: false, cancel }
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.current.read(buf)?;
        if length > 0 || buf.is_empty() || self.at_end {
            return Ok(length);
        }
        let piece = self.pieces.next(self.cancel, None).map_err(io::Error::other)??;
        self.at_end = piece.is_empty();
        self.current = Cursor::new(piece);
        self.current.read(buf)
    }
}
