//! Names in a FAT directory: a short one, and often a long one in front of it.

/// The size of a directory entry in bytes.
pub(super) const ENTRY: usize = 32;
/// The attributes of a piece of a long name.
const LONG: u8 = 0x0f;
/// The attribute of the entry that holds the volume's label.
const LABEL: u8 = 0x08;
const DIRECTORY: u8 = 0x10;
/// The number of UTF-16 units in one piece of a long name.
const UNITS: usize = 13;
/// The number of pieces in the longest name (255 units).
const MAX_PIECES: u8 = 20;

/// The entry of a file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FatEntry {
    pub short: String,
    pub long: Option<String>,
    pub is_directory: bool,
    pub first_cluster: u32,
    pub size: u32,
}

impl FatEntry {
    /// Returns whether either name is `name`, in upper or lower case.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let wanted = name.to_lowercase();
        self.short.to_lowercase() == wanted
            || self.long.as_ref().is_some_and(|long| long.to_lowercase() == wanted)
    }
}

/// Reads the entries of a directory one after the other, and puts long names together.
#[derive(Debug, Default)]
pub(super) struct EntryReader {
    /// The pieces of the long name so far, the last piece first.
    pieces: Vec<[u16; UNITS]>,
    /// The number of the piece that was read last, and the checksum of all pieces.
    expected: Option<(u8, u8)>,
}

/// What the last entry meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EntryMeaning {
    /// Nothing, or a piece of a long name.
    Nothing,
    Entry(FatEntry),
    /// The directory ends here.
    End,
}

impl EntryReader {
    pub(super) fn take(&mut self, entry: &[u8; ENTRY]) -> EntryMeaning {
        let [first, ..] = *entry;
        let attributes = entry[11];
        match first {
            0 => return EntryMeaning::End,
            0xe5 => self.forget(),
            _ if attributes & 0x3f == LONG => self.piece(entry),
            _ if attributes & LABEL != 0 => self.forget(),
            _ => {
                let long = self.long_name(checksum(entry));
                self.forget();
                return EntryMeaning::Entry(FatEntry {
                    short: short_name(entry),
                    long,
                    is_directory: attributes & DIRECTORY != 0,
                    first_cluster: u32::from_le_bytes([entry[26], entry[27], entry[20], entry[21]]),
                    size: u32::from_le_bytes([entry[28], entry[29], entry[30], entry[31]]),
                });
            }
        }
        EntryMeaning::Nothing
    }

    fn forget(&mut self) {
        self.pieces.clear();
        self.expected = None;
    }

    fn piece(&mut self, entry: &[u8; ENTRY]) {
        let (order, sum) = (entry[0], entry[13]);
        let number = order & 0x3f;
        let is_first = order & 0x40 != 0;
        if is_first {
            self.forget();
        }
        let follows = self.expected == number.checked_add(1).map(|before| (before, sum));
        if !(1..=MAX_PIECES).contains(&number) || !(is_first || follows) {
            self.forget();
            return;
        }
        let mut units = [0; UNITS];
        let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain([28, 30]);
        for (unit, at) in units.iter_mut().zip(places) {
            *unit = u16::from_le_bytes([entry[at], entry[at + 1]]);
        }
        self.pieces.push(units);
        self.expected = Some((number, sum));
    }

    /// Returns the long name, if it is complete and belongs to the short name.
    fn long_name(&self, sum: u8) -> Option<String> {
        if self.expected != Some((1, sum)) {
            return None;
        }
        let units = self.pieces.iter().rev().flatten().copied().take_while(|&unit| unit != 0);
        Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
    }
}

/// Returns the checksum of a short name, which ties a long name to it.
fn checksum(entry: &[u8; ENTRY]) -> u8 {
    entry.iter().take(11).fold(0u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte))
}

/// Returns the short name with its dot. Bytes beyond ASCII depend on a code page that is
/// recorded nowhere, so they never match a name.
fn short_name(entry: &[u8; ENTRY]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let (stem, extension) = (text(&entry[..8]), text(&entry[8..11]));
    if extension.is_empty() { stem } else { format!("{stem}.{extension}") }
}
