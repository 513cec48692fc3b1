//! Replaying the journal of a filesystem that was not unmounted.

use block_io::{ReadAt, WriteAt};

use super::{
    fast_commit,
    location::Journal,
    plan::Plan,
    scan::{Log, scan},
};
use crate::{
    Error, Geometry, Operation, Result, Superblock,
    features::flag::NEEDS_RECOVERY,
    superblock::{OFFSET, SIZE, STATE_ERROR},
};

/// Makes sure that the journal can be read and is empty.
///
/// # Errors
/// [`Error::Journal`].
pub(crate) fn verify_empty(storage: &dyn ReadAt) -> Result<()> {
    if let Some(journal) = Journal::open(storage)?
        && journal.superblock.s_start() != 0
    {
        let reason = "it holds transactions, but needs_recovery is not set";
        return Err(Error::Journal { block: 0, reason });
    }
    Ok(())
}

/// What replaying a journal came to. All zero: there was nothing to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// How many transactions the log held.
    pub transactions: u64,
    /// How many blocks of the filesystem were replaced.
    pub blocks: u64,
    /// How many blocks in the log were void, as a later transaction, or their
    /// own, revoked them.
    pub revoked: u64,
}

/// Replays the journal of the filesystem that fills `storage`, if it needs
/// that, and marks it as replayed. An error that the kernel left in the
/// journal becomes the filesystem's state.
///
/// The superblock's counts of free blocks and inodes may be stale afterwards:
/// use [`recount`](crate::recount). Orphans are as they were.
///
/// If writing ends half-way, the filesystem still needs the replay, which can
/// be begun anew.
///
/// # Errors
/// All before the first write, except for [`Error::Storage`]: damage to what
/// leads to the journal; [`Error::Journal`] if it is damaged, also where it
/// holds transactions but the filesystem does not ask for them;
/// [`Error::JournalFeature`] for what is not understood, and for fast commits;
/// [`Error::ExternalJournal`].
pub fn replay_journal(storage: &dyn WriteAt) -> Result<Replayed> {
    let Some(mut journal) = Journal::open(storage)? else { return Ok(Replayed::default()) };
    let needs_recovery = journal.fs.superblock.features().needs_recovery();
    let is_empty = journal.superblock.s_start() == 0;
    if !needs_recovery && !is_empty {
        // The kernel would drop the log, e2fsck would ask.
        let reason = "it holds transactions, but needs_recovery is not set";
        return Err(Error::Journal { block: 0, reason });
    }
    if !needs_recovery && journal.superblock.s_errno() == 0 {
        return Ok(Replayed::default());
    }

    let log = match is_empty {
        true => Log { transactions: Vec::new(), end: journal.superblock.s_sequence() },
        false => scan(&journal)?,
    };
    if !is_empty {
        fast_commit::refuse(&journal, log.end)?;
    }
    let storage_blocks = storage.size() / u64::from(journal.fs.geometry.block_size);
    let plan = Plan::new(&journal, &log, storage_blocks)?;
    let mut superblock = replayed_superblock(&journal, &plan, storage_blocks)?;
    if journal.superblock.s_errno() != 0 {
        superblock.set_s_state(superblock.s_state() | STATE_ERROR);
    }

    write_blocks(&journal, &plan, storage, &superblock)?;
    storage.flush()?;
    // The number after that of an unfinished transaction, which thereby can
    // not be taken for part of the log.
    let next = if needs_recovery { log.end.wrapping_add(1) } else { log.end };
    journal.superblock.empty(next);
    let first = journal.fs.geometry.offset(journal.physical(0)?);
    storage.write_at(first, journal.superblock.as_bytes())?;
    storage.flush()?;
    superblock.set_feature(NEEDS_RECOVERY, false);
    superblock.update_checksum();
    storage.write_at(OFFSET, superblock.as_bytes())?;
    Ok(Replayed {
        transactions: log.transactions.len() as u64,
        blocks: plan.len(),
        revoked: plan.revoked,
    })
}

/// The filesystem's superblock as it will be, checked, and that no block of the
/// plan is beyond the end that it tells: the filesystem may have grown.
fn replayed_superblock(
    journal: &Journal<'_>,
    plan: &Plan,
    storage_blocks: u64,
) -> Result<Superblock> {
    let before = &journal.fs.superblock;
    let geometry = &journal.fs.geometry;
    let mut end = geometry.blocks;
    let mut superblock = before.clone();
    if let Some(contents) = plan.contents(journal, geometry.superblock_block(0))? {
        let start = (OFFSET % u64::from(geometry.block_size)) as usize;
        let raw = contents.get(start..).and_then(|rest| rest.first_chunk::<SIZE>());
        superblock = Superblock::parse(*raw.ok_or(Error::NotExt { magic: 0 })?)?;
        superblock.features().check(Operation::Recover)?;
        let after = Geometry::of(&superblock)?;
        if after.block_size != geometry.block_size {
            return Err(Error::Superblock {
                field: "s_log_block_size",
                value: superblock.s_log_block_size().into(),
                reason: "the journal is of a filesystem with other blocks",
            });
        }
        if after.blocks > storage_blocks {
            let size = u64::from(after.block_size);
            let (filesystem, storage) = (after.bytes(), storage_blocks * size);
            return Err(Error::CutShort { filesystem, storage });
        }
        end = end.max(after.blocks);
        // An error that was found since then stays.
        superblock.set_s_state(superblock.s_state() | before.s_state() & STATE_ERROR);
    }
    if plan.blocks().next_back().is_some_and(|last| last >= end) {
        let reason = "the log has a block that belongs beyond the end of the filesystem";
        return Err(Error::Journal { block: journal.superblock.s_start(), reason });
    }
    Ok(superblock)
}

/// Writes all blocks of the plan. The superblock still asks for the replay.
fn write_blocks(
    journal: &Journal<'_>,
    plan: &Plan,
    storage: &dyn WriteAt,
    superblock: &Superblock,
) -> Result<()> {
    let geometry = &journal.fs.geometry;
    let mut unfinished = superblock.clone();
    if journal.fs.superblock.features().needs_recovery() {
        unfinished.set_feature(NEEDS_RECOVERY, true);
    }
    unfinished.update_checksum();
    for block in plan.blocks() {
        let Some(mut contents) = plan.contents(journal, block)? else { continue };
        if block == geometry.superblock_block(0) {
            let start = (OFFSET % u64::from(geometry.block_size)) as usize;
            if let Some(place) = contents.get_mut(start..start + SIZE) {
                place.copy_from_slice(unfinished.as_bytes());
            }
        }
        storage.write_at(geometry.offset(block), &contents)?;
    }
    storage.write_at(OFFSET, unfinished.as_bytes())?;
    Ok(())
}
