//! A storage that records its writes.

use std::sync::{Mutex, PoisonError};

use block_io::{ReadAt, Result, WriteAt};

/// The size of the unit that a medium writes as a whole or not at all, in bytes.
const SECTOR: usize = 512;

/// A write to a storage, or a flush of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageEvent {
    /// Bytes were written at an offset.
    Write(u64, Vec<u8>),
    /// Everything written before had to be on stable storage.
    Flush,
}

/// Passes everything on to another storage, and records all writes and flushes in their
/// order, so that a test can cut them off at every point.
#[derive(Debug)]
pub struct Recorder<S> {
    storage: S,
    events: Mutex<Vec<StorageEvent>>,
}

impl<S> Recorder<S> {
    /// A recorder without any events.
    pub fn new(storage: S) -> Self {
        Recorder { storage, events: Mutex::default() }
    }

    /// Returns all events so far.
    pub fn events(&self) -> Vec<StorageEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, event: StorageEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

/// Writes to `storage` what a medium holds if the power fails right after `events`:
/// everything before the last flush, and of what came later those sectors that `kept`
/// selects, which is called with the offset and the length of the write.
///
/// # Errors
/// Those of the storage.
pub fn replay_cut(
    events: &[StorageEvent],
    storage: &dyn WriteAt,
    mut kept: impl FnMut(u64, usize) -> bool,
) -> Result<()> {
    let flushed = events.iter().rposition(|event| *event == StorageEvent::Flush).unwrap_or(0);
    for (index, event) in events.iter().enumerate() {
        let StorageEvent::Write(offset, data) = event else { continue };
        for (number, sector) in data.chunks(SECTOR).enumerate() {
            if index < flushed || kept(*offset, data.len()) {
                storage.write_at(offset + (number * SECTOR) as u64, sector)?;
            }
        }
    }
    Ok(())
}

impl<S: ReadAt> ReadAt for Recorder<S> {
    fn size(&self) -> u64 {
        self.storage.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.storage.read_at(offset, buf)
    }

    fn next_data(&self, from: u64) -> Result<Option<std::ops::Range<u64>>> {
        self.storage.next_data(from)
    }
}

impl<S: WriteAt> WriteAt for Recorder<S> {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.record(StorageEvent::Write(offset, data.to_vec()));
        self.storage.write_at(offset, data)
    }

    fn flush(&self) -> Result<()> {
        self.record(StorageEvent::Flush);
        self.storage.flush()
    }
}

#[cfg(test)]
mod tests {
    use block_io::Memory;

    use super::*;

    #[test]
    fn a_cut_keeps_flushed_and_selected_sectors() {
        let recorder = Recorder::new(Memory::new(vec![0; 4096]));
        recorder.write_at(0, &[1; 1024]).unwrap();
        recorder.flush().unwrap();
        recorder.write_at(1024, &[2; 1024]).unwrap();
        recorder.write_zeros(0, 512).unwrap();
        let events = recorder.events();
        assert_eq!(events.len(), 4);
        let cut = |at: usize, kept: fn(u64, usize) -> bool| {
            let memory = Memory::new(vec![0; 4096]);
            replay_cut(&events[..at], &memory, kept).unwrap();
            let bytes = memory.into_bytes();
            [bytes[0], bytes[512], bytes[1024]]
        };
        assert_eq!(cut(1, |_, _| false), [0, 0, 0]);
        assert_eq!(cut(1, |_, _| true), [1, 1, 0]);
        assert_eq!(cut(2, |_, _| false), [1, 1, 0]);
        assert_eq!(cut(4, |_, _| false), [1, 1, 0]);
        assert_eq!(cut(4, |_, length| length == 512), [0, 1, 0]);
        assert_eq!(cut(4, |_, _| true), [0, 1, 2]);
    }
}
