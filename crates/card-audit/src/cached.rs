//! A cache for small reads. Directories and inode tables are read many times, which is slow
//! with cards in USB readers.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
};

use block_io::{ReadAt, Result};

/// The size of a cached block in bytes.
const BLOCK: u64 = 4096;
/// The largest number of cached blocks, which take 32 MiB.
const MAX_BLOCKS: usize = 8192;
/// Larger reads are of data that is needed once, so they go past the cache.
const MAX_READ: usize = 64 << 10;

/// A storage whose small reads are cached.
#[derive(Debug)]
pub struct Cached {
    inner: Arc<dyn ReadAt>,
    blocks: Mutex<HashMap<u64, Arc<[u8]>>>,
}

impl Cached {
    pub fn new(inner: Arc<dyn ReadAt>) -> Self {
        Cached { inner, blocks: Mutex::default() }
    }

    // A panic while the lock is held cannot leave the map in an invalid state.
    fn blocks(&self) -> MutexGuard<'_, HashMap<u64, Arc<[u8]>>> {
        self.blocks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn block(&self, index: u64) -> Result<Arc<[u8]>> {
        if let Some(block) = self.blocks().get(&index) {
            return Ok(block.clone());
        }
        let start = index * BLOCK;
        let length = BLOCK.min(self.inner.size().saturating_sub(start));
        let block: Arc<[u8]> = self.inner.read_vec(start, length as usize)?.into();
        let mut blocks = self.blocks();
        if blocks.len() >= MAX_BLOCKS {
            blocks.clear();
        }
        blocks.insert(index, block.clone());
        Ok(block)
    }
}

impl ReadAt for Cached {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buf.len() as u64);
        if buf.len() > MAX_READ || end.is_none_or(|end| end > self.size()) {
            return self.inner.read_at(offset, buf);
        }
        let mut at = offset;
        let mut rest = buf;
        while !rest.is_empty() {
            let block = self.block(at / BLOCK)?;
            let from = block.get((at % BLOCK) as usize..).unwrap_or_default();
            let step = from.len().min(rest.len());
            let (piece, after) = rest.split_at_mut(step);
            piece.copy_from_slice(from.get(..step).unwrap_or_default());
            rest = after;
            at += step as u64;
        }
        Ok(())
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        self.inner.next_data(from)
    }
}

#[cfg(test)]
mod tests {
    use block_io::Memory;

    use super::*;

    #[test]
    fn reads_return_the_bytes_of_the_storage() {
        let bytes: Vec<u8> = (0..20_000u32).map(|i| (i % 253) as u8).collect();
        let cached = Cached::new(Arc::new(Memory::new(bytes.clone())));
        for (offset, length) in [(0, 1), (4090, 20), (19_990, 10), (100, 19_000), (4090, 20)] {
            let read = cached.read_vec(offset as u64, length).unwrap();
            assert_eq!(read, bytes[offset..offset + length]);
        }
        assert!(cached.read_vec(19_990, 11).is_err());
        assert!(cached.read_vec(u64::MAX, 1).is_err());
    }
}
