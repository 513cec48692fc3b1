//! Detecting cards that are smaller than they claim.
//!
//! The data itself may not show it: the end of most cards is zeros, and so are many places
//! that it would wrap to. So the last block holds a pattern of its own until everything has
//! been read back, and so do those unused blocks that it would replace on a card that lacks
//! the address lines of its upper half, its upper three quarters, and so on. A card that
//! drops what lies behind its real end loses the pattern; on a card that wraps, only one
//! of two places can keep its contents. Afterwards these blocks get their real contents.

use std::ops::Range;

use block_io::Extents;

use crate::write_plan::{BLOCK, HEAD, Piece};

const SECTOR: usize = 512;

/// Returns the blocks that hold a pattern for a while, in ascending order, on a card of
/// `size` bytes of which `written` is written anyway.
pub(crate) fn probes(size: u64, written: &Extents) -> Vec<Range<u64>> {
    if size <= HEAD {
        return Vec::new();
    }
    let last = (size - 1) / BLOCK * BLOCK;
    let mut probes = Vec::from_iter(std::iter::once(last..size));
    let mut lines = 2 * HEAD;
    while lines < size {
        let place = last % lines;
        let block = place..place + BLOCK;
        // Data that is written there anyway serves as well, and so does the head's marker.
        let is_free = written.within(block.clone()).next().is_none();
        if place >= HEAD && block.end <= last && is_free && !probes.contains(&block) {
            probes.push(block);
        }
        let Some(more) = lines.checked_mul(2) else { break };
        lines = more;
    }
    probes.sort_by_key(|probe| probe.start);
    probes
}

/// Puts the patterns of the probes in a piece into the buffer for its window.
pub(crate) fn overlay(probes: &[Range<u64>], piece: &Piece, buffer: &mut [u8]) {
    let window = piece.window();
    for probe in probes.iter().filter(|probe| window.contains(&probe.start)) {
        let place = piece.place(probe);
        for (number, sector) in buffer[place].chunks_mut(SECTOR).enumerate() {
            let at = probe.start + (number * SECTOR) as u64;
            let text = format!("nodecard: is this card as large as it claims? {at}\n");
            sector.fill(0);
            // The last sector of a file may be shorter than the text.
            let shown = &text.as_bytes()[..text.len().min(sector.len())];
            sector[..shown.len()].copy_from_slice(shown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn probes_are_where_the_last_block_would_wrap_to() {
        let none = Extents::new();
        let last = |end: u64| end - BLOCK..end;
        assert_eq!(probes(MIB, &none), []);
        let only = 2 * MIB..2 * MIB + 512;
        assert_eq!(probes(only.end, &none), std::slice::from_ref(&only));
        assert_eq!(
            probes(24 * MIB, &none),
            [last(2 * MIB), last(4 * MIB), last(8 * MIB), last(24 * MIB)]
        );
        let used = Extents::from(3 * MIB..4 * MIB);
        assert_eq!(probes(24 * MIB, &used), [last(2 * MIB), last(8 * MIB), last(24 * MIB)]);
        assert!(probes(64 << 30, &none).len() < 40);
    }

    #[test]
    fn every_sector_of_a_pattern_names_its_place() {
        let probe = 4 * MIB - BLOCK..4 * MIB;
        let piece = Piece::new(3 * MIB, probe.clone());
        let mut buffer = vec![0; crate::write_plan::PIECE as usize];
        overlay(std::slice::from_ref(&probe), &piece, &mut buffer);
        for at in probe.step_by(SECTOR) {
            let sector = &buffer[(at - 3 * MIB) as usize..][..SECTOR];
            let text = String::from_utf8_lossy(sector);
            assert!(text.trim_end_matches(['\0', '\n']).ends_with(&format!(" {at}")), "{text}");
        }
    }

    #[test]
    fn a_pattern_fits_into_a_last_sector_of_any_length() {
        for more in [1, 51, 52, 511, 512, 513] {
            let size = 2 * MIB + more;
            let last = probes(size, &Extents::new()).pop().unwrap();
            assert_eq!(last, 2 * MIB..size);
            let piece = Piece::new(2 * MIB, last.clone());
            let mut buffer = vec![0xaa; crate::write_plan::PIECE as usize];
            overlay(std::slice::from_ref(&last), &piece, &mut buffer);
            assert!(buffer.starts_with(&b"nodecard: is this"[..more.min(17) as usize]));
            assert!(buffer[more as usize..].iter().all(|&byte| byte == 0xaa));
        }
    }
}
