//! Reading pipes, whose other end may never come.

use std::{
    fs::File,
    io::{self, Cursor, Read},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use block_io::Cancel;

/// How often a request to stop is looked for.
const POLL: Duration = Duration::from_millis(50);

/// A pipe that is opened and read in a thread of its own, because neither can be interrupted.
/// The thread stays behind if the user asks to stop.
pub(crate) struct Pipe<'a> {
    pieces: Receiver<io::Result<Vec<u8>>>,
    current: Cursor<Vec<u8>>,
    cancel: &'a Cancel,
}

impl<'a> Pipe<'a> {
    pub(crate) fn open(path: &Path, cancel: &'a Cancel) -> Self {
        let path = path.to_owned();
        let (sender, pieces) = sync_channel(4);
        thread::spawn(move || {
            let mut file = match File::open(path) {
                Ok(file) => file,
                Err(error) => return drop(sender.send(Err(error))),
            };
            loop {
                let mut piece = vec![0; 64 << 10];
                let read = file.read(&mut piece).map(|n| {
                    piece.truncate(n);
                    piece
                });
                let is_last = !matches!(&read, Ok(piece) if !piece.is_empty());
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Pipe { pieces, current: Cursor::default(), cancel }
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.current.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            self.cancel.check().map_err(io::Error::other)?;
            match self.pieces.recv_timeout(POLL) {
                Ok(Ok(piece)) if piece.is_empty() => return Ok(0),
                Ok(piece) => self.current = Cursor::new(piece?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}
