//! One of the four entries of an MBR or of a table of logical partitions.

use crate::fields::{Sector, array, u32_at};

/// The offset of the first entry in its sector.
const ENTRIES: usize = 446;
/// The size of one entry in bytes.
const SIZE: usize = 16;

/// The fields of an entry that are still in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MbrEntry {
    pub boot: u8,
    pub kind: u8,
    pub start: u32,
    /// 0 for an unused entry.
    pub sectors: u32,
}

impl MbrEntry {
    /// Reads entry `slot`, counted from 0.
    pub(crate) fn parse(sector: &Sector, slot: usize) -> Self {
        let at = offset(slot);
        let [boot] = array(sector, at);
        let [kind] = array(sector, at + 4);
        MbrEntry { boot, kind, start: u32_at(sector, at + 8), sectors: u32_at(sector, at + 12) }
    }

    pub(crate) fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85)
    }
}

/// Returns the offset of entry `slot`, counted from 0, in its sector.
pub(crate) fn offset(slot: usize) -> usize {
    ENTRIES + slot.min(3) * SIZE
}

/// The offset of the last sector, as cylinder, head and sector, in an entry.
pub(crate) const LAST_CHS: usize = 5;
/// The offset of the length in an entry.
pub(crate) const SECTORS: usize = 12;

/// Returns cylinder, head and sector of an absolute sector number, for the geometry that all
/// partitioning programs assume today (255 heads of 63 sectors). Sectors beyond get the
/// highest address.
pub(crate) fn chs(sector: u64) -> [u8; 3] {
    const HEADS: u64 = 255;
    const SECTORS: u64 = 63;
    let cylinder = sector / (HEADS * SECTORS);
    if cylinder > 1023 {
        return [0xfe, 0xff, 0xff];
    }
    let head = sector / SECTORS % HEADS;
    let sector = sector % SECTORS + 1;
    // All three are below 256 after masking.
    [head as u8, (sector | (cylinder >> 8) << 6) as u8, (cylinder & 0xff) as u8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chs_matches_known_addresses() {
        assert_eq!(chs(0), [0, 1, 0]);
        assert_eq!(chs(2048), [0x20, 0x21, 0x00]);
        assert_eq!(chs(1023 * 255 * 63 + 254 * 63 + 62), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(1024 * 255 * 63), [0xfe, 0xff, 0xff]);
        assert_eq!(chs(u64::MAX), [0xfe, 0xff, 0xff]);
    }
}
