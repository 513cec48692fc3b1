//! A filesystem whose contents move when it shrinks, without a copy of them in memory.

use std::{ops::Range, sync::Arc};

use block_io::{ReadAt, Result};

/// A storage that shows some of its bytes at other places too.
#[derive(Debug)]
pub(super) struct Moved {
    below: Arc<dyn ReadAt>,
    /// From where, and the new place, in the order of the new places, which do not overlap.
    moves: Vec<(u64, Range<u64>)>,
}

impl Moved {
    /// Shows the bytes of each range at another offset too, both counted from `start`.
    pub fn new(
        below: Arc<dyn ReadAt>,
        start: u64,
        moves: impl Iterator<Item = (Range<u64>, u64)>,
    ) -> Self {
        let place = |(from, to): (Range<u64>, u64)| {
            (start + from.start, start + to..start + to + (from.end - from.start))
        };
        let mut moves: Vec<_> = moves.map(place).collect();
        moves.sort_unstable_by_key(|(_, to)| to.start);
        Moved { below, moves }
    }
}

impl ReadAt for Moved {
    fn size(&self) -> u64 {
        self.below.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let end = offset.saturating_add(buf.len() as u64);
        let first = self.moves.partition_point(|(_, to)| to.end <= offset);
        let inside = self.moves.iter().skip(first).take_while(|(_, to)| to.start < end);
        let mut at = offset;
        let mut rest = buf;
        for (from, to) in inside {
            let (start, stop) = (to.start.max(at), to.end.min(end));
            let (plain, after) = rest.split_at_mut((start - at) as usize);
            if !plain.is_empty() {
                self.below.read_at(at, plain)?;
            }
            let (moved, after) = after.split_at_mut((stop - start) as usize);
            self.below.read_at(from + (start - to.start), moved)?;
            (at, rest) = (stop, after);
        }
        if rest.is_empty() { Ok(()) } else { self.below.read_at(at, rest) }
    }
}

#[cfg(test)]
mod tests {
    use block_io::Memory;

    use super::*;

    #[test]
    fn moved_bytes_are_read_at_their_old_place() {
        let bytes: Vec<u8> = (0..=255).collect();
        let below: Arc<dyn ReadAt> = Arc::new(Memory::new(bytes.clone()));
        let moves = [(190..200, 20), (100..150, 40), (200..201, 30)];
        let moved = Moved::new(below, 10, moves.clone().into_iter());
        let mut model = bytes.clone();
        for (from, to) in moves {
            let from = from.start as usize + 10..from.end as usize + 10;
            let to = to as usize + 10;
            model[to..to + from.len()].copy_from_slice(&bytes[from]);
        }
        for start in 0..256 {
            for end in start..=256 {
                let read = moved.read_vec(start as u64, end - start).unwrap();
                assert_eq!(read, model[start..end], "{start}..{end}");
            }
        }
        assert!(moved.read_vec(250, 7).is_err());
    }
}
