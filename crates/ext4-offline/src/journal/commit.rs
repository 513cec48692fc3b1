//! Committing a change to a filesystem in place, through its own journal.
//!
//! The change is written to the log first, and then home. It becomes the
//! filesystem's by one write, that of the journal's superblock, which makes the
//! log count; before that the log is empty, whatever lies in it. Whoever finds
//! the filesystem after a cut replays the log, or finds it empty.

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

/// What committing a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// How many blocks went through the log.
    pub logged: u64,
    /// How many blocks were free before, and needed no log.
    pub direct: u64,
}

/// Makes the filesystem that fills `storage`, or its first part, what `edited`
/// is: the same filesystem with a change, such as a layer over it. `changed` has
/// the bytes that may differ. `time` goes into the log. The
/// journal must have been replayed ([`replay_journal`](crate::replay_journal)); orphans
/// may be there, as long as `edited` has none.
///
/// Whenever this is cut off, the filesystem is either as it was or as `edited`
/// after an ordinary replay of its journal, by the kernel or by
/// [`replay_journal`](crate::replay_journal). That rests on what journals always
/// rest on: a write that was flushed is there, and a sector is written whole or
/// not at all. (The filesystem's superblock has two of them, as it has for the
/// kernel.)
///
/// # Errors
/// Before the first write: a state that forbids changes; [`Error::NoJournal`] and
/// [`Error::JournalTooSmall`], since nothing can be promised then. Later
/// [`Error::Storage`]: the filesystem is as after a cut.
pub fn commit(
    storage: &dyn WriteAt,
    edited: &dyn ReadAt,
    changed: &Extents,
    time: Timestamp,
) -> Result<Committed> {
    let fs = Filesystem::open(storage, Operation::Edit)?;
    // Orphans are the change's to remove.
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

    // What was free is nobody's until the change is there.
    for &block in &change.direct {
        storage.write_at(geometry.offset(block), &read(edited, geometry, block)?)?;
    }
    write_log(storage, &journal, &change, edited, &after, time)?;
    storage.flush()?;
    // The mark alone makes no difference: the log is empty.
    storage.write_at(OFFSET, with_mark(&fs.superblock).as_bytes())?;
    storage.flush()?;
    journal.superblock.begin();
    let place = geometry.offset(journal.physical(0)?);
    storage.write_at(place, journal.superblock.as_bytes())?;
    storage.flush()?;
    // From here on the change is there, if need be by a replay.
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
    /// Those that somebody has, or that are the filesystem's own.
    logged: Vec<u64>,
    /// Those that are free, or beyond the filesystem's end.
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
                match free.has(block)? {
                    true => change.direct.push(block),
                    false => change.logged.push(block),
                }
            }
        }
        // The superblock has the last word, and so always goes through the log.
        let superblock = geometry.superblock_block(0);
        if !change.is_empty() && !change.logged.contains(&superblock) {
            change.logged.insert(0, superblock);
        }
        Ok(change)
    }

    fn is_empty(&self) -> bool {
        self.logged.is_empty() && self.direct.is_empty()
    }

    /// Errors unless the journal can take it.
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
        match needed <= available.into() {
            true => Ok(()),
            false => {
                // Its superblock takes a block too; no journal has fewer than 1024.
                let blocks = (needed + 1).max(1024);
                let bytes = blocks.saturating_mul(journal.fs.geometry.block_size.into());
                let (available, larger) = (available.into(), bytes.div_ceil(1 << 20));
                Err(Error::JournalTooSmall { needed, available, larger })
            }
        }
    }
}

fn read(storage: &dyn ReadAt, geometry: &Geometry, block: u64) -> Result<Vec<u8>> {
    let (offset, size) = (geometry.offset(block), geometry.block_size as usize);
    if offset + size as u64 > storage.size() {
        // What the storage has not got is not there to be kept.
        return Ok(Vec::new());
    }
    Ok(storage.read_vec(offset, size)?)
}

/// Which blocks are free in the filesystem as it is.
struct FreeBlocks<'a> {
    storage: &'a dyn ReadAt,
    fs: &'a Filesystem,
    /// The group asked for last, and its bitmap.
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

/// A superblock that asks for a replay.
fn with_mark(superblock: &Superblock) -> Superblock {
    let mut marked = superblock.clone();
    marked.set_feature(NEEDS_RECOVERY, true);
    marked.update_checksum();
    marked
}

/// What a block is to hold while the log counts: a replay that is itself cut off
/// must not lose the mark.
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

/// Writes what of the superblock's block is not the superblock, which is written in
/// one piece.
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
    // What is left of earlier logs must not be taken for the next transaction.
    if at < journal.superblock.last() {
        storage.write_at(geometry.offset(journal.physical(at)?), &vec![0; block_size])?;
    }
    Ok(())
}
