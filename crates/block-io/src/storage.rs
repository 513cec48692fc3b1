//! The two traits that everything above works with.

use std::{fmt, ops::Range, sync::Arc};

use crate::{Error, Result};

/// Bytes that can be read at any offset, from any thread.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// The size in bytes.
    fn size(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] if the range does not lie within the storage, else
    /// what the storage underneath answers.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// The first range at or after `from` that may hold anything but zeros.
    ///
    /// All bytes between `from` and the range's start are zero. `None`: all
    /// bytes from there to the end are. Storages that cannot tell answer
    /// with all that is left.
    ///
    /// # Errors
    /// What the storage underneath answers.
    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        Ok((from < self.size()).then(|| from..self.size()))
    }

    /// Reads `length` bytes from `offset` on into a new vector.
    ///
    /// The bounds are checked before anything is allocated.
    ///
    /// # Errors
    /// As [`read_at`](Self::read_at).
    fn read_vec(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        check_bounds(self.size(), offset, length as u64)?;
        let mut buf = vec![0; length];
        self.read_at(offset, &mut buf)?;
        Ok(buf)
    }
}

/// Bytes that can also be written.
///
/// Writing takes `&self`: storages lock inside, so that one can be shared
/// between a filesystem and its observer.
pub trait WriteAt: ReadAt {
    /// Replaces the bytes from `offset` on by `data`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] if the range does not lie within the storage, else
    /// what the storage underneath answers.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()>;

    /// Replaces `length` bytes from `offset` on by zeros.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    fn write_zeros(&self, offset: u64, length: u64) -> Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        check_bounds(self.size(), offset, length)?;
        let mut done = 0;
        while done < length {
            let step = (length - done).min(ZEROS.len() as u64);
            self.write_at(offset + done, &ZEROS[..step as usize])?;
            done += step;
        }
        Ok(())
    }

    /// Waits until all that was written is on stable storage.
    ///
    /// # Errors
    /// What the storage underneath answers.
    fn flush(&self) -> Result<()>;
}

/// Errors unless `length` bytes from `offset` lie within `size`.
pub(crate) fn check_bounds(size: u64, offset: u64, length: u64) -> Result<()> {
    match offset.checked_add(length) {
        Some(end) if end <= size => Ok(()),
        _ => Err(Error::OutOfBounds { offset, length, size }),
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: ReadAt + ?Sized> ReadAt for $pointer {
            fn size(&self) -> u64 {
                (**self).size()
            }
            fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
                (**self).read_at(offset, buf)
            }
            fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
                (**self).next_data(from)
            }
        }

        impl<T: WriteAt + ?Sized> WriteAt for $pointer {
            fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
                (**self).write_at(offset, data)
            }
            fn write_zeros(&self, offset: u64, length: u64) -> Result<()> {
                (**self).write_zeros(offset, length)
            }
            fn flush(&self) -> Result<()> {
                (**self).flush()
            }
        }
    )*};
}

forward!(&T, Arc<T>, Box<T>);
