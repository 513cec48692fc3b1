//! Committing a change to a filesystem in place, through its own journal.
//!
//! The change is written to the log first, and then to its place. A single write makes it part of
//! the filesystem: that of the journal's superblock, which makes the log valid. Before that write
//! the log counts as empty. After an interruption, a replay finds either the whole change or an
//! empty log.

use block_io::{Extents, ReadAt, WriteAt};

use super::{fast_commit, location::Journal};
use crate::{
    Error, Geometry, Operation, Result, Superblock, Timestamp,
    bitmap::Bitmap,
    features::flag::NEEDS_RECOVERY,
    filesystem::Filesystem,
    source::group_and_bit,
    superblock::{OFFSET, SIZE},
};

/// The result of committing a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// The number of blocks that went through the log.
    pub logged: u64,
    /// The number of blocks that were free before and needed no log.
    pub direct: u64,
}

/// Changes the filesystem that fills `storage`, or its first part, atomically to `edited`: the same
/// filesystem with a change, such as a layer over it. `changed` has the bytes that may differ.
/// `time` goes into the log. The journal must have been replayed
/// ([`replay_journal`](crate::replay_journal)). The filesystem may have orphans if `edited` has
/// none.
///
/// If this is interrupted at any point, an ordinary replay of the journal, by the kernel or by
/// [`replay_journal`](crate::replay_journal), gives either the old filesystem or `edited`. As
/// always with journals, this requires that flushed writes are stored, and that a sector is written
/// completely or not at all. (The superblock has two sectors; the kernel has the same limit.)
///
/// # Errors
/// Before the first write: a state that does not allow changes; [`Error::NoJournal`] and
/// [`Error::JournalTooSmall`], since the change could not be atomic. Later: [`Error::Storage`]; the
/// filesystem is as after an interruption.
pub fn commit(
    storage: &dyn WriteAt,
    edited: &dyn ReadAt,
    changed: &Extents,
    time: Timestamp,
) -> Result<Committed> {
    let fs = Filesystem::open(storage, Operation::Edit)?;
    // The change removes the orphans.
    fs.check_marks(Operation::Edit)?;
    Filesystem::open(edited, Operation::Edit)?.check_state(Operation::Edit)?;
    let change = Change::find(storage, &fs, edited, changed)?;
    if change.is_empty() {
        return Ok(Committed::default());
    }
    let mut journal = Journal::open(storage)?.ok_or(Error::NoJournal)?;
    if journal.superblock.s_start() != 0 || journal.superblock.s_errno() != 0 {
        return Err(Error::Journal { block: 0, reason: "it is not empty" });
    }
    change.check(&journal)?;
    let next = journal.superblock.s_sequence().wrapping_add(1);
    fast_commit::refuse(&journal, next)?;
    let after = Superblock::read(edited)?;
    let geometry = &fs.geometry;

    // Free blocks belong to nothing until the change is valid, so they are written directly.
    for &block in &change.direct {
        storage.write_at(geometry.offset(block), &read(edited, geometry, block)?)?;
    }
    write_log(storage, &journal, &change, edited, &after, time)?;
    storage.flush()?;
    // The mark alone has no effect, because the log is empty.
    storage.write_at(OFFSET, with_mark(&fs.superblock).as_bytes())?;
    storage.flush()?;
    journal.superblock.begin();
    let place = geometry.offset(journal.physical(0)?);
    storage.write_at(place, journal.superblock.as_bytes())?;
    storage.flush()?;
    // From here on the change is part of the filesystem, through a replay if necessary.
    for &block in &change.logged {
        let contents = logged_contents(edited, geometry, block, &after)?;
        if block == geometry.superblock_block(0) {
            write_around_superblock(storage, geometry.offset(block), &contents)?;
        } else {
            storage.write_at(geometry.offset(block), &contents)?;
        }
    }
    storage.write_at(OFFSET, with_mark(&after).as_bytes())?;
    storage.flush()?;
    journal.superblock.empty(next);
    storage.write_at(place, journal.superblock.as_bytes())?;
    storage.flush()?;
    storage.write_at(OFFSET, after.as_bytes())?;
    storage.flush()?;
    Ok(Committed { logged: change.logged.len() as u64, direct: change.direct.len() as u64 })
}

/// The blocks that differ.
#[derive(Debug, Default)]
struct Change {
    /// Blocks in use, including those of the filesystem itself.
    logged: Vec<u64>,
    /// Blocks that are free, or beyond the end of the filesystem.
    direct: Vec<u64>,
}

impl Change {
    fn find(
        storage: &dyn ReadAt,
        fs: &Filesystem,
        edited: &dyn ReadAt,
        changed: &Extents,
    ) -> Result<Self> {
        let geometry = &fs.geometry;
        let size = u64::from(geometry.block_size);
        let end = Geometry::of(&Superblock::read(edited)?)?.blocks;
        let mut change = Change::default();
        let mut free = FreeBlocks { storage, fs, last: None };
        let mut next = 0;
        for range in changed.iter() {
            let first = (range.start / size).max(next);
            next = range.end.div_ceil(size).min(end).max(next);
            for block in first..next {
                if read(edited, geometry, block)? == read(storage, geometry, block)? {
                    continue;
                }
                if free.has(block)? { change.direct.push(block) } else { change.logged.push(block) }
            }
        }
        // The superblock decides, so it always goes through the log.
        let superblock = geometry.superblock_block(0);
        if !change.is_empty() && !change.logged.contains(&superblock) {
            change.logged.insert(0, superblock);
        }
        Ok(change)
    }

