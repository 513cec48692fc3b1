//! Storages in memory.

use std::sync::RwLock;

use crate::{ReadAt, Result, WriteAt, storage::check_bounds};

/// A storage in memory.
#[derive(Debug)]
pub struct Memory {
    bytes: RwLock<Vec<u8>>,
    size: u64,
}

impl Memory {
    /// Makes a storage that holds `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        Memory { bytes: RwLock::new(bytes), size }
    }

    /// Returns the bytes it holds.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl ReadAt for Memory {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_bounds(self.size, offset, buf.len() as u64)?;
        let bytes = self.bytes.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        buf.copy_from_slice(&bytes[offset as usize..][..buf.len()]);
        Ok(())
    }
}

impl WriteAt for Memory {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        check_bounds(self.size, offset, data.len() as u64)?;
        let mut bytes = self.bytes.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        bytes[offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn reads_back_what_was_written() {
        let memory = Memory::new(vec![0; 16]);
        memory.write_at(3, b"abc").unwrap();
        assert_eq!(memory.read_vec(2, 5).unwrap(), b"\0abc\0");
    }

    #[test]
    fn zeros_of_any_length_replace_what_was_there() {
        for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
            let memory = Memory::new(vec![7; 200_002]);
            memory.write_zeros(1, length as u64).unwrap();
            let bytes = memory.into_bytes();
            let (zeros, after) = bytes[1..].split_at(length);
            assert!(bytes[0] == 7 && zeros.iter().all(|&byte| byte == 0), "{length}");
            assert!(after.iter().all(|&byte| byte == 7), "{length}");
        }
    }

    #[test]
    fn refuses_writes_beyond_the_end() {
        let memory = Memory::new(vec![0; 16]);
        for (offset, length) in [(15, 2), (17, 0), (u64::MAX, 2)] {
            let error = memory.write_at(offset, &vec![1; length]).unwrap_err();
            assert!(matches!(error, Error::OutOfBounds { size: 16, .. }), "{error}");
        }
        assert_eq!(memory.into_bytes(), [0; 16]);
    }
}
