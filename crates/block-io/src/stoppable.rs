//! A storage whose reads end the work that needs them on request.

use std::{io, ops::Range};

use crate::{Cancel, Error, ReadAt, Result};

/// A storage whose reads fail once somebody asks to stop. So whatever reads through it stops,
/// although it knows nothing about requests.
#[derive(Debug)]
pub struct Stoppable<S> {
    inner: S,
    cancel: Cancel,
}

impl<S: ReadAt> Stoppable<S> {
    /// Returns a storage that reads from `inner` until `cancel` is set.
    pub fn new(inner: S, cancel: Cancel) -> Self {
        Stoppable { inner, cancel }
    }
}

impl Cancel {
    /// Checks whether a read has to fail because the work has to stop.
    ///
    /// # Errors
    /// [`Error::Io`], with [`Cancelled`](crate::Cancelled) as its source.
    pub fn check_read(&self, offset: u64) -> Result<()> {
        self.check().map_err(|error| Error::Io {
            operation: "read",
            path: Default::default(),
            offset,
            source: io::Error::other(error),
        })
    }
}

impl<S: ReadAt> ReadAt for Stoppable<S> {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.cancel.check_read(offset)?;
        self.inner.read_at(offset, buf)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        self.cancel.check_read(from)?;
        self.inner.next_data(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    #[test]
    fn reads_fail_after_the_request() {
        let cancel = Cancel::new();
        let storage = Stoppable::new(Memory::new(vec![7; 16]), cancel.clone());
        assert_eq!(storage.read_vec(8, 8).unwrap(), [7; 8]);
        cancel.cancel();
        assert!(storage.read_vec(8, 8).is_err());
        assert!(storage.next_data(0).is_err());
        assert_eq!(storage.size(), 16);
    }
}