    fn is_empty(&self) -> bool {
        self.logged.is_empty() && self.direct.is_empty()
    }

    /// Returns an error unless the change fits into the journal.
    fn check(&self, journal: &Journal<'_>) -> Result<()> {
        let wrong = |reason| Err(Error::Journal { block: 0, reason });
        if self.logged.iter().chain(&self.direct).any(|&block| journal.contains(block)) {
            return wrong("the change is to the journal itself");
        }
        if self.logged.iter().any(|&block| !journal.format.can_name(block)) {
            return wrong("it cannot name blocks from 2^32 on");
        }
        let per_block = journal.format.tags_per_block(journal.fs.geometry.block_size as usize);
        let blocks = self.logged.len() as u64;
        let needed = blocks + blocks.div_ceil(per_block.max(1) as u64) + 1;
        let available = journal.log_blocks();
        if needed <= available.into() {
            return Ok(());
        }
        // The journal's superblock takes a block too; a journal has at least 1024.
        let blocks = (needed + 1).max(1024);
        let bytes = blocks.saturating_mul(journal.fs.geometry.block_size.into());
        let (available, larger) = (available.into(), bytes.div_ceil(1 << 20));
        Err(Error::JournalTooSmall { needed, available, larger })
    }
}

fn read(storage: &dyn ReadAt, geometry: &Geometry, block: u64) -> Result<Vec<u8>> {
    let (offset, size) = (geometry.offset(block), geometry.block_size as usize);
    if offset + size as u64 > storage.size() {
        // Blocks beyond the end of the storage have no contents to keep.
        return Ok(Vec::new());
    }
    Ok(storage.read_vec(offset, size)?)
}

/// The free blocks of the filesystem before the change.
struct FreeBlocks<'a> {
    storage: &'a dyn ReadAt,
    fs: &'a Filesystem,
    /// The last group that was asked for, and its bitmap.
    last: Option<(u32, Bitmap)>,
}

impl FreeBlocks<'_> {
    fn has(&mut self, block: u64) -> Result<bool> {
        let geometry = &self.fs.geometry;
        if block >= geometry.blocks {
            return Ok(true);
        }
        if block <= geometry.superblock_block(0) {
            return Ok(false);
        }
        let (group, bit) = group_and_bit(geometry, block);
        let bitmap = match self.last.take() {
            Some((last, bitmap)) if last == group => bitmap,
            _ => self.fs.block_bitmap(self.storage, group)?,
        };
        let (_, bitmap) = self.last.insert((group, bitmap));
        Ok(!bitmap.get(bit))
    }
}

/// A superblock that requests a replay.
fn with_mark(superblock: &Superblock) -> Superblock {
    let mut marked = superblock.clone();
    marked.set_feature(NEEDS_RECOVERY, true);
    marked.update_checksum();
    marked
}

/// The contents of a block while the log is valid: the superblock keeps the mark, so that an
/// interrupted replay does not lose it.
fn logged_contents(
    edited: &dyn ReadAt,
    geometry: &Geometry,
    block: u64,
    after: &Superblock,
) -> Result<Vec<u8>> {
    let mut contents = read(edited, geometry, block)?;
    if block == geometry.superblock_block(0) {
        let start = (OFFSET % u64::from(geometry.block_size)) as usize;
        if let Some(place) = contents.get_mut(start..start + SIZE) {
            place.copy_from_slice(with_mark(after).as_bytes());
        }
    }
    Ok(contents)
}

/// Writes the rest of the superblock's block. The superblock itself is written in one piece.
fn write_around_superblock(storage: &dyn WriteAt, offset: u64, contents: &[u8]) -> Result<()> {
    let start = OFFSET.saturating_sub(offset) as usize;
    for (at, part) in [
        (0, contents.get(..start).unwrap_or_default()),
        (start + SIZE, contents.get(start + SIZE..).unwrap_or_default()),
    ] {
        if !part.is_empty() {
            storage.write_at(offset + at as u64, part)?;
        }
    }
    Ok(())
}

/// Writes one transaction from the log's first block on.
fn write_log(
    storage: &dyn WriteAt,
    journal: &Journal<'_>,
    change: &Change,
    edited: &dyn ReadAt,
    after: &Superblock,
    time: Timestamp,
) -> Result<()> {
    let geometry = &journal.fs.geometry;
    let block_size = geometry.block_size as usize;
    let sequence = journal.superblock.s_sequence();
    let mut at = journal.superblock.first();
    let mut write = |bytes: &[u8]| -> Result<()> {
        storage.write_at(geometry.offset(journal.physical(at)?), bytes)?;
        at += 1;
        Ok(())
    };
    for part in change.logged.chunks(journal.format.tags_per_block(block_size).max(1)) {
        let mut blocks = Vec::with_capacity(part.len());
        for &block in part {
            blocks.push((block, logged_contents(edited, geometry, block, after)?));
        }
        write(&journal.format.build_descriptor(sequence, &mut blocks))?;
        for (_, contents) in &blocks {
            write(contents)?;
        }
    }
    write(&journal.format.build_commit(block_size, sequence, time))?;
    // Remains of earlier logs must not look like the next transaction.
    if at < journal.superblock.last() {
        storage.write_at(geometry.offset(journal.physical(at)?), &vec![0; block_size])?;
    }
    Ok(())
}
