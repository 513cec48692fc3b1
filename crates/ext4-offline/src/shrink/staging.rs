//! A storage that keeps what is written to it, block by block.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use block_io::{ReadAt, Result, WriteAt};

/// The blocks that were written, over a storage that stays as it is.
///
/// A [`block_io::Layer`] would not do: it keeps pieces of 4 KiB, and smaller blocks beside one that
/// was written may get other contents when the plan is carried out.
#[derive(Debug)]
pub(super) struct Staging {
    below: Arc<dyn ReadAt>,
    block_size: u64,
    blocks: Mutex<BTreeMap<u64, Vec<u8>>>,
}

impl Staging {
    pub fn new(below: Arc<dyn ReadAt>, block_size: u32) -> Self {
        Staging { below, block_size: block_size.into(), blocks: Mutex::default() }
    }

    /// The blocks that were written.
    pub fn blocks(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<u8>>> {
        // The map is consistent even if a thread panicked.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Splits a range into parts of one block each: the block, the offset in it, and the length.
    fn parts(&self, offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
        let (size, end) = (self.block_size, offset.saturating_add(length as u64));
        let mut at = offset;
        std::iter::from_fn(move || {
            let stop = end.min((at / size + 1) * size);
            let part = (at / size, (at % size) as usize, (stop - at) as usize);
            (at < end).then(|| {
                at = stop;
                part
            })
        })
    }
}

impl ReadAt for Staging {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.below.read_at(offset, buf)?;
        let blocks = self.blocks();
        let mut rest = buf;
        for (block, start, length) in self.parts(offset, rest.len()) {
            let (part, after) = rest.split_at_mut(length);
            if let Some(bytes) = blocks.get(&block).and_then(|b| b.get(start..start + length)) {
                part.copy_from_slice(bytes);
            }
            rest = after;
        }
        Ok(())
    }
}

impl WriteAt for Staging {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut rest = data;
        for (block, start, length) in self.parts(offset, data.len()) {
            let (part, after) = rest.split_at(length);
            rest = after;
            let whole = self.block_size as usize;
            let mut bytes = match self.blocks().remove(&block) {
                Some(bytes) => bytes,
                None if length == whole => Vec::new(),
                None => self.below.read_vec(block * self.block_size, whole)?,
            };
            bytes.resize(whole, 0);
            if let Some(place) = bytes.get_mut(start..start + length) {
                place.copy_from_slice(part);
            }
            self.blocks().insert(block, bytes);
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }
}
