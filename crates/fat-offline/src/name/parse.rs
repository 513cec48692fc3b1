//! From directory entries to names.

use std::ops::Range;

use super::{
    DIRECTORY, ENTRY, LABEL, LONG, LONG_MASK, LOWER_EXTENSION, LOWER_STEM, MAX_PIECES, UNITS,
    checksum, folded, unit_places,
};

/// A file, directory or volume label in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The slots that it takes in its directory, the pieces of its long name included.
    pub slots: Range<usize>,
    /// The entry with the short name, which is the last of the slots.
    pub entry: [u8; ENTRY],
    /// The name that people see.
    pub name: String,
}

impl Record {
    pub(crate) fn short(&self) -> [u8; 11] {
        let mut short = [0; 11];
        short.copy_from_slice(&self.entry[..11]);
        short
    }

    fn attributes(&self) -> u8 {
        self.entry[11]
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.attributes() & (DIRECTORY | LABEL) == DIRECTORY
    }

    pub(crate) fn is_label(&self) -> bool {
        self.attributes() & LABEL != 0
    }

    /// Returns whether it is the `.` or `..` that every directory but the root begins with.
    pub(crate) fn is_dot(&self) -> bool {
        matches!(&self.entry[..11], b".          " | b"..         ")
    }

    /// Returns the first cluster. Before FAT32 the upper half means something else.
    pub(crate) fn first_cluster(&self, is_fat32: bool) -> u32 {
        let low = u32::from(u16::from_le_bytes([self.entry[26], self.entry[27]]));
        let high = u32::from(u16::from_le_bytes([self.entry[20], self.entry[21]]));
        if is_fat32 { low | high << 16 } else { low }
    }

    pub(crate) fn size(&self) -> u32 {
        let [.., a, b, c, d] = self.entry;
        u32::from_le_bytes([a, b, c, d])
    }

    /// Returns whether either of its names is `name`, in upper or lower case.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        let wanted = folded(name);
        folded(&self.name) == wanted || folded(&plain_short(&self.short(), 0)) == wanted
    }
}

/// The entries of a directory.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub records: Vec<Record>,
    /// The first slot behind the end mark, or the number of slots.
    pub end: usize,
    /// Whether pieces of long names were found that belong to no short name.
    pub orphaned_pieces: bool,
}

/// Puts the slots of a directory together.
pub(crate) fn parse(slots: &[[u8; ENTRY]]) -> Parsed {
    let mut parsed = Parsed { end: slots.len(), ..Parsed::default() };
    let mut long = Long::default();
    for (index, entry) in slots.iter().enumerate() {
        match entry[0] {
            0 => {
                parsed.end = index;
                break;
            }
            0xe5 => parsed.orphaned_pieces |= long.drop_pieces(),
            _ if entry[11] & LONG_MASK == LONG => parsed.orphaned_pieces |= long.add(entry),
            _ => {
                let mut short = [0; 11];
                short.copy_from_slice(&entry[..11]);
                let name = long.name(checksum(&short));
                let pieces = if name.is_some() { long.pieces.len() } else { 0 };
                parsed.orphaned_pieces |= long.drop_pieces() && name.is_none();
                parsed.records.push(Record {
                    slots: index - pieces..index + 1,
                    entry: *entry,
                    name: name.unwrap_or_else(|| plain_short(&short, entry[12])),
                });
            }
        }
    }
    parsed.orphaned_pieces |= long.drop_pieces();
    parsed
}

/// A long name under way.
#[derive(Debug, Default)]
struct Long {
    /// Its pieces, the last one of the name first.
    pieces: Vec<[u16; UNITS]>,
    /// The number of the latest piece, and the checksum that all pieces share.
    latest: Option<(u8, u8)>,
}

impl Long {
    /// Forgets the pieces, and returns whether there were any.
    fn drop_pieces(&mut self) -> bool {
        self.latest = None;
        let any = !self.pieces.is_empty();
        self.pieces.clear();
        any
    }

    /// Takes the next piece. Returns whether pieces before it, or itself, had to go.
    fn add(&mut self, entry: &[u8; ENTRY]) -> bool {
        let (order, sum) = (entry[0], entry[13]);
        let number = order & 0x3f;
        let is_first = order & 0x40 != 0;
        let mut dropped = is_first && self.drop_pieces();
        let follows = self.latest == number.checked_add(1).map(|before| (before, sum));
        if !(1..=MAX_PIECES).contains(&number) || !(is_first || follows) {
            self.drop_pieces();
            dropped = true;
            return dropped;
        }
        let mut units = [0; UNITS];
        for (unit, at) in units.iter_mut().zip(unit_places()) {
            *unit = u16::from_le_bytes([entry[at], entry[at + 1]]);
        }
        self.pieces.push(units);
        self.latest = Some((number, sum));
        dropped
    }

    /// Returns the name, if it is whole and belongs to the short name with this checksum.
    fn name(&self, sum: u8) -> Option<String> {
        if self.latest != Some((1, sum)) {
            return None;
        }
        let units = self.pieces.iter().rev().flatten().copied().take_while(|&unit| unit != 0);
        Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }
}

/// Returns a short name with its dot. Bytes beyond ASCII depend on a code page that is not
/// recorded anywhere: they never match a name that is looked for.
fn plain_short(short: &[u8; 11], case: u8) -> String {
    let text = |bytes: &[u8], lower: bool| {
        let mut bytes = bytes.to_vec();
        // A first byte of E5 would mean a deleted entry.
        if let Some(first @ 0x05) = bytes.first_mut() {
            *first = 0xe5;
        }
        let text = String::from_utf8_lossy(&bytes).trim_end_matches(' ').to_owned();
        if lower { text.to_ascii_lowercase() } else { text }
    };
    let stem = text(&short[..8], case & LOWER_STEM != 0);
    let extension = text(&short[8..], case & LOWER_EXTENSION != 0);
    if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
}
