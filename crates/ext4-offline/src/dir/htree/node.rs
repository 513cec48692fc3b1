//! One block of a hash tree's index.
//!
//! It begins with entries that make it look like a block of names to programs that do not support
//! indexes: a `dx_root` with `.` and `..`, a `dx_node` with an unused entry; the last entry fills
//! the block. A list of `dx_entry` follows, each with a hash and the block that holds the names
//! from that hash on. The first has the `limit` and `count` of the list instead of a hash. With
//! checksums, a `dx_tail` follows the place of the last possible entry.

use super::Version;
use crate::{
    Result,
    digest::crc32c,
    dir::{
        FileType, Format,
        entry::{self, Dirent},
        u16_at, u32_at,
    },
};

/// The offset of `..` in a `dx_root`.
const DOTDOT: usize = 12;
/// The offset of the description of the tree in a `dx_root`.
const INFO: usize = 24;
/// The length of that description.
const INFO_LENGTH: u8 = 8;
/// The offset of the list in a `dx_root`.
const ROOT_LIST: usize = 32;
/// The offset of the list in a `dx_node`.
const NODE_LIST: usize = 8;
/// The size of a `dx_entry`, and of a `dx_tail`.
const ENTRY: usize = 8;
/// The bits that hold the number of a block; the others are reserved.
const BLOCK_MASK: u32 = 0x0fff_ffff;
/// The last block that a tree can lead to.
pub(in crate::dir) const LAST_BLOCK: u32 = BLOCK_MASK;

/// A block of an index, checked.
#[derive(Debug, Clone)]
pub(in crate::dir) struct Node {
    raw: Vec<u8>,
    /// The offset of the list.
    list: usize,
}

/// Returns how many entries there is room for.
fn limit(format: &Format, list: usize) -> usize {
    let tail = if format.checksum_seed.is_some() { ENTRY } else { 0 };
    (format.block_size as usize).saturating_sub(list + tail) / ENTRY
}

impl Node {
    /// Checks the first block of a tree.
    pub fn parse_root(format: &Format, raw: Vec<u8>) -> Result<Self> {
        let node = Node { raw, list: ROOT_LIST };
        let [dot, dotdot] = node.dots(format)?;
        let used = dot.is_used() && dotdot.is_used();
        if !used || !dot.is_dot() || dot.rec_len != DOTDOT || !dotdot.is_dotdot() {
            return format.wrong(0, "it does not begin with the entries . and ..");
        }
        if dotdot.rec_len != node.raw.len() - DOTDOT {
            return format.wrong(0, "the entry .. does not hide its index");
        }
        if u32_at(&node.raw, INFO) != 0 || node.info(5) != INFO_LENGTH || node.info(7) != 0 {
            return format.wrong(0, "its index (dx_root) is of an unknown kind");
        }
        // Hash 6 is for encrypted names that ignore case, and needs a key.
        if node.info(4) > 2 && !(format.casefold && node.info(4) == 6) {
            return format.wrong(0, "its index (dx_root) uses an unknown hash");
        }
        if node.levels() > max_levels(format) {
            return format.wrong(0, "its index (dx_root) has more levels than are possible");
        }
        node.check_list(format, 0)?;
        Ok(node)
    }

    /// Checks a block below the root. All hashes in it must be from `low` to
    /// `high`.
    pub fn parse(format: &Format, index: u32, raw: Vec<u8>, low: u32, high: u32) -> Result<Self> {
        let node = Node { raw, list: NODE_LIST };
        let rec_len = entry::decode_rec_len(format.block_size, u16_at(&node.raw, 4));
        if u32_at(&node.raw, 0) != 0
            || rec_len != format.block_size as usize
            || node.raw.get(6) != Some(&0)
        {
            return format.wrong(index, "it is not a node of the index (dx_node)");
        }
        node.check_list(format, index)?;
        let count = node.count();
        if count > 1 && (node.hash(1) < low & !1 || node.hash(count - 1) & !1 > high) {
            return format.wrong(index, "its node of the index has hashes of another node");
        }
        Ok(node)
    }

