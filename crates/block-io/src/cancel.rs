//! Stopping long work from outside.

use std::{
    fs::{File, TryLockError},
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::abandon::Work;

/// How often a lock is tried that another process holds.
const POLL: Duration = Duration::from_millis(50);

/// A request to stop, which clones share: one side sets it, the other checks it while it
/// works. Setting it is safe in a signal handler's thread.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_requested: AtomicBool,
    work: Work,
}

/// The work was stopped on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Cancelled;

impl Cancel {
    /// Makes a request that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop soon.
    pub fn cancel(&self) {
        self.0.is_requested.store(true, Ordering::Relaxed);
    }

    /// Checks whether the work has to stop.
    ///
    /// # Errors
    /// [`Cancelled`] once [`cancel`](Self::cancel) was called on any clone.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.0.is_requested.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }

    /// Returns what is under way.
    pub(crate) fn work(&self) -> &Work {
        &self.0.work
    }

    /// Locks a file exclusively, and waits for other processes that have locked it.
    ///
    /// # Errors
    /// Those of the operating system; [`Cancelled`], within an [`io::Error`], if the work has
    /// to stop meanwhile.
    pub fn lock(&self, file: &File) -> io::Result<()> {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {}
            }
            self.check().map_err(io::Error::other)?;
            thread::sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clone_sees_the_request() {
        let cancel = Cancel::new();
        let clone = cancel.clone();
        assert_eq!(clone.check(), Ok(()));
        cancel.cancel();
        assert_eq!(clone.check(), Err(Cancelled));
        assert_eq!(Cancel::new().check(), Ok(()));
    }

    #[test]
    fn a_lock_is_exclusive_and_waiting_for_it_ends_on_request() {
        let directory = tempfile::tempdir().unwrap();
        let open = || platform::open_lock(&directory.path().join("lock")).unwrap();
        let (held, other) = (open(), open());
        let cancel = Cancel::new();
        cancel.lock(&held).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| cancel.lock(&other));
            thread::sleep(POLL * 3);
            assert!(!waiting.is_finished(), "it waits");
            cancel.cancel();
            let error = waiting.join().unwrap().unwrap_err();
            assert_eq!(error.to_string(), "interrupted");
        });
        // A free lock is taken even then.
        drop(held);
        cancel.lock(&other).unwrap();
    }
}
