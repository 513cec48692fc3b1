//! The two traits of storages.

use std::{fmt, ops::Range, sync::Arc};

use crate::{Error, Result};

/// Bytes that can be read at any offset, from any thread.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Returns the size in bytes.
    fn size(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] if the range does not lie within the storage; otherwise those
    /// of the underlying storage.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()>;

    /// Returns the first range at or after `from` that may hold anything but zeros, or `None`
    /// if all bytes from there to the end are zero.
    ///
    /// All bytes between `from` and the range's start are zero. A storage that does not know
    /// where its zeros are returns everything from `from` on.
    ///
    /// # Errors
    /// Those of the underlying storage.
    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        Ok((from < self.size()).then(|| from..self.size()))
    }

    /// Reads `length` bytes from `offset` on into a new vector. The bounds are checked before
    /// memory is allocated.
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
/// Writing takes `&self`: storages lock internally, so that they can be shared.
pub trait WriteAt: ReadAt {
    /// Replaces the bytes from `offset` on with `data`.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] if the range does not lie within the storage; otherwise those
    /// of the underlying storage.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()>;

    /// Replaces `length` bytes from `offset` on with zeros.
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

    /// Waits until everything written is on stable storage.
    ///
    /// # Errors
    /// Those of the underlying storage.
    fn flush(&self) -> Result<()>;
}

/// Makes sure that `length` bytes from `offset` on lie within `size`.
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
