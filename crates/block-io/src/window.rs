//! A part of a storage.

use std::ops::Range;

use crate::{ReadAt, Result, WriteAt, storage::check_bounds};

/// A byte range of a storage as a storage of its own, such as one partition of a card.
#[derive(Debug, Clone)]
pub struct Window<S> {
    storage: S,
    start: u64,
    size: u64,
}

impl<S: ReadAt> Window<S> {
    /// Makes a window of `size` bytes that begins at byte `start` of `storage`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`](crate::Error::OutOfBounds) if it does not lie
    /// within the storage.
    pub fn new(storage: S, start: u64, size: u64) -> Result<Self> {
        check_bounds(storage.size(), start, size)?;
        Ok(Window { storage, start, size })
    }

    /// Returns where the window begins in the underlying storage, in bytes.
    pub fn start(&self) -> u64 {
        self.start
    }
}

impl<S: ReadAt> ReadAt for Window<S> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_bounds(self.size, offset, buf.len() as u64)?;
        self.storage.read_at(self.start + offset, buf)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        if from >= self.size {
            return Ok(None);
        }
        let data = self.storage.next_data(self.start + from)?;
        Ok(data
            .map(|data| data.start - self.start..(data.end - self.start).min(self.size))
            .filter(|data| data.start < data.end))
    }
}

impl<S: WriteAt> WriteAt for Window<S> {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        check_bounds(self.size, offset, data.len() as u64)?;
        self.storage.write_at(self.start + offset, data)
    }

    fn write_zeros(&self, offset: u64, length: u64) -> Result<()> {
        check_bounds(self.size, offset, length)?;
        self.storage.write_zeros(self.start + offset, length)
    }

    fn flush(&self) -> Result<()> {
        self.storage.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{BLOCK_SIZE, Layer, Memory};

    #[test]
    fn shifts_and_bounds() {
        let memory = Memory::new((0..16).collect());
        let window = Window::new(&memory, 4, 8).unwrap();
        assert_eq!(window.read_vec(0, 8).unwrap(), [4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(window.read_vec(3, 2).unwrap(), [7, 8]);
        assert_eq!((window.start(), window.size()), (4, 8));
        window.write_at(7, &[99]).unwrap();
        assert!(window.write_at(7, &[1, 2]).is_err());
        assert!(window.read_vec(8, 1).is_err());
        assert_eq!(memory.read_vec(11, 2).unwrap(), [99, 12]);
        assert!(Window::new(&memory, 9, 8).is_err());
        window.write_zeros(1, 3).unwrap();
        assert_eq!(memory.read_vec(4, 5).unwrap(), [4, 0, 0, 0, 8]);
        assert!(window.write_zeros(6, 3).is_err());
    }

    #[test]
    fn finds_the_data_within_its_bounds() {
        // A layer knows its zeros.
        let layer = Layer::new(Arc::new(Memory::new(Vec::new())), 8 * BLOCK_SIZE);
        for block in [0, 3, 7] {
            layer.write_at(block * BLOCK_SIZE, &[1]).unwrap();
        }
        let window = Window::new(&layer, BLOCK_SIZE, 4 * BLOCK_SIZE).unwrap();
        let data = 2 * BLOCK_SIZE..3 * BLOCK_SIZE;
        assert_eq!(window.next_data(0).unwrap(), Some(data.clone()));
        assert_eq!(window.next_data(data.start + 5).unwrap(), Some(data.start + 5..data.end));
        for from in [data.end, 4 * BLOCK_SIZE, u64::MAX] {
            assert_eq!(window.next_data(from).unwrap(), None, "{from}");
        }
    }
}
