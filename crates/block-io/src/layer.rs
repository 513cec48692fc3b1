//! Changes over a storage that stays unchanged.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Range,
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use crate::{Extents, ReadAt, Result, WriteAt, storage::check_bounds};

/// The size in bytes of the blocks in which a [`Layer`] keeps changes.
pub const BLOCK_SIZE: u64 = 4096;

/// A changed block. Blocks of zeros are common (growing clears whole tables), and take no
/// memory.
#[derive(Debug, Clone)]
enum Block {
    Zero,
    Bytes(Box<[u8; BLOCK_SIZE as usize]>),
}

impl Block {
    fn read(&self, start: usize, buf: &mut [u8]) {
        match self {
            Block::Zero => buf.fill(0),
            Block::Bytes(bytes) => buf.copy_from_slice(&bytes[start..][..buf.len()]),
        }
    }
}

/// A copy-on-write layer: the blocks that differ from an underlying storage, which is only
/// read.
///
/// A layer may be larger than the underlying storage, as a card is larger than the base
/// image; it reads as zeros beyond. Layers can be stacked, and a new layer over a shared one
/// costs nothing until it is written to.
#[derive(Debug)]
pub struct Layer {
    below: Arc<dyn ReadAt>,
    size: u64,
    blocks: RwLock<BTreeMap<u64, Block>>,
}

impl Layer {
    /// Makes an empty layer of `size` bytes over `below`. Bytes of `below` beyond `size`
    /// cannot be reached through it.
    pub fn new(below: Arc<dyn ReadAt>, size: u64) -> Self {
        Layer { below, size, blocks: RwLock::default() }
    }

    /// Returns the ranges in which this layer holds blocks of its own, in units of
    /// [`BLOCK_SIZE`], cut off at the end of the layer.
    pub fn changed(&self) -> Extents {
        let blocks = self.blocks();
        blocks
            .keys()
            .map(|index| {
                let start = index * BLOCK_SIZE;
                start..(start + BLOCK_SIZE).min(self.size)
            })
            .collect()
    }

    /// Forgets blocks that are equal to those of the underlying storage, as happens when
    /// bytes are changed and changed back.
    ///
    /// # Errors
    /// Those of the underlying storage.
    pub fn forget_unchanged(&self) -> Result<()> {
        let mut blocks = self.blocks_mut();
        let mut same = Vec::new();
        let mut ours = [0; BLOCK_SIZE as usize];
        let mut theirs = [0; BLOCK_SIZE as usize];
        for (&index, block) in blocks.iter() {
            block.read(0, &mut ours);
            self.read_below(index * BLOCK_SIZE, &mut theirs)?;
            if ours == theirs {
                same.push(index);
            }
        }
        for index in same {
            blocks.remove(&index);
        }
        Ok(())
    }

    // A panic while the lock is held cannot leave the map in a broken state.
    fn blocks(&self) -> RwLockReadGuard<'_, BTreeMap<u64, Block>> {
        self.blocks.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn blocks_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, Block>> {
        self.blocks.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Reads from the underlying storage, and zeros beyond its end.
    fn read_below(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let there = self.below.size().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (below, beyond) = buf.split_at_mut(there);
        if !below.is_empty() {
            self.below.read_at(offset, below)?;
        }
        beyond.fill(0);
        Ok(())
    }
}

/// Splits a byte range into (block index, start within the block, length).
fn pieces(offset: u64, length: u64) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + length;
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let start = at % BLOCK_SIZE;
        let step = (BLOCK_SIZE - start).min(end - at);
        let piece = (at / BLOCK_SIZE, start as usize, step as usize);
        at += step;
        Some(piece)
    })
}

impl ReadAt for Layer {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        check_bounds(self.size, offset, buf.len() as u64)?;
        if buf.is_empty() {
            return Ok(());
        }
        let end = offset + buf.len() as u64;
        let blocks = self.blocks();
        // One read of the underlying storage for all bytes between two changed blocks.
        let mut at = offset;
        for (&index, block) in blocks.range(offset / BLOCK_SIZE..end.div_ceil(BLOCK_SIZE)) {
            let start = (index * BLOCK_SIZE).max(offset);
            let stop = ((index + 1) * BLOCK_SIZE).min(end);
            if at < start {
                self.read_below(at, &mut buf[(at - offset) as usize..(start - offset) as usize])?;
            }
            let piece = &mut buf[(start - offset) as usize..(stop - offset) as usize];
            block.read((start % BLOCK_SIZE) as usize, piece);
            at = stop;
        }
        if at < end {
            self.read_below(at, &mut buf[(at - offset) as usize..])?;
        }
        Ok(())
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>> {
        if from >= self.size {
            return Ok(None);
        }
        let below = if from < self.below.size() {
            self.below.next_data(from)?.filter(|range| range.start < self.size)
        } else {
            None
        };
        let blocks = self.blocks();
        let own = blocks
            .range(from / BLOCK_SIZE..)
            .find(|(_, block)| matches!(block, Block::Bytes(_)))
            .map(|(&index, _)| {
                (index * BLOCK_SIZE).max(from)..((index + 1) * BLOCK_SIZE).min(self.size)
            });
        Ok(match (own, below) {
            (Some(own), Some(below)) if own.start < below.start => Some(own),
            (_, Some(below)) => Some(below.start..below.end.min(self.size)),
            (own, None) => own,
        })
    }
}

