//! A storage that fails on purpose.

use std::{
    fmt, io,
    ops::Range,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use block_io::{Error, ReadAt, Result, WriteAt};

/// Passes everything on to another storage until its nth read or write, which fails, as do
/// all that follow.
#[derive(Debug)]
pub struct FaultInjector<S> {
    storage: S,
    reads: AtomicU64,
    writes: AtomicU64,
    fail_read: u64,
    fail_write: u64,
}

impl<S> FaultInjector<S> {
    /// A storage whose reads fail from number `fail_read` on, and its writes from number
    /// `fail_write` on, both counted from 0. With `u64::MAX` they never fail.
    pub fn new(storage: S, fail_read: u64, fail_write: u64) -> Self {
        FaultInjector {
            storage,
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            fail_read,
            fail_write,
        }
    }

    /// Returns the number of reads so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Returns the number of writes so far.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}

/// The cause of an injected fault.
#[derive(Debug)]
struct InjectedFault;

impl fmt::Display for InjectedFault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("fault injected by a test")
    }
}

impl std::error::Error for InjectedFault {}

/// Returns the error of an operation (`read` or `write`) that fails because a test wants
/// it to.
pub fn injected_fault(operation: &'static str, offset: u64) -> Error {
    let (path, source) = (PathBuf::from("(test)"), io::Error::other(InjectedFault));
    Error::Io { operation, path, offset, source }
}

/// Returns whether an error is that of [`injected_fault`].
pub fn is_injected(error: &Error) -> bool {
    let Error::Io { source, .. } = error else { return false };
    source.get_ref().is_some_and(|source| source.is::<InjectedFault>())
}

fn count(counter: &AtomicU64, limit: u64, operation: &'static str, offset: u64) -> Result<()> {
    let number = counter.fetch_add(1, Ordering::Relaxed);
    if number >= limit { Err(injected_fault(operation, offset)) } else { Ok(()) }
}

impl<S: ReadAt> ReadAt for FaultInjector<S> {
    fn size(&self) -> u64 {
        self.storage.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        count(&self.reads, self.fail_read, "read", offset)?;
        self.storage.read_at(offset, buf)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        self.storage.next_data(from)
    }
}

impl<S: WriteAt> WriteAt for FaultInjector<S> {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        count(&self.writes, self.fail_write, "write", offset)?;
        self.storage.write_at(offset, data)
    }

    fn write_zeros(&self, offset: u64, length: u64) -> Result<()> {
        count(&self.writes, self.fail_write, "write", offset)?;
        self.storage.write_zeros(offset, length)
    }

    fn flush(&self) -> Result<()> {
        self.storage.flush()
    }
}
