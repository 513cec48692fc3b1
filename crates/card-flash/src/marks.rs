//! Recognizing a card by a few of its blocks.

use block_io::{Extents, ReadAt};
use fs_signature::UNFINISHED_CARD;

use crate::{CardSource, write_plan::BLOCK};

/// Enough to recognize a card, and few enough to be recorded in a small file.
const MOST: usize = 64;

/// Checksums of blocks that no other card of the cluster has, by which a card is recognized
/// later, even if it was mounted or booted meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardMarks {
    /// The size of the card in bytes.
    pub size: u64,
    /// Where blocks of 4096 bytes begin, and their CRC-32C.
    pub blocks: Vec<(u64, u32)>,
}

impl CardMarks {
    /// Chooses marks for a card of a node from the bytes that are its `own`, compared with
    /// other nodes' cards of the same size.
    ///
    /// # Errors
    /// Those of reading the cards.
    pub fn choose(
        card: &CardSource,
        own: &Extents,
        others: &[&CardSource],
    ) -> block_io::Result<Self> {
        let size = card.layer.size();
        let mut blocks: Vec<(u64, u32)> = Vec::new();
        for range in own.iter() {
            for offset in (range.start / BLOCK * BLOCK..range.end).step_by(BLOCK as usize) {
                let block = offset..offset + BLOCK;
                let is_whole = block.end <= size
                    && card.used.within(block).map(|part| part.end - part.start).sum::<u64>()
                        == BLOCK;
                let is_new = blocks.last().is_none_or(|(last, _)| *last < offset);
                if blocks.len() == MOST || !is_whole || !is_new {
                    continue;
                }
                let sum = checksum(&*card.layer, offset)?;
                let mut is_unique = true;
                for other in others {
                    is_unique &= checksum(&*other.layer, offset)? != sum;
                }
                if is_unique {
                    blocks.push((offset, sum));
                }
            }
        }
        Ok(CardMarks { size, blocks })
    }

    /// Returns whether `storage` is the marked card, finished: it has more than half of the
    /// marks. What cannot be read differs.
    pub fn are_on(&self, storage: &dyn ReadAt) -> bool {
        if storage.size() != self.size {
            return false;
        }
        let head = storage.read_vec(0, UNFINISHED_CARD.len());
        if head.is_ok_and(|head| head == UNFINISHED_CARD.as_bytes()) {
            return false;
        }
        let has =
            |(offset, sum): &&(u64, u32)| checksum(storage, *offset).is_ok_and(|it| it == *sum);
        self.blocks.iter().filter(has).count() * 2 > self.blocks.len()
    }
}

fn checksum(storage: &dyn ReadAt, offset: u64) -> block_io::Result<u32> {
    Ok(crc32c::crc32c(&storage.read_vec(offset, BLOCK as usize)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use block_io::{Layer, Memory, WriteAt};

    use super::*;

    const SIZE: u64 = 1 << 20;

    /// A card whose node has a block in common with others, one block that is not used, and
    /// six of its own.
    fn card(number: u8) -> (CardSource, Extents) {
        let layer = Layer::new(Arc::new(Memory::new(vec![7; SIZE as usize])), SIZE);
        layer.write_at(BLOCK, &[9; 4096]).unwrap();
        for block in 2..9 {
            layer.write_at(block * BLOCK + 100, &[number]).unwrap();
        }
        // Bytes that do not fill their blocks, and two ranges in one block.
        let mut own = Extents::from(BLOCK..BLOCK + 10);
        for block in 2..9 {
            own.insert(block * BLOCK + 100..block * BLOCK + 101);
            own.insert(block * BLOCK + 200..block * BLOCK + 201);
        }
        let used = Extents::from(0..8 * BLOCK);
        let changed = layer.changed();
        (CardSource { node: number.to_string(), layer: Arc::new(layer), used, changed }, own)
    }

    fn copy(card: &CardSource) -> Memory {
        Memory::new(card.layer.read_vec(0, SIZE as usize).unwrap())
    }

    #[test]
    fn recognizes_a_card_that_was_used_and_no_other() {
        let (one, own) = card(1);
        let (two, _) = card(2);
        let marks = CardMarks::choose(&one, &own, &[&two]).unwrap();
        let offsets: Vec<u64> = marks.blocks.iter().map(|(offset, _)| *offset / BLOCK).collect();
        assert_eq!(offsets, [2, 3, 4, 5, 6, 7]);
        // Block 0 is not the node's own, even if no other card is compared.
        let alone = CardMarks::choose(&one, &own, &[]).unwrap();
        let offsets: Vec<u64> = alone.blocks.iter().map(|(offset, _)| *offset / BLOCK).collect();
        assert_eq!(offsets, [1, 2, 3, 4, 5, 6, 7]);
        let used = copy(&one);
        assert!(marks.are_on(&used));
        assert!(!marks.are_on(&copy(&two)));
        for block in [2, 3] {
            used.write_at(block * BLOCK, b"written by a running system").unwrap();
        }
        assert!(marks.are_on(&used));
        used.write_at(4 * BLOCK, b"x").unwrap();
        assert!(!marks.are_on(&used), "half of the marks is not enough");
        let larger = Memory::new([one.layer.read_vec(0, SIZE as usize).unwrap(), vec![0]].concat());
        assert!(!marks.are_on(&larger));
    }

    #[test]
    fn an_unfinished_card_is_not_recognized() {
        let (one, own) = card(1);
        let marks = CardMarks::choose(&one, &own, &[]).unwrap();
        let unfinished = copy(&one);
        unfinished.write_at(0, UNFINISHED_CARD.as_bytes()).unwrap();
        assert!(!marks.are_on(&unfinished));
    }

    #[test]
    fn without_marks_no_card_is_recognized() {
        let (one, _) = card(1);
        let marks = CardMarks::choose(&one, &Extents::new(), &[]).unwrap();
        assert!(!marks.are_on(&copy(&one)));
    }
}
