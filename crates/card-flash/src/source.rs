//! The contents of one card.

use std::sync::Arc;

use block_io::{Extents, ReadAt};

use crate::{shared_reader::SharedWindow, write_plan::Piece};

/// The contents of one card.
#[derive(Debug, Clone)]
pub struct CardSource {
    /// The node's name.
    pub node: String,
    /// All bytes of the card.
    pub layer: Arc<dyn ReadAt>,
    /// The bytes that must be written.
    pub used: Extents,
    /// The bytes where `layer` may differ from the storage that all cards share.
    pub changed: Extents,
}

impl CardSource {
    /// Returns the parts of the shared storage, which has `size` bytes, that the card needs.
    pub(crate) fn wants(&self, size: u64) -> Extents {
        let mut wants = Extents::new();
        for range in self.used.within(0..size) {
            for part in self.changed.gaps(range) {
                wants.insert(part);
            }
        }
        wants
    }

    /// Fills a buffer for a piece's window with the contents to be written. Unused bytes in
    /// between become zeros: a base holds the remains of deleted files there.
    pub(crate) fn fill(
        &self,
        piece: &Piece,
        shared: Option<&SharedWindow>,
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
    use crate::write_plan::{PIECE, WritePlan};

    /// With a shared window or without, the bytes are the layer's where they are used, and
    /// zeros elsewhere.
    #[test]
    fn contents_are_the_same_with_and_without_a_shared_window() {
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
        let plan = WritePlan::new(size, &used);
        let mut all = 0;
        for piece in plan.pieces().iter().chain([&plan.head()]) {
            let mut bytes = base.read_vec(0, base.size() as usize).unwrap();
            bytes.resize(size as usize, 0xee);
            let bytes = bytes[piece.start as usize..][..PIECE as usize].to_vec();
            let shared = SharedWindow::new(piece.start, bytes);
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
    }
}
