//! The blocks of the log that describe other blocks: descriptor, commit and revoke blocks. All
//! fields are big-endian.

use super::superblock::{JournalSuperblock, MAGIC};
use crate::{Timestamp, digest::crc32c};

pub(super) const DESCRIPTOR: u32 = 1;
pub(super) const COMMIT: u32 = 2;
pub(super) const REVOKE: u32 = 5;

/// The size of `journal_header_s`, the beginning of all of them.
const HEADER: usize = 12;
/// The size of the header of a revoke block.
const REVOKE_HEADER: usize = 16;
/// The size of the header of a commit block, which holds nothing else.
const COMMIT_HEADER: usize = 64;
/// The size of the checksum at the end of descriptor and revoke blocks.
const TAIL: usize = 4;
/// The size of the UUID that follows a tag without [`SAME_UUID`].
const UUID: usize = 16;

const H_CHKSUM_TYPE: usize = 0xc;
const H_CHKSUM_SIZE: usize = 0xd;
const H_CHKSUM: usize = 0x10;
const H_COMMIT_SEC: usize = 0x30;

/// `t_flags`: the block began with the magic number, which was zeroed.
const ESCAPE: u16 = 1;
const SAME_UUID: u16 = 2;
const LAST_TAG: u16 = 8;

/// The number at an offset; 0 beyond the end.
pub(super) fn be16(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u16::from_be_bytes(*b))
}

/// The number at an offset; 0 beyond the end.
pub(super) fn be32(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b))
}

fn be64(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u64::from_be_bytes(*b))
}

/// Sets the number at an offset, if the block reaches that far.
pub(super) fn put_be32(bytes: &mut [u8], offset: usize, value: u32) {
    if let Some(place) = bytes.get_mut(offset..offset + 4) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

/// The `h_blocktype` of a block that belongs to a transaction; `None` if it
/// does not.
pub(super) fn block_type(block: &[u8], sequence: u32) -> Option<u32> {
    (be32(block, 0) == MAGIC && be32(block, 8) == sequence).then(|| be32(block, 4))
}

/// The checksum of a block that has its own checksum at `offset`.
fn checksum_without(seed: u32, block: &[u8], offset: usize) -> u32 {
    let (before, rest) = block.split_at(offset.min(block.len()));
    let after = rest.get(4..).unwrap_or_default();
    crc32c(crc32c(crc32c(seed, before), &[0; 4]), after)
}

/// The layout and the checksums of the descriptor and revoke blocks of a journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    bits64: bool,
    csum_v2: bool,
    csum_v3: bool,
    seed: u32,
}

/// An entry of a descriptor block: the place of the block that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    /// The block of the filesystem.
    pub block: u64,
    pub escaped: bool,
    checksum: u32,
}

impl Format {
    pub fn of(superblock: &JournalSuperblock) -> Self {
        Format {
            bits64: superblock.bits64(),
            csum_v2: superblock.csum_v2(),
            csum_v3: superblock.csum_v3(),
            seed: superblock.seed(),
        }
    }

    fn has_checksums(&self) -> bool {
        self.csum_v2 || self.csum_v3
    }

    /// The size of a tag. With 16-bit checksums it has two unused bytes at its end.
    fn tag_size(&self) -> usize {
        match (self.csum_v3, self.bits64) {
            (true, _) => 16,
            (false, bits64) => 8 + if bits64 { 4 } else { 0 } + if self.csum_v2 { 2 } else { 0 },
        }
    }

    /// The part of a descriptor or revoke block before its checksum.
    fn body<'b>(&self, block: &'b [u8]) -> &'b [u8] {
        let tail = if self.has_checksums() { TAIL } else { 0 };
        block.get(..block.len().saturating_sub(tail)).unwrap_or_default()
    }

    /// The tags of a descriptor block.
    pub fn tags(&self, block: &[u8]) -> Vec<Tag> {
        let size = self.tag_size();
        let body = self.body(block);
        let mut tags = Vec::new();
        let mut at = HEADER;
        while let Some(tag) = body.get(at..at + size) {
            // The field has 32 bits with 32-bit checksums, but no high bit is in use.
            let flags = be16(tag, 6);
            let high = if self.bits64 { u64::from(be32(tag, 8)) << 32 } else { 0 };
            tags.push(Tag {
                block: high | u64::from(be32(tag, 0)),
                escaped: flags & ESCAPE != 0,
                checksum: if self.csum_v3 { be32(tag, 12) } else { be16(tag, 4).into() },
            });
            at += size + if flags & SAME_UUID == 0 { UUID } else { 0 };
            if flags & LAST_TAG != 0 {
                break;
            }
        }
        tags
    }

    /// Returns whether a block matches the checksum in its tag.
    pub fn data_matches(&self, tag: &Tag, sequence: u32, data: &[u8]) -> bool {
        if !self.has_checksums() {
            return true;
        }
        let checksum = crc32c(crc32c(self.seed, &sequence.to_be_bytes()), data);
        tag.checksum == if self.csum_v3 { checksum } else { checksum & 0xffff }
    }

    /// Returns whether the checksum of a descriptor or revoke block matches.
    pub fn tail_matches(&self, block: &[u8]) -> bool {
        let at = block.len().saturating_sub(TAIL);
        !self.has_checksums() || be32(block, at) == checksum_without(self.seed, block, at)
    }

    /// Returns whether the checksum of a commit block matches. Everything that
    /// matters is in its first sector; as in the kernel, the rest may not have reached the disk.
    pub fn commit_matches(&self, block: &[u8]) -> bool {
        if !self.has_checksums() {
            return true;
        }
        let (header, rest) = block.split_at(COMMIT_HEADER.min(block.len()));
        let whole = [header, &vec![0; rest.len()]].concat();
        let stored = be32(block, H_CHKSUM);
        stored == checksum_without(self.seed, block, H_CHKSUM)
            || stored == checksum_without(self.seed, &whole, H_CHKSUM)
    }

    /// The blocks that a revoke block lists; `None` if its count is larger than the block.
    pub fn revoked(&self, block: &[u8]) -> Option<Vec<u64>> {
        // The count is in bytes and includes the header.
        let r_count = be32(block, HEADER) as usize;
        let records = match self.body(block).get(..r_count)?.get(REVOKE_HEADER..) {
            Some(records) => records,
            None => return Some(Vec::new()),
        };
        let size = if self.bits64 { 8 } else { 4 };
        let number =
            |record: &[u8]| if self.bits64 { be64(record, 0) } else { be32(record, 0).into() };
        Some(records.chunks_exact(size).map(number).collect())
    }
}

