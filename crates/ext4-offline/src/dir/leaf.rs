//! A block of entries: in a directory without an index, or a leaf of an index.
//!
//! The entries fill the block without gaps: an entry before free space is longer than necessary.
//! With checksums, the last 12 bytes look like an unused entry and hold the checksum of the rest.

use super::{
    FileType, Format,
    entry::{self, Dirent},
    u32_at,
};
use crate::{Result, digest::crc32c};

/// The size of the tail that holds the checksum.
pub(super) const TAIL: usize = 12;
/// The tail up to the checksum: an entry without an inode, 12 bytes long, with an unused type.
const TAIL_HEADER: [u8; 8] = [0, 0, 0, 0, TAIL as u8, 0, 0, 0xde];

/// A block of entries, checked.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    raw: Vec<u8>,
    /// The end of the entries.
    end: usize,
}

impl Leaf {
    /// Checks a block and its checksum. `index` is the number of the block, for errors.
    pub fn parse(format: &Format, index: u32, raw: Vec<u8>) -> Result<Self> {
        let end = format.leaf_end();
        if raw.len() != format.block_size as usize {
            return format.wrong(index, "it is too short");
        }
        if let Some(seed) = format.checksum_seed {
            let (entries, tail) = raw.split_at(end);
            if tail.get(..8) != Some(&TAIL_HEADER) {
                return format.wrong(index, "it has no room for a checksum");
            }
            if crc32c(seed, entries) != u32_at(tail, 8) {
                return format.wrong(index, "its checksum does not match");
            }
        }
        let mut offset = 0;
        while offset < end {
            match Dirent::parse(format, &raw, offset, end) {
                Ok(dirent) => offset += dirent.rec_len,
                Err(reason) => return format.wrong(index, reason),
            }
        }
        Ok(Leaf { raw, end })
    }

    /// A block without names.
    pub fn empty(format: &Format) -> Self {
        let mut leaf = Leaf { raw: vec![0; format.block_size as usize], end: format.leaf_end() };
        leaf.clear(format);
        leaf
    }

    fn clear(&mut self, format: &Format) {
        self.raw.fill(0);
        entry::set_rec_len(format, &mut self.raw, 0, self.end);
    }

    /// The block's bytes, with their checksum.
    pub fn seal(mut self, format: &Format) -> Vec<u8> {
        if let Some(seed) = format.checksum_seed {
            let (entries, tail) = self.raw.split_at_mut(self.end);
            let checksum = crc32c(seed, entries).to_le_bytes();
            for (place, byte) in tail.iter_mut().zip(TAIL_HEADER.into_iter().chain(checksum)) {
                *place = byte;
            }
        }
        self.raw
    }

    /// All entries, including those without an inode.
    pub fn records<'l>(&'l self, format: &'l Format) -> impl Iterator<Item = Dirent<'l>> {
        let mut offset = 0;
        std::iter::from_fn(move || {
            let dirent = Dirent::parse(format, &self.raw, offset, self.end).ok()?;
            offset += dirent.rec_len;
            Some(dirent)
        })
    }

    /// The entries that refer to an inode.
    pub fn entries<'l>(&'l self, format: &'l Format) -> impl Iterator<Item = Dirent<'l>> {
        self.records(format).filter(Dirent::is_used)
    }

    /// The entry with this name.
    pub fn find<'l>(&'l self, format: &'l Format, name: &[u8]) -> Option<Dirent<'l>> {
        self.entries(format).find(|dirent| dirent.name == name)
    }

    /// The free space in total.
    pub fn room(&self, format: &Format) -> usize {
        self.records(format).map(|dirent| dirent.spare()).sum()
    }

    /// Adds an entry. Returns whether there was room for it.
    pub fn insert(
        &mut self,
        format: &Format,
        name: &[u8],
        inode: u32,
        file_type: FileType,
    ) -> bool {
        let need = entry::size(name.len());
        let mut room = 0;
        let slot = self.records(format).find_map(|dirent| {
            let spare = dirent.spare();
            room += spare;
            (spare >= need).then(|| (dirent.offset, dirent.rec_len, dirent.rec_len - spare))
        });
        let (offset, rec_len, used) = match slot {
            Some(slot) => slot,
            None if room < need => return false,
            None => {
                self.pack(format);
                let last = self.records(format).last();
                let Some(last) = last.filter(|last| last.spare() >= need) else { return false };
                (last.offset, last.rec_len, last.rec_len - last.spare())
            }
        };
        if used > 0 {
            entry::set_rec_len(format, &mut self.raw, offset, used);
        }
        let (offset, rec_len) = (offset + used, rec_len - used);
        entry::put(format, &mut self.raw, offset, rec_len, inode, file_type, name);
        true
    }

    /// Removes the entry at `offset` without leaving a trace. The entry before it gets its space.
    pub fn remove(&mut self, format: &Format, offset: usize) {
        let mut before: Option<(usize, usize)> = None;
        let mut removed = None;
        for dirent in self.records(format) {
            if dirent.offset == offset {
                removed = Some(dirent.rec_len);
                break;
            }
            before = Some((dirent.offset, dirent.rec_len));
        }
        let Some(rec_len) = removed else { return };
        if let Some(bytes) = self.raw.get_mut(offset..offset + rec_len) {
            bytes.fill(0);
        }
        let (offset, rec_len) = match before {
            Some((before, length)) => (before, length + rec_len),
            None => (offset, rec_len),
        };
        entry::set_rec_len(format, &mut self.raw, offset, rec_len);
    }

    /// Changes the inode and the type of the entry at `offset`.
    pub fn replace(&mut self, format: &Format, offset: usize, inode: u32, file_type: FileType) {
        entry::set_target(format, &mut self.raw, offset, inode, file_type);
    }

    /// Gives every entry the inode that `number` returns for its inode.
    pub fn renumber(&mut self, format: &Format, number: impl Fn(u32) -> u32) {
        let entries = self.entries(format);
        let changes: Vec<_> = entries.map(|e| (e.offset, number(e.inode), e.file_type)).collect();
        for (offset, inode, file_type) in changes {
            self.replace(format, offset, inode, file_type);
        }
    }

    /// Moves all free space to the end.
    fn pack(&mut self, format: &Format) {
        let before = self.clone();
        self.fill(format, before.entries(format));
    }

    /// Replaces all entries. Those for which there is no room are left out; callers take the
    /// entries from blocks of this size.
    pub fn fill<'l>(&mut self, format: &Format, entries: impl Iterator<Item = Dirent<'l>>) {
        self.clear(format);
        let mut last = (0, 0);
        for Dirent { inode, file_type, name, .. } in entries {
            let (offset, used) = last;
            let start = offset + used;
            if self.end - start < entry::size(name.len()) {
                break;
            }
            if used > 0 {
                entry::set_rec_len(format, &mut self.raw, offset, used);
            }
            let rec_len = self.end - start;
            entry::put(format, &mut self.raw, start, rec_len, inode, file_type, name);
            last = (start, entry::size(name.len()));
        }
    }
}
