//! One entry of a directory.
//!
//! An entry has the number of the inode, the length of the record, the length of the name, the
//! type of the file, and the name. Records begin at multiples of four.

use super::{FileType, Format, u16_at, u32_at};

/// The size of the fields before the name.
const HEADER: usize = 8;
/// The length of the shortest entry, whose name has one byte.
pub(super) const SHORTEST: usize = 12;
/// The longest name that the kernel accepts.
pub(super) const LONGEST_NAME: usize = 255;

/// An entry in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dirent<'b> {
    /// Its offset.
    pub offset: usize,
    /// The length of its record.
    pub rec_len: usize,
    /// The inode; 0 if the record is unused.
    pub inode: u32,
    pub file_type: FileType,
    pub name: &'b [u8],
}

/// Returns the length that an entry needs.
pub(super) fn size(name_len: usize) -> usize {
    (HEADER + name_len).next_multiple_of(4)
}

impl<'b> Dirent<'b> {
    /// The entry at `offset` of a block whose entries end at `end`.
    pub fn parse(
        format: &Format,
        raw: &'b [u8],
        offset: usize,
        end: usize,
    ) -> Result<Self, &'static str> {
        let Some(entries) = raw.get(..end).filter(|_| offset + SHORTEST <= end) else {
            return Err("an entry has no room for its name");
        };
        let rec_len = decode_rec_len(format.block_size, u16_at(entries, offset + 4));
        let lengths = u16_at(entries, offset + 6);
        let [name_len, file_type] = lengths.to_le_bytes();
        let name_len = if format.filetype { name_len.into() } else { usize::from(lengths) };
        if rec_len < SHORTEST || !rec_len.is_multiple_of(4) {
            return Err("the length of an entry (rec_len) is impossible");
        }
        if rec_len > end - offset {
            return Err("an entry reaches beyond the end of the block");
        }
        let name = entries.get(offset + HEADER..offset + HEADER + name_len);
        let Some(name) = name.filter(|_| name_len <= LONGEST_NAME && size(name_len) <= rec_len)
        else {
            return Err("a name is longer than its entry");
        };
        let inode = u32_at(entries, offset);
        if inode != 0 && name.is_empty() {
            return Err("an entry has no name");
        }
        let file_type = if format.filetype { FileType(file_type) } else { FileType::UNKNOWN };
        Ok(Dirent { offset, rec_len, inode, file_type, name })
    }

    /// Returns whether it refers to an inode.
    pub fn is_used(&self) -> bool {
        self.inode != 0
    }

    /// The part of its length that another entry could use.
    pub fn spare(&self) -> usize {
        if self.is_used() { self.rec_len - size(self.name.len()) } else { self.rec_len }
    }

    pub fn is_dot(&self) -> bool {
        self.name == b"."
    }

    pub fn is_dotdot(&self) -> bool {
        self.name == b".."
    }
}

/// Writes an entry of `rec_len` bytes. Does nothing if it would reach beyond the block, which
/// callers must have checked.
pub(super) fn put(
    format: &Format,
    raw: &mut [u8],
    offset: usize,
    rec_len: usize,
    inode: u32,
    file_type: FileType,
    name: &[u8],
) {
    let Some(record) = raw.get_mut(offset..offset + size(name.len())) else { return };
    let (header, rest) = record.split_at_mut(HEADER);
    let (place, padding) = rest.split_at_mut(name.len());
    place.copy_from_slice(name);
    padding.fill(0);
    header[..4].copy_from_slice(&inode.to_le_bytes());
    header[4..6].copy_from_slice(&encode_rec_len(format.block_size, rec_len).to_le_bytes());
    header[6] = name.len() as u8;
    header[7] = if format.filetype { file_type.0 } else { 0 };
}

/// Changes the inode and the type of an entry.
pub(super) fn set_target(
    format: &Format,
    raw: &mut [u8],
    offset: usize,
    inode: u32,
    file_type: FileType,
) {
    if let Some(header) = raw.get_mut(offset..offset + HEADER) {
        header[..4].copy_from_slice(&inode.to_le_bytes());
        if format.filetype {
            header[7] = file_type.0;
        }
    }
}

/// Changes the length of an entry.
pub(super) fn set_rec_len(format: &Format, raw: &mut [u8], offset: usize, rec_len: usize) {
    if let Some(place) = raw.get_mut(offset + 4..offset + 6) {
        place.copy_from_slice(&encode_rec_len(format.block_size, rec_len).to_le_bytes());
    }
}

/// 16 bits cannot hold 65536, the length of an entry that fills the largest possible block: 65535
/// stands for it, and 0 in old filesystems.
pub(super) fn decode_rec_len(block_size: u32, stored: u16) -> usize {
    match stored {
        0 | 0xffff if block_size == 1 << 16 => 1 << 16,
        _ => stored.into(),
    }
}

pub(super) fn encode_rec_len(block_size: u32, rec_len: usize) -> u16 {
    debug_assert!(rec_len <= block_size as usize);
    u16::try_from(rec_len).unwrap_or(0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_16_bits_is_encoded() {
        for block_size in [1 << 10, 1 << 15, 1 << 16] {
            for rec_len in (12..=block_size as usize).step_by(4) {
                let stored = encode_rec_len(block_size, rec_len);
                assert_eq!(decode_rec_len(block_size, stored), rec_len, "{block_size}");
            }
        }
        assert_eq!(encode_rec_len(1 << 16, 1 << 16), 0xffff);
        assert_eq!(decode_rec_len(1 << 16, 0), 1 << 16);
        assert_eq!(decode_rec_len(1 << 15, 0), 0);
    }
}
