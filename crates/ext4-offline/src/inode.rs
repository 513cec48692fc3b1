//! Inodes.
//!
//! Source of all offsets: the kernel's
//! `Documentation/filesystems/ext4/inodes.rst`.

pub(crate) use crate::kind::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use crate::{Error, FileKind, Result, Timestamp, digest::crc32c};

/// `i_flags`: a directory with a hash tree.
pub(crate) const INDEX: u32 = 0x1000;
/// `i_flags`: `i_blocks` counts filesystem blocks, not sectors.
pub(crate) const HUGE_FILE: u32 = 0x4_0000;
/// `i_flags`: blocks are described by extents.
pub(crate) const EXTENTS: u32 = 0x8_0000;
/// `i_flags`: contents and names are encrypted.
pub(crate) const ENCRYPT: u32 = 0x800;
/// `i_flags`: a hash tree follows the contents, which cannot change.
pub(crate) const VERITY: u32 = 0x10_0000;
/// `i_flags`: names that differ only in case are the same.
pub(crate) const CASEFOLD: u32 = 0x4000_0000;
/// `i_flags`: the inode holds a large value of an extended attribute.
pub(crate) const EA_INODE: u32 = 0x20_0000;
/// `i_flags`: the contents are in the inode.
pub(crate) const INLINE_DATA: u32 = 0x1000_0000;

/// The inode that lists bad blocks.
pub(crate) const BAD_BLOCKS: u32 = 1;
/// The root directory.
pub(crate) const ROOT: u32 = 2;
/// The inode that holds the blocks reserved for descriptors.
pub(crate) const RESIZE: u32 = 7;

/// The size of the fields after the first 128 bytes of a new inode, if it has room for them.
pub(crate) const EXTRA_SIZE: u16 = 32;
/// The part of an inode that every revision has.
const OLD_SIZE: usize = 128;

/// An inode: its bytes, read and changed field by field.
///
/// Fields have their names in the specification, low and high halves joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inode {
    number: u32,
    /// At least 128 bytes.
    raw: Vec<u8>,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $(/ $set:ident)?: $type:ty = $offset:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(&self) -> $type {
            <$type>::from_le_bytes(self.bytes::<{ size_of::<$type>() }>($offset))
        }
        $(pub fn $set(&mut self, value: $type) {
            self.put($offset, &value.to_le_bytes());
        })?
    )*};
}

/// A time of an inode, which has a field for seconds and one for the extra bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeField {
    Access,
    Change,
    Modification,
    Creation,
}

impl TimeField {
    fn offsets(self) -> (usize, usize) {
        match self {
            TimeField::Access => (0x8, 0x8c),
            TimeField::Change => (0xc, 0x84),
            TimeField::Modification => (0x10, 0x88),
            TimeField::Creation => (0x90, 0x94),
        }
    }
}

