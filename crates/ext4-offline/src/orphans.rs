//! Orphans: files that were deleted while they were open, or that were being truncated.
//!
//! The superblock holds the first of a list that continues in each inode's time of deletion;
//! newer filesystems have the list in a file. Source: the kernel's
//! `Documentation/filesystems/ext4/orphan.rst`.

use std::{collections::HashSet, sync::Arc};

use block_io::{ReadAt, WriteAt};

use crate::{
    Error, Operation, Result, Timestamp,
    attributes::release_inode,
    digest::crc32c,
    features::flag,
    filesystem::Filesystem,
    inode::Inode,
    map::{self, Mapping},
    source::{Source, Stored},
    superblock::STATE_ERROR,
    volume::Volume,
};

/// The magic number at the end of each block of the orphan file, before the checksum.
const MAGIC: u32 = 0x0b10_ca04;
/// The magic number and the checksum, in bytes.
const TAIL: usize = 8;
/// The largest size of an orphan file, in blocks (`EXT4_MAX_ORPHAN_FILE_BLOCKS` in e2fsprogs).
const MAX_BLOCKS: u64 = 512;

/// Removes orphans without a name, truncates the others to their size, and marks the filesystem
/// as free of orphans.
///
/// # Errors
/// Damage, before the first write.
pub(crate) fn release(storage: &Arc<dyn WriteAt>, now: Timestamp) -> Result<()> {
    let fs = Filesystem::open(storage, Operation::Edit)?;
    let (superblock, features) = (&fs.superblock, fs.superblock.features());
    let first = superblock.s_last_orphan();
    // The kernel ignores the orphans of a filesystem with errors; e2fsck finds them when it
    // repairs the filesystem.
    let has_errors = superblock.s_state() & STATE_ERROR != 0;
    if has_errors || (first == 0 && !features.orphan_present()) {
        return Ok(());
    }
    let mut volume = Volume::new(storage.clone(), fs);
    volume.atomically(|volume| {
        release_list(volume, first)?;
        volume.superblock_mut().set_s_last_orphan(0);
        if features.orphan_present() {
            release_file(volume)?;
            volume.superblock_mut().set_feature(flag::ORPHAN_PRESENT, false);
        }
        Ok(())
    })?;
    volume.finish(now)
}

fn damaged<T>(inode: u32) -> Result<T> {
    let reason = "it is on the list of orphans, but is not an orphan";
    Err(Error::Orphan { inode, reason })
}

fn release_list(volume: &mut Volume, first: u32) -> Result<()> {
    let mut seen = HashSet::new();
    let mut next = first;
    while next != 0 {
        if !seen.insert(next) {
            return damaged(next);
        }
        let inode = volume.inode(next)?;
        next = inode.i_dtime();
        release_one(volume, inode)?;
    }
    Ok(())
}

fn release_one(volume: &mut Volume, mut inode: Inode) -> Result<()> {
    if inode.number() < volume.first_inode() || !volume.inode_in_use(inode.number())? {
        return damaged(inode.number());
    }
    if inode.i_links_count() == 0 {
        return release_inode(volume, inode);
    }
    inode.set_i_dtime(0);
    if inode.is_regular() && inode.has_blocks() {
        let block_size = u64::from(volume.fs().geometry.block_size);
        let end = inode.i_size().div_ceil(block_size);
        map::cut(volume, &mut inode, end)?;
    }
    volume.put_inode(&mut inode)
}

/// Returns an error if there are orphans.
pub(crate) fn verify(storage: &dyn ReadAt) -> Result<()> {
    let fs = Filesystem::open(storage, Operation::Map)?;
    let features = fs.superblock.features();
    let first = fs.superblock.s_last_orphan();
    if first != 0 || features.orphan_present() {
        return Err(Error::Orphans { operation: Operation::Check, first });
    }
    if !features.has(flag::ORPHAN_FILE) {
        return Ok(());
    }
    let file = OrphanFile::open(&Stored { fs: &fs, storage })?;
    for block in file.blocks() {
        let entries = file.entries(block, &fs.read_block(storage, block)?)?;
        if let Some(&orphan) = entries.first() {
            return Err(Error::Orphans { operation: Operation::Check, first: orphan });
        }
    }
    Ok(())
}