    fn check_list(&self, format: &Format, index: u32) -> Result<()> {
        let (count, limit) = (self.count(), limit(format, self.list));
        if self.limit() != limit || count == 0 || count > limit {
            return format.wrong(index, "its index has an impossible count or limit");
        }
        if let Some(seed) = format.checksum_seed
            && self.checksum(seed) != u32_at(&self.raw, self.at(limit) + 4)
        {
            return format.wrong(index, "the checksum of its index does not match");
        }
        let mut last = 0;
        for entry in self.entries().skip(1) {
            let hash = u32_at(entry, 0) & !1;
            if hash < last {
                return format.wrong(index, "its index is out of order");
            }
            last = hash;
        }
        Ok(())
    }

    /// A `dx_root` that leads to one block. `dot` and `dotdot` are the entries from the directory's
    /// only block.
    pub fn new_root(
        format: &Format,
        dot: &Dirent<'_>,
        dotdot: &Dirent<'_>,
        version: Version,
        block: u32,
    ) -> Self {
        let size = format.block_size as usize;
        let mut raw = vec![0; size];
        let room = [(0, DOTDOT, dot), (DOTDOT, size.saturating_sub(DOTDOT), dotdot)];
        for (offset, rec_len, &Dirent { inode, file_type, name, .. }) in room {
            entry::put(format, &mut raw, offset, rec_len, inode, file_type, name);
        }
        let mut node = Node { raw, list: ROOT_LIST };
        node.put(INFO + 4, &[version.on_disk(), INFO_LENGTH, 0, 0]);
        node.start(format, block);
        node
    }

    /// A `dx_node` without any entries.
    fn new(format: &Format) -> Self {
        let mut raw = vec![0; format.block_size as usize];
        entry::set_rec_len(format, &mut raw, 0, format.block_size as usize);
        let mut node = Node { raw, list: NODE_LIST };
        node.start(format, 0);
        node
    }

    /// Makes the list lead to a single block.
    fn start(&mut self, format: &Format, block: u32) {
        let limit = limit(format, self.list);
        let end = self.at(limit);
        if let Some(list) = self.raw.get_mut(self.list..end) {
            list.fill(0);
        }
        self.put(self.list, &(limit as u16).to_le_bytes());
        self.set_count(1);
        self.put(self.list + 4, &block.to_le_bytes());
    }

    /// The block's bytes, with their checksum.
    pub fn seal(mut self, format: &Format) -> Vec<u8> {
        if let Some(seed) = format.checksum_seed {
            let tail = self.at(self.limit()) + 4;
            self.put(tail, &self.checksum(seed).to_le_bytes());
        }
        self.raw
    }

    /// The checksum of everything up to the last entry in use, and of the tail with zeros instead
    /// of the checksum.
    fn checksum(&self, seed: u32) -> u32 {
        let tail = self.at(self.limit());
        let crc = crc32c(seed, self.raw.get(..self.at(self.count())).unwrap_or_default());
        let crc = crc32c(crc, self.raw.get(tail..tail + 4).unwrap_or_default());
        crc32c(crc, &[0; 4])
    }

    /// `.` and `..` of a `dx_root`.
    pub fn dots(&self, format: &Format) -> Result<[Dirent<'_>; 2]> {
        let parse = |offset| Dirent::parse(format, &self.raw, offset, self.raw.len());
        match (parse(0), parse(DOTDOT)) {
            (Ok(dot), Ok(dotdot)) => Ok([dot, dotdot]),
            (Err(reason), _) | (_, Err(reason)) => format.wrong(0, reason),
        }
    }

    /// Changes the inode of `.` or `..`.
    pub fn replace_dot(&mut self, format: &Format, offset: usize, inode: u32, file_type: FileType) {
        entry::set_target(format, &mut self.raw, offset, inode, file_type);
    }

    /// Gives `.` and `..` of a `dx_root` the inodes that `number` returns for theirs.
    pub fn renumber_dots(&mut self, format: &Format, number: impl Fn(u32) -> u32) -> Result<()> {
        let dots = self.dots(format)?.map(|dot| (dot.offset, number(dot.inode), dot.file_type));
        for (offset, inode, file_type) in dots {
            self.replace_dot(format, offset, inode, file_type);
        }
        Ok(())
    }