/// Building the blocks of a new transaction.
impl Format {
    fn header(block_size: usize, kind: u32, sequence: u32) -> Vec<u8> {
        let mut block = vec![0; block_size];
        for (offset, value) in [(0, MAGIC), (4, kind), (8, sequence)] {
            put_be32(&mut block, offset, value);
        }
        block
    }

    /// Returns how many tags a descriptor block has room for. The journal's
    /// UUID follows the first one.
    pub fn tags_per_block(&self, block_size: usize) -> usize {
        let tail = if self.has_checksums() { TAIL } else { 0 };
        block_size.saturating_sub(HEADER + UUID + tail) / self.tag_size()
    }

    /// A descriptor block for blocks of the filesystem with these contents, which
    /// are escaped where necessary.
    pub fn build_descriptor(&self, sequence: u32, blocks: &mut [(u64, Vec<u8>)]) -> Vec<u8> {
        let block_size = blocks.first().map_or(0, |(_, contents)| contents.len());
        let mut descriptor = Self::header(block_size, DESCRIPTOR, sequence);
        let mut at = HEADER;
        let last = blocks.len().saturating_sub(1);
        for (index, (block, contents)) in blocks.iter_mut().enumerate() {
            let mut flags = 0;
            if be32(contents, 0) == MAGIC {
                put_be32(contents, 0, 0);
                flags |= ESCAPE;
            }
            if index > 0 {
                flags |= SAME_UUID;
            }
            if index == last {
                flags |= LAST_TAG;
            }
            let checksum = crc32c(crc32c(self.seed, &sequence.to_be_bytes()), contents);
            put_be32(&mut descriptor, at, *block as u32);
            // Two fields of 16 bits, except in v3, which has no checksum here.
            let low = if self.csum_v2 { checksum << 16 } else { 0 };
            put_be32(&mut descriptor, at + 4, low | u32::from(flags));
            if self.bits64 {
                put_be32(&mut descriptor, at + 8, (*block >> 32) as u32);
            }
            if self.csum_v3 {
                put_be32(&mut descriptor, at + 12, checksum);
            }
            at += self.tag_size() + if index == 0 { UUID } else { 0 };
        }
        if self.has_checksums() {
            let at = block_size.saturating_sub(TAIL);
            let checksum = checksum_without(self.seed, &descriptor, at);
            put_be32(&mut descriptor, at, checksum);
        }
        descriptor
    }

    /// A commit block, written at `time`.
    pub fn build_commit(&self, block_size: usize, sequence: u32, time: Timestamp) -> Vec<u8> {
        let mut block = Self::header(block_size, COMMIT, sequence);
        let (low, high) = time.superblock_fields();
        put_be32(&mut block, H_COMMIT_SEC, high.into());
        put_be32(&mut block, H_COMMIT_SEC + 4, low);
        if self.has_checksums() {
            let checksum = checksum_without(self.seed, &block, H_CHKSUM);
            put_be32(&mut block, H_CHKSUM, checksum);
        }
        block
    }

    /// Returns whether the format has room for the number of a block.
    pub fn can_name(&self, block: u64) -> bool {
        self.bits64 || block <= u32::MAX.into()
    }
}

/// The time when a commit block was written, in seconds since 1970.
pub(super) fn commit_time(block: &[u8]) -> u64 {
    be64(block, H_COMMIT_SEC)
}

/// Returns whether the checksum of a transaction, in its commit block, matches. The
/// kernel may leave it out.
pub(super) fn transaction_matches(block: &[u8], computed: u32) -> bool {
    let kind = [H_CHKSUM_TYPE, H_CHKSUM_SIZE].map(|at| block.get(at).copied().unwrap_or(0));
    match (kind, be32(block, H_CHKSUM)) {
        // CRC-32, 4 bytes.
        ([1, 4], stored) => stored == computed,
        ([0, 0], 0) => true,
        _ => false,
    }
}