impl WriteAt for Layer {
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        check_bounds(self.size, offset, data.len() as u64)?;
        let mut blocks = self.blocks_mut();
        let mut rest = data;
        for (index, start, length) in pieces(offset, data.len() as u64) {
            let (piece, after) = rest.split_at(length);
            rest = after;
            let bytes = match blocks.entry(index) {
                Entry::Occupied(entry) => {
                    let block = entry.into_mut();
                    if let Block::Zero = block {
                        *block = Block::Bytes(Box::new([0; BLOCK_SIZE as usize]));
                    }
                    block
                }
                Entry::Vacant(entry) => {
                    let mut bytes = Box::new([0; BLOCK_SIZE as usize]);
                    if length < BLOCK_SIZE as usize {
                        self.read_below(index * BLOCK_SIZE, &mut bytes[..])?;
                    }
                    entry.insert(Block::Bytes(bytes))
                }
            };
            if let Block::Bytes(bytes) = bytes {
                bytes[start..start + length].copy_from_slice(piece);
            }
        }
        Ok(())
    }

    fn write_zeros(&self, offset: u64, length: u64) -> Result<()> {
        check_bounds(self.size, offset, length)?;
        for (index, start, length) in pieces(offset, length) {
            if length < BLOCK_SIZE as usize {
                self.write_at(index * BLOCK_SIZE + start as u64, &vec![0; length])?;
            } else if index * BLOCK_SIZE >= self.below.size() {
                // Without a block of its own it reads as zeros.
                self.blocks_mut().remove(&index);
            } else {
                self.blocks_mut().insert(index, Block::Zero);
            }
        }
        Ok(())
    }

    /// Does nothing, because a layer is in memory.
    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;

    fn pattern(size: usize) -> Vec<u8> {
        (0..size).map(|i| (i % 251) as u8 + 1).collect()
    }

    /// Compares random writes to a layer larger than its base with those to a plain copy.
    #[test]
    fn agrees_with_a_copy_and_leaves_the_base_alone() {
        let original = pattern(5 * 4096 + 100);
        let base = Arc::new(Memory::new(original.clone()));
        let size = 9 * 4096 + 77;
        let layer = Layer::new(base.clone(), size as u64);
        let mut model = original.clone();
        model.resize(size, 0);
        let mut state = 7u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        for round in 0..400 {
            let start = random(size);
            let length = random((size - start).min(9000) + 1);
            if round % 3 == 0 {
                layer.write_zeros(start as u64, length as u64).unwrap();
                model[start..start + length].fill(0);
            } else {
                let data = vec![random(255) as u8; length];
                layer.write_at(start as u64, &data).unwrap();
                model[start..start + length].copy_from_slice(&data);
            }
            let start = random(size);
            let length = random(size - start + 1);
            assert_eq!(layer.read_vec(start as u64, length).unwrap(), model[start..start + length]);
            // next_data skips only zeros.
            let mut at = 0;
            while let Some(range) = layer.next_data(at).unwrap() {
                assert!(model[at as usize..range.start as usize].iter().all(|&b| b == 0));
                at = range.end;
            }
            assert!(model[at as usize..].iter().all(|&b| b == 0));
        }
        assert_eq!(base.read_vec(0, original.len()).unwrap(), original);
    }

    #[test]
    fn data_below_counts_up_to_the_end_of_a_smaller_layer() {
        let layer = Layer::new(Arc::new(Memory::new(pattern(16384))), 8192);
        assert_eq!(layer.next_data(4096).unwrap(), Some(4096..8192));
        let below = Layer::new(Arc::new(Memory::new(Vec::new())), 16384);
        below.write_at(8192, &[1]).unwrap();
        let layer = Layer::new(Arc::new(below), 8192);
        assert_eq!(layer.next_data(0).unwrap(), None);
        layer.write_at(4096, &[1]).unwrap();
        assert_eq!(layer.next_data(0).unwrap(), Some(4096..8192));
    }

    #[test]
    fn layers_stack_and_report_changes() {
        let base = Arc::new(Memory::new(pattern(8192)));
        let shared = Arc::new(Layer::new(base, 16384));
        shared.write_at(4096, &[1; 10]).unwrap();
        let node = Layer::new(shared.clone(), 16384);
        assert!(node.changed().is_empty());
        node.write_at(12288, &[2; 4096]).unwrap();
        node.write_at(0, &[1]).unwrap();
        assert_eq!(node.changed().iter().collect::<Vec<_>>(), [0..4096, 12288..16384]);
        assert_eq!(shared.changed(), Extents::from(4096..8192));
        // The first byte already was 1.
        node.forget_unchanged().unwrap();
        assert_eq!(node.changed(), Extents::from(12288..16384));
    }
}