impl Inode {
    /// The inode with this number and these bytes, filled up with zeros to 128.
    pub fn new(number: u32, mut raw: Vec<u8>) -> Self {
        raw.resize(raw.len().max(OLD_SIZE), 0);
        Inode { number, raw }
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// What lies beyond its size reads as zero.
    fn bytes<const N: usize>(&self, offset: usize) -> [u8; N] {
        self.raw.get(offset..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }

    /// What lies beyond its size is not written.
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        if let Some(place) = self.raw.get_mut(offset..offset + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fields! {
        /// The kind of file and its permissions.
        i_mode / set_i_mode: u16 = 0x0;
        /// When it was deleted; for orphans, the next orphan's number.
        i_dtime / set_i_dtime: u32 = 0x14;
        /// How many directory entries refer to it.
        i_links_count / set_i_links_count: u16 = 0x1a;
        /// Flags.
        i_flags / set_i_flags: u32 = 0x20;
        /// The high half of the version, which counts the users of an inode
        /// that holds an attribute's value.
        i_version / set_i_version: u32 = 0x24;
        /// Differs each time the inode is used for another file.
        i_generation / set_i_generation: u32 = 0x64;
        /// How many bytes beyond the first 128 are in use.
        i_extra_isize / set_i_extra_isize: u16 = 0x80;
    }

    fn halves16(&self, low: usize, high: usize) -> u32 {
        u32::from(u16::from_le_bytes(self.bytes(high))) << 16
            | u32::from(u16::from_le_bytes(self.bytes(low)))
    }

    /// The owner's user id.
    pub fn i_uid(&self) -> u32 {
        self.halves16(0x2, 0x78)
    }

    pub fn set_i_uid(&mut self, uid: u32) {
        self.put(0x2, &(uid as u16).to_le_bytes());
        self.put(0x78, &((uid >> 16) as u16).to_le_bytes());
    }

    /// The owner's group id.
    pub fn i_gid(&self) -> u32 {
        self.halves16(0x18, 0x7a)
    }

    pub fn set_i_gid(&mut self, gid: u32) {
        self.put(0x18, &(gid as u16).to_le_bytes());
        self.put(0x7a, &((gid >> 16) as u16).to_le_bytes());
    }

    /// The size in bytes.
    pub fn i_size(&self) -> u64 {
        u64::from(u32::from_le_bytes(self.bytes(0x6c))) << 32
            | u64::from(u32::from_le_bytes(self.bytes(0x4)))
    }

    pub fn set_i_size(&mut self, size: u64) {
        self.put(0x4, &(size as u32).to_le_bytes());
        self.put(0x6c, &((size >> 32) as u32).to_le_bytes());
    }

    /// The space that it takes, in sectors of 512 bytes, or in blocks of the
    /// filesystem if [`HUGE_FILE`] is set.
    pub fn i_blocks(&self) -> u64 {
        u64::from(u16::from_le_bytes(self.bytes(0x74))) << 32
            | u64::from(u32::from_le_bytes(self.bytes(0x1c)))
    }

    pub fn set_i_blocks(&mut self, blocks: u64) {
        self.put(0x1c, &(blocks as u32).to_le_bytes());
        self.put(0x74, &((blocks >> 32) as u16).to_le_bytes());
    }

    /// The block of its extended attributes, or 0.
    pub fn i_file_acl(&self) -> u64 {
        u64::from(u16::from_le_bytes(self.bytes(0x76))) << 32
            | u64::from(u32::from_le_bytes(self.bytes(0x68)))
    }

    pub fn set_i_file_acl(&mut self, block: u64) {
        self.put(0x68, &(block as u32).to_le_bytes());
        self.put(0x76, &((block >> 32) as u16).to_le_bytes());
    }

    /// The 60 bytes that locate the contents, or hold them.
    pub fn i_block(&self) -> [u8; 60] {
        self.bytes(0x28)
    }

    pub fn set_i_block(&mut self, bytes: &[u8; 60]) {
        self.put(0x28, bytes);
    }

    /// The bytes after the fields, which have room for extended attributes: none if the inode has
    /// only the fields of 128 bytes, since nobody would look for attributes behind them.
    pub fn extra_range(&self) -> std::ops::Range<usize> {
        let end = self.raw.len();
        match self.i_extra_isize() {
            _ if end == OLD_SIZE => end..end,
            0 => end..end,
            size => (OLD_SIZE + usize::from(size)).min(end)..end,
        }
    }

    /// Gives an inode that has only the fields of 128 bytes the others too, as zeros, if there is
    /// room. The kernel does this with every inode that it writes.
    pub fn add_extra_fields(&mut self) {
        if self.i_extra_isize() == 0
            && let Some(room) = self.raw.get_mut(OLD_SIZE..)
            && room.len() > usize::from(EXTRA_SIZE)
        {
            room.fill(0);
            self.set_i_extra_isize(EXTRA_SIZE);
        }
    }

    /// The bytes that follow the fields.
    pub fn extra(&self) -> &[u8] {
        self.raw.get(self.extra_range()).unwrap_or_default()
    }

    pub fn set_extra(&mut self, bytes: &[u8]) {
        let range = self.extra_range();
        if let Some(place) = self.raw.get_mut(range)
            && place.len() == bytes.len()
        {
            place.copy_from_slice(bytes);
        }
    }

    /// Returns whether the fields beyond the first 128 bytes reach to `end`.
    fn has_extra(&self, end: usize) -> bool {
        self.raw.len() > OLD_SIZE && OLD_SIZE + usize::from(self.i_extra_isize()) >= end
    }

    /// One of its times. Two of the extra bits extend the signed seconds beyond 2038.
    pub fn time(&self, field: TimeField) -> Timestamp {
        let (offset, extra) = field.offsets();
        let low = i64::from(i32::from_le_bytes(self.bytes(offset)));
        if !self.has_extra(extra + 4) {
            return Timestamp::stored(low, 0);
        }
        let extra = u32::from_le_bytes(self.bytes(extra));
        Timestamp::stored(low + (i64::from(extra & 3) << 32), extra >> 2)
    }

    /// When the file was created; `None` where the inode has no room for it.
    pub fn creation_time(&self) -> Option<Timestamp> {
        let (offset, _) = TimeField::Creation.offsets();
        self.has_extra(offset + 4).then(|| self.time(TimeField::Creation))
    }

    /// Sets one of its times, where the inode has room for it. A time after 2038 becomes
    /// the last one that fits if there are no extra bits.
    pub fn set_time(&mut self, field: TimeField, time: Timestamp) {
        let (offset, extra) = field.offsets();
        if field == TimeField::Creation && !self.has_extra(extra) {
            return;
        }
        if self.has_extra(extra + 4) {
            let low = time.low_seconds();
            // The extra bits count multiples of 2^32, from the signed low half on.
            let epoch = (time.seconds() - i64::from(low.cast_signed())) >> 32;
            let epoch = u32::try_from(epoch).unwrap_or_default() & 3;
            self.put(offset, &low.to_le_bytes());
            self.put(extra, &(time.nanoseconds() << 2 | epoch).to_le_bytes());
        } else {
            let low = i32::try_from(time.seconds()).unwrap_or(i32::MAX);
            self.put(offset, &low.to_le_bytes());
        }
    }

    /// The 32 bits of seconds of a time. Inodes that hold an attribute's value use them for
    /// something else.
    pub fn time_bits(&self, field: TimeField) -> u32 {
        u32::from_le_bytes(self.bytes(field.offsets().0))
    }

    /// Sets the 32 bits of seconds of a time, and zeroes its extra bits.
    pub fn set_time_bits(&mut self, field: TimeField, bits: u32) {
        self.set_time(field, Timestamp::stored(bits.cast_signed().into(), 0));
    }

    /// The bits of `i_mode` for the kind of file.
    pub fn kind(&self) -> u16 {
        self.i_mode() & S_IFMT
    }

    /// The kind of file.
    pub fn file_kind(&self) -> FileKind {
        FileKind::of_mode(self.i_mode())
    }

    pub fn is_dir(&self) -> bool {
        self.kind() == S_IFDIR
    }

    pub fn is_symlink(&self) -> bool {
        self.kind() == S_IFLNK
    }

    pub fn is_regular(&self) -> bool {
        self.kind() == S_IFREG
    }

    pub fn has_flag(&self, flag: u32) -> bool {
        self.i_flags() & flag != 0
    }

    pub fn set_flag(&mut self, flag: u32, value: bool) {
        let others = self.i_flags() & !flag;
        self.set_i_flags(if value { others | flag } else { others });
    }

    /// Returns whether it is a device, a pipe or a socket.
    pub fn is_special(&self) -> bool {
        matches!(self.kind(), 0x1000 | 0x2000 | 0x6000 | 0xc000)
    }

    /// The address of a fragment. No filesystem has fragments.
    pub fn i_faddr(&self) -> u32 {
        u32::from_le_bytes(self.bytes(0x70))
    }

    /// Returns whether a time has the extra bits that old kernels wrote for times before 1970;
    /// they now mean a time after 2310.
    pub fn has_ambiguous_time(&self) -> bool {
        let fields =
            [TimeField::Access, TimeField::Change, TimeField::Modification, TimeField::Creation];
        fields.into_iter().any(|field| {
            let (offset, extra) = field.offsets();
            let bits = if self.has_extra(extra + 4) {
                u32::from_le_bytes(self.bytes(extra)) & 3
            } else {
                0
            };
            bits == 3 && u32::from_le_bytes(self.bytes(offset)) >> 31 == 1
        })
    }

    /// Returns whether directory entries refer to it.
    pub fn is_linked(&self) -> bool {
        self.i_mode() != 0 && self.i_links_count() != 0
    }

    /// Returns whether it is a symlink whose target is in `i_block`.
    pub fn is_fast_symlink(&self) -> bool {
        self.is_symlink() && self.i_size() < 60 && !self.has_flag(EXTENTS | INLINE_DATA)
    }

    /// Returns whether `i_block` locates blocks, as in regular files, directories and longer
    /// symlinks.
    pub fn has_blocks(&self) -> bool {
        matches!(self.kind(), S_IFREG | S_IFDIR | S_IFLNK)
            && !self.has_flag(INLINE_DATA)
            && !self.is_fast_symlink()
    }

    /// Returns whether it has the field for the high half of its checksum.
    fn has_high_checksum(&self) -> bool {
        self.has_extra(0x84)
    }

    fn stored_checksum(&self) -> u32 {
        let low = u16::from_le_bytes(self.bytes(0x7c));
        let high = if self.has_high_checksum() { u16::from_le_bytes(self.bytes(0x82)) } else { 0 };
        u32::from(high) << 16 | u32::from(low)
    }

    /// The seed of the inode's own checksum and of those of its extent and directory blocks.
    pub fn checksum_seed(&self, seed: Option<u32>) -> Option<u32> {
        seed.map(|seed| {
            let crc = crc32c(seed, &self.number.to_le_bytes());
            crc32c(crc, &self.i_generation().to_le_bytes())
        })
    }

    fn computed_checksum(&self, seed: u32) -> u32 {
        let mut zeroed = self.raw.clone();
        let high = self.has_high_checksum();
        for offset in [Some(0x7c), high.then_some(0x82)].into_iter().flatten() {
            if let Some(place) = zeroed.get_mut(offset..offset + 2) {
                place.fill(0);
            }
        }
        let seed = self.checksum_seed(Some(seed)).unwrap_or_default();
        let crc = crc32c(seed, &zeroed);
        if high { crc } else { crc & 0xffff }
    }

    /// Returns an error if the checksum does not match. `seed` is `None` if inodes have no
    /// checksums.
    pub fn verify_checksum(&self, seed: Option<u32>) -> Result<()> {
        let Some(seed) = seed else { return Ok(()) };
        let (stored, computed) = (self.stored_checksum(), self.computed_checksum(seed));
        // An inode that was never used holds only zeros, including its checksum.
        if stored == computed || self.raw.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        Err(Error::InodeChecksum { inode: self.number, stored, computed })
    }

    pub fn update_checksum(&mut self, seed: Option<u32>) {
        let Some(seed) = seed else { return };
        let checksum = self.computed_checksum(seed);
        self.put(0x7c, &(checksum as u16).to_le_bytes());
        if self.has_high_checksum() {
            self.put(0x82, &((checksum >> 16) as u16).to_le_bytes());
        }
    }

    /// The double indirect block: it lists blocks that list blocks of the file.
    pub fn double_indirect(&self) -> u32 {
        u32::from_le_bytes(self.bytes(0x28 + 13 * 4))
    }

    /// Zeroes the inode, so that it is not in use.
    pub fn clear(&mut self) {
        self.raw.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_reach_beyond_2038_where_there_is_room() {
        let mut large = Inode::new(12, vec![0; 256]);
        large.set_i_extra_isize(32);
        for seconds in [-1, 0, 1_767_225_600, 1 << 31, 5 << 31, (1 << 34) - (1 << 31) - 1] {
            let time = Timestamp::new(seconds, 999_999_999).unwrap();
            for field in [TimeField::Access, TimeField::Modification, TimeField::Creation] {
                large.set_time(field, time);
                assert_eq!(large.time(field), time);
            }
        }
        for time in [Timestamp::MIN, Timestamp::MAX] {
            large.set_time(TimeField::Access, time);
            assert_eq!(large.time(TimeField::Access), time);
        }
        let mut small = Inode::new(12, vec![0; 128]);
        small.set_time(TimeField::Change, Timestamp::new(1 << 33, 5).unwrap());
        let last = Timestamp::new(i32::MAX.into(), 0).unwrap();
        assert_eq!(small.time(TimeField::Change), last);
        small.set_time(TimeField::Creation, last);
        assert!(small.extra().is_empty());
    }
}