    fn info(&self, offset: usize) -> u8 {
        self.raw.get(INFO + offset).copied().unwrap_or_default()
    }

    /// The hash function of the tree of this `dx_root`. Whether bytes are signed is a property of
    /// the filesystem.
    pub fn version(&self, format: &Format) -> Option<Version> {
        match format.hash_version {
            0..3 => Version::new(self.info(4)),
            3..6 => Version::new(self.info(4).saturating_add(3)),
            _ => None,
        }
    }

    /// Returns how many levels of `dx_node`s are below this `dx_root`.
    pub fn levels(&self) -> usize {
        self.info(6).into()
    }

    /// Returns where an entry begins.
    fn at(&self, position: usize) -> usize {
        self.list + position * ENTRY
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        if let Some(place) = self.raw.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn limit(&self) -> usize {
        u16_at(&self.raw, self.list).into()
    }

    pub fn count(&self) -> usize {
        u16_at(&self.raw, self.list + 2).into()
    }

    fn set_count(&mut self, count: usize) {
        self.put(self.list + 2, &(count as u16).to_le_bytes());
    }

    pub fn is_full(&self) -> bool {
        self.count() >= self.limit()
    }

    fn entries(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let range = self.list..self.at(self.count());
        self.raw.get(range).unwrap_or_default().chunks_exact(ENTRY)
    }

    /// The blocks that it leads to.
    pub fn blocks(&self) -> impl Iterator<Item = u32> {
        self.entries().map(|entry| u32_at(entry, 4) & BLOCK_MASK)
    }

    /// The hash of an entry other than the first: the least hash below it. If its lowest bit is
    /// set, the entry before it has names with that hash too.
    pub fn hash(&self, position: usize) -> u32 {
        if position == 0 { 0 } else { u32_at(&self.raw, self.at(position)) }
    }

    /// The block of an entry.
    pub fn block(&self, position: usize) -> u32 {
        u32_at(&self.raw, self.at(position) + 4) & BLOCK_MASK
    }

    /// The entry that leads to the first names with a hash.
    pub fn position(&self, hash: u32) -> usize {
        let (mut low, mut high) = (1, self.count());
        while low < high {
            let middle = low.midpoint(high);
            if self.hash(middle) > hash { high = middle } else { low = middle + 1 }
        }
        low - 1
    }

    /// Inserts an entry at this position, which is not the first. There must be room for it.
    pub fn insert(&mut self, position: usize, hash: u32, block: u32) {
        let (start, end) = (self.at(position), self.at(self.count()));
        if position == 0 || position > self.count() || self.is_full() {
            return;
        }
        self.raw.copy_within(start..end, start + ENTRY);
        self.put(start, &hash.to_le_bytes());
        self.put(start + 4, &block.to_le_bytes());
        self.set_count(self.count() + 1);
    }

    /// Moves the entries from this position on to a `dx_node`. Returns the hash of the first one.
    pub fn split_off(&mut self, format: &Format, position: usize) -> (Node, u32) {
        let upper = self.copy_from(format, position);
        let hash = self.hash(position);
        let (start, end) = (self.at(position), self.at(self.count()));
        if let Some(rest) = self.raw.get_mut(start..end) {
            rest.fill(0);
        }
        self.set_count(position);
        (upper, hash)
    }

    /// A `dx_node` with the entries from this position on.
    pub fn copy_from(&self, format: &Format, position: usize) -> Node {
        let mut node = Node::new(format);
        let range = self.at(position)..self.at(self.count());
        let entries = self.raw.get(range).unwrap_or_default();
        // The first entry's hash is where the limit and the count are.
        let rest = entries.get(4..).unwrap_or_default();
        node.put(node.list + 4, rest);
        node.set_count(entries.len() / ENTRY);
        node
    }

    /// Makes this `dx_root` lead to one `dx_node` that has a copy of its entries.
    pub fn raise(&mut self, format: &Format, block: u32) {
        self.start(format, block);
        let levels = self.info(6).saturating_add(1);
        self.put(INFO + 6, &[levels]);
    }
}

/// Returns how many levels of `dx_node`s a tree may have.
pub(super) fn max_levels(format: &Format) -> usize {
    if format.large_dir { 2 } else { 1 }
}
