//! The bytes that one card is to hold.

use std::sync::Arc;

use block_io::{Extents, ReadAt};

use crate::{
    feed::Shared,
    plan::{PIECE, Piece},
};

/// What one card is to hold.
#[derive(Debug, Clone)]
pub struct CardSource {
    /// The node's name.
    pub node: String,
    /// All bytes of the card.
    pub layer: Arc<dyn ReadAt>,
    /// What must be written, in bytes.
    pub used: Extents,
    /// Where `layer` may differ from the storage that all cards share.
    pub changed: Extents,
}

impl CardSource {
    /// Whether it is this card, finished, that `storage` is: all that is its own
    /// is there.
    pub fn is_written_to(&self, storage: &dyn ReadAt) -> bool {
        let has = |range: std::ops::Range<u64>| {
            range.clone().step_by(PIECE as usize).all(|start| {
                let length = PIECE.min(range.end - start) as usize;
                let read = |from: &dyn ReadAt| from.read_vec(start, length).ok();
                read(storage).is_some_and(|found| read(&self.layer).as_ref() == Some(&found))
            })
        };
        storage.size() == self.layer.size()
            && self.changed.iter().all(|own| self.used.within(own).all(has))
    }

    /// What of the shared storage, which has `size` bytes, the card needs.
    pub(crate) fn wants(&self, size: u64) -> Extents {
        let mut wants = Extents::new();
        for range in self.used.within(0..size) {
            for part in self.changed.gaps(range) {
                wants.insert(part);
            }
        }
        wants
    }

    /// Puts together what is to be written of a piece, in a buffer for its
    /// window. Unused bytes in between become zeros: what a base has there is
    /// left from deleted files.
    pub(crate) fn fill(
        &self,
        piece: &Piece,
        shared: Option<&Shared>,
        shared_size: u64,
        buffer: &mut [u8],
    ) -> block_io::Result<()> {
        let read = |range: std::ops::Range<u64>, buffer: &mut [u8]| {
            self.layer.read_at(range.start, &mut buffer[piece.place(&range)])
        };
        for run in &piece.runs {
            for gap in self.used.gaps(run.clone()) {
                buffer[piece.place(&gap)].fill(0);
            }
            for used in self.used.within(run.clone()) {
                let Some(shared) = shared else {
                    read(used, buffer)?;
                    continue;
                };
                let split = shared_size.clamp(used.start, used.end);
                for part in self.changed.gaps(used.start..split) {
                    let place = piece.place(&part);
                    buffer[place.clone()].copy_from_slice(&shared.bytes[place]);
                }
                for part in
                    self.changed.within(used.start..split).chain(std::iter::once(split..used.end))
                {
                    read(part, buffer)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use block_io::{Layer, Memory, WriteAt};

    use super::*;
    use crate::plan::Plan;

    /// Whether the shared window was there or not, the bytes are the layer's
    /// where they are used and zeros elsewhere.
    #[test]
    fn is_the_same_with_and_without_the_shared_reading() {
        let size = 4 * PIECE;
        let base: Vec<u8> = (0..2 * PIECE + 9000).map(|i| (i % 251) as u8 + 1).collect();
        let base = Arc::new(Memory::new(base));
        let layer = Arc::new(Layer::new(base.clone(), size));
        layer.write_at(PIECE + 8192, &[9; 5000]).unwrap();
        layer.write_at(2 * PIECE + 8000, &[8; 3000]).unwrap();
        let mut changed = layer.changed();
        changed.insert(base.size()..size);
        let used = [0..PIECE + 5000, PIECE + 8000..PIECE + 20_000, 2 * PIECE - 700..3 * PIECE]
            .into_iter()
            .collect::<Extents>();
        let card =
            CardSource { node: "n".into(), layer: layer.clone(), used: used.clone(), changed };
        let plan = Plan::new(size, &used);
        let mut all = 0;
        for piece in plan.pieces().iter().chain([&plan.head()]) {
            let mut bytes = base.read_vec(0, base.size() as usize).unwrap();
            bytes.resize(size as usize, 0xee);
            let bytes = bytes[piece.start as usize..][..PIECE as usize].to_vec();
            let shared = Shared::new(piece.start, bytes);
            let (mut with, mut without) = (vec![0xaa; PIECE as usize], vec![0xaa; PIECE as usize]);
            card.fill(piece, Some(&shared), base.size(), &mut with).unwrap();
            card.fill(piece, None, base.size(), &mut without).unwrap();
            assert!(with == without);
            let mut expected = vec![0xaa; PIECE as usize];
            for run in &piece.runs {
                expected[piece.place(run)].fill(0);
                for part in used.within(run.clone()) {
                    let bytes = layer.read_vec(part.start, (part.end - part.start) as usize);
                    expected[piece.place(&part)].copy_from_slice(&bytes.unwrap());
                    all += part.end - part.start;
                }
            }
            assert!(with == expected);
        }
        assert_eq!(all, used.total());
        // What is not its own is not looked at: reading that would take as long
        // as writing it.
        let copy = Memory::new(layer.read_vec(0, size as usize).unwrap());
        assert!(card.is_written_to(&copy));
        copy.write_at(PIECE + 8192 + 4999, &[1]).unwrap();
        assert!(!card.is_written_to(&copy));
    }
}
