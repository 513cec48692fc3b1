//! What the library asks of its surroundings: a device and a clock.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use block_io::WriteAt;
use fs_ext4::{
    block_io::BlockDevice,
    error::{Error, Result},
    runtime::Runtime,
};

/// A storage as the library's block device.
pub(super) struct Device(pub Arc<dyn WriteAt>);

fn library_error(error: block_io::Error) -> Error {
    match error {
        block_io::Error::OutOfBounds { .. } => Error::OutOfBounds,
        other => Error::Io(io::Error::other(other)),
    }
}

impl BlockDevice for Device {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.0.read_at(offset, buf).map_err(library_error)
    }

    fn size_bytes(&self) -> u64 {
        self.0.size()
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> Result<()> {
        self.0.write_at(offset, buf).map_err(library_error)
    }

    fn flush(&self) -> Result<()> {
        self.0.flush().map_err(library_error)
    }

    fn is_writable(&self) -> bool {
        true
    }
}

/// A clock that stands still and inode generations that count from it, so that
/// the same edits give the same bytes.
pub(super) struct Clock {
    now: i64,
    generation: AtomicU32,
}

impl Clock {
    pub fn new(now: u64) -> Self {
        // The low half differs from one build to the next, as a generation should.
        Clock { now: now as i64, generation: AtomicU32::new(now as u32) }
    }
}

impl Runtime for Clock {
    fn now_unix_seconds(&self) -> i64 {
        self.now
    }

    fn next_inode_generation(&self) -> u32 {
        self.generation.fetch_add(1, Ordering::Relaxed)
    }
}