/// The orphan file.
struct OrphanFile {
    number: u32,
    mapping: Mapping,
    /// The seed of its blocks' checksums.
    seed: Option<u32>,
}

impl OrphanFile {
    fn open(source: &dyn Source) -> Result<Self> {
        let number = source.fs().superblock.s_orphan_file_inum();
        if number == 0 {
            let (field, value) = ("s_orphan_file_inum", 0);
            let reason = "orphan_file and orphan_present need an orphan file";
            return Err(Error::Superblock { field, value, reason });
        }
        let wrong = |reason| Err(Error::Orphan { inode: number, reason });
        let inode = source.inode(number)?;
        let block_size = u64::from(source.fs().geometry.block_size);
        let blocks = inode.i_size() / block_size;
        if !inode.is_regular()
            || !inode.has_blocks()
            || !inode.is_linked()
            || blocks > MAX_BLOCKS
            || !inode.i_size().is_multiple_of(block_size)
        {
            return wrong("it is not an orphan file");
        }
        let mapping = Mapping::load(source, &inode)?;
        if mapping.runs.iter().map(|run| run.length).sum::<u64>() != blocks {
            return wrong("the orphan file has holes");
        }
        let seed = inode.checksum_seed(source.fs().checksums.seed());
        Ok(OrphanFile { number, mapping, seed })
    }

    fn blocks(&self) -> impl Iterator<Item = u64> {
        self.mapping.runs.iter().flat_map(|run| run.blocks())
    }

    /// The orphans in one of its blocks.
    fn entries(&self, block: u64, bytes: &[u8]) -> Result<Vec<u32>> {
        let wrong = |reason| Err(Error::Orphan { inode: self.number, reason });
        let (entries, tail) = bytes.split_at(bytes.len().saturating_sub(TAIL));
        let [magic, stored] = [0, 4].map(|at| word(tail, at));
        if magic != MAGIC {
            return wrong("a block of the orphan file has no magic number at its end");
        }
        if self.seed.is_some_and(|seed| checksum(seed, block, entries) != stored) {
            return wrong("the checksum of a block of the orphan file does not match");
        }
        let entries = entries.chunks_exact(4).map(|entry| word(entry, 0));
        Ok(entries.filter(|&orphan| orphan != 0).collect())
    }

    /// The contents of a block without orphans.
    fn empty(&self, block: u64, before: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; before.len().saturating_sub(TAIL)];
        let stored = word(before, before.len().saturating_sub(4));
        let crc = self.seed.map_or(stored, |seed| checksum(seed, block, &bytes));
        bytes.extend(MAGIC.to_le_bytes());
        bytes.extend(crc.to_le_bytes());
        bytes
    }
}

/// Updates the checksum of a block of an orphan file for the place `block`. `seed` is the checksum
/// seed of the file's inode.
pub(crate) fn reseal(bytes: &mut [u8], block: u64, seed: Option<u32>) {
    let (entries, tail) = bytes.split_at_mut(bytes.len().saturating_sub(TAIL));
    if let (Some(seed), Some(place)) = (seed, tail.get_mut(4..TAIL)) {
        place.copy_from_slice(&checksum(seed, block, entries).to_le_bytes());
    }
}

/// Releases the orphans in the orphan file, and empties it.
fn release_file(volume: &mut Volume) -> Result<()> {
    let file = OrphanFile::open(volume)?;
    let mut seen = HashSet::new();
    for block in file.blocks() {
        let bytes = volume.block(block)?;
        for orphan in file.entries(block, &bytes)? {
            if !seen.insert(orphan) {
                return damaged(orphan);
            }
            let orphan = volume.inode(orphan)?;
            release_one(volume, orphan)?;
        }
        volume.stage(block, file.empty(block, &bytes));
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
}

fn checksum(seed: u32, block: u64, entries: &[u8]) -> u32 {
    crc32c(crc32c(seed, &block.to_le_bytes()), entries)
}
