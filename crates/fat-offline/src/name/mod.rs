//! Names in a directory: a short one of 8.3 bytes, often with a long one in front of it.

mod encode;
mod parse;

pub(crate) use encode::{Encoded, encode};
pub(crate) use parse::{Parsed, Record, parse};

/// The size of a directory entry in bytes.
pub(crate) const ENTRY: usize = 32;
/// The attributes of a piece of a long name, and the mask that finds them.
const LONG: u8 = 0x0f;
const LONG_MASK: u8 = 0x3f;
/// The attribute of the entry that holds the volume's label.
pub(crate) const LABEL: u8 = 0x08;
pub(crate) const DIRECTORY: u8 = 0x10;
/// The attribute of files changed since the last backup, which every new file has.
pub(crate) const ARCHIVE: u8 = 0x20;
/// Flags in byte 12: the short name's stem, or extension, is shown in lower case.
const LOWER_STEM: u8 = 0x08;
const LOWER_EXTENSION: u8 = 0x10;
/// UTF-16 units in one piece of a long name.
const UNITS: usize = 13;
/// Pieces in the longest name (255 units).
const MAX_PIECES: u8 = 20;

/// Where the UTF-16 units of a piece of a long name are in its entry.
fn unit_places() -> impl Iterator<Item = usize> {
    (1..11).step_by(2).chain((14..26).step_by(2)).chain([28, 30])
}

/// Returns the checksum of a short name that ties a long name to it.
fn checksum(short: &[u8; 11]) -> u8 {
    short.iter().fold(0u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte))
}

/// Returns a name as it is compared: FAT ignores case.
pub(crate) fn folded(name: &str) -> String {
    name.to_uppercase()
}
