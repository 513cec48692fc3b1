//! A storage that breaks on purpose.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{Error, ReadAt, Result, WriteAt};

/// Passes everything through to another storage until its nth read or write,
/// which fails, as do all that follow.
#[derive(Debug)]
pub struct FaultInjector<S> {
    storage: S,
    reads: AtomicU64,
    writes: AtomicU64,
    fail_read: u64,
    fail_write: u64,
}

impl<S> FaultInjector<S> {
    /// A storage whose reads fail from number `fail_read` on, its writes from
    /// number `fail_write` on, both counted from 0. `u64::MAX`: never.
    pub fn new(storage: S, fail_read: u64, fail_write: u64) -> Self {
        FaultInjector {
            storage,
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            fail_read,
            fail_write,
        }
    }

    /// How many reads were asked for so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many writes were asked for so far.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64, limit: u64, operation: &'static str) -> Result<()> {
    let number = counter.fetch_add(1, Ordering::Relaxed);
    if number >= limit { Err(Error::Injected { operation, number }) } else { Ok(()) }
}

impl<S: ReadAt> ReadAt for FaultInjector<S> {
    fn size(&self) -> u64 {
        self.storage.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        count(&self.reads, self.fail_read, "read")?;
        self.storage.read_at(offset, buf)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        self.storage.next_data(from)
    }
}

impl<S: WriteAt> WriteAt for FaultInjector<S> {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        count(&self.writes, self.fail_write, "write")?;
        self.storage.write_at(offset, data)
    }

    fn write_zeros(&self, offset: u64, length: u64) -> Result<()> {
        count(&self.writes, self.fail_write, "write")?;
        self.storage.write_zeros(offset, length)
    }

    fn flush(&self) -> Result<()> {
        self.storage.flush()
    }
}
