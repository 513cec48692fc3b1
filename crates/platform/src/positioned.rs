//! Reading and writing at an offset.

use std::{
    fs::File,
    io::{self, ErrorKind},
};

use crate::system;

/// Reads and writes at an offset.
///
/// On Windows they move the position of the file that plain reads and writes use; so do not mix
/// the two.
pub trait PositionedFile {
    /// Reads up to `buf.len()` bytes at an offset, and returns how many.
    ///
    /// # Errors
    /// Those of the operating system.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes some bytes at an offset, and returns how many.
    ///
    /// # Errors
    /// Those of the operating system.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;

    /// Fills `buf` from an offset on.
    ///
    /// # Errors
    /// Those of the operating system; [`ErrorKind::UnexpectedEof`] if the file ends before.
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read_at(buf, offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    buf = buf.get_mut(length..).unwrap_or_default();
                    offset += length as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all of `buf` from an offset on.
    ///
    /// # Errors
    /// Those of the operating system; [`ErrorKind::WriteZero`] if nothing more can be written.
    fn write_all_at(&self, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write_at(buf, offset) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => {
                    buf = buf.get(length..).unwrap_or_default();
                    offset += length as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl PositionedFile for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        system::read_at(self, buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        system::write_at(self, buf, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_written_and_reports_the_end() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"abcdef", 3).unwrap();
        let mut bytes = [7; 6];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"\0\0\0abc");
        let error = file.read_exact_at(&mut bytes, 4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
