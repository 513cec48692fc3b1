//! Work that can block, in a thread of its own, so that a request to stop is noticed.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::{Duration, Instant},
};

use crate::{Cancel, Cancelled};

/// How often a request to stop is looked for.
const POLL: Duration = Duration::from_millis(50);
/// How many results wait to be taken.
const QUEUE: usize = 4;

/// Why no result came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The work was stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The thread sent nothing for too long, or ended.
    #[error("no more data arrived")]
    Stalled,
}

/// The results of a thread that waits for something that cannot be interrupted: a pipe that
/// nobody writes to, or a server that does not answer.
///
/// The thread stays behind if the results are dropped before it ends.
#[derive(Debug)]
pub struct Background<T>(Receiver<T>);

impl<T: Send + 'static> Background<T> {
    /// Starts `work`, which sends its results and stops when they cannot be sent any more.
    pub fn start(work: impl FnOnce(SyncSender<T>) + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        thread::spawn(move || work(sender));
        Background(receiver)
    }

    /// Waits for the next result, at most for `patience` if that is given.
    ///
    /// # Errors
    /// [`WaitError`].
    pub fn next(&self, cancel: &Cancel, patience: Option<Duration>) -> Result<T, WaitError> {
        let start = Instant::now();
        loop {
            cancel.check()?;
            match self.0.recv_timeout(POLL) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Disconnected) => return Err(WaitError::Stalled),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if patience.is_some_and(|patience| start.elapsed() >= patience) {
                return Err(WaitError::Stalled);
            }
        }
    }
}

impl Background<io::Result<Vec<u8>>> {
    /// Reads what `open` returns in pieces of up to `piece` bytes. An empty piece is the end.
    pub fn read<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        piece: usize,
    ) -> Self {
        Background::start(move |sender| {
            let mut reader = match open() {
                Ok(reader) => reader,
                Err(error) => return drop(sender.send(Err(error))),
            };
            loop {
                let mut bytes = vec![0; piece];
                let read = reader.read(&mut bytes).map(|length| {
                    bytes.truncate(length);
                    bytes
                });
                let is_last = !matches!(&read, Ok(bytes) if !bytes.is_empty());
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_until_an_empty_one() {
        let cancel = Cancel::new();
        let pieces = Background::read(|| Ok(&b"abcde"[..]), 2);
        let next = || pieces.next(&cancel, None).map(Result::unwrap);
        let read: Vec<_> = (0..4).map(|_| next().unwrap()).collect();
        assert_eq!(read, [&b"ab"[..], b"cd", b"e", b""]);
        assert_eq!(next(), Err(WaitError::Stalled), "the thread has ended");

        let failed = Background::read(|| Err::<io::Empty, _>(io::Error::other("no")), 2);
        assert_eq!(failed.next(&cancel, None).unwrap().unwrap_err().to_string(), "no");
    }

    #[test]
    fn waiting_ends_on_request_or_when_patience_does() {
        let cancel = Cancel::new();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let silent = Background::<()>::start(move |sender| {
            let _ = held.recv();
            drop(sender);
        });
        assert_eq!(silent.next(&cancel, Some(POLL * 2)), Err(WaitError::Stalled));
        cancel.cancel();
        assert_eq!(silent.next(&cancel, None), Err(WaitError::Cancelled(Cancelled)));
        drop(hold);
    }
}
