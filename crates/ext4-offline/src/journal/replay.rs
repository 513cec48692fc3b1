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

/// Checks that the journal can be read and is empty.
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

/// The result of replaying a journal. All numbers are zero if there was nothing to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// The number of transactions in the log.
    pub transactions: u64,
    /// The number of blocks of the filesystem that were replaced.
    pub blocks: u64,
    /// The number of void blocks in the log, which their own or a later transaction revoked.
    pub revoked: u64,
}

/// Replays the journal of the filesystem that fills `storage`, if necessary, and marks it as
/// replayed. An error that the kernel recorded in the journal is recorded in the filesystem's
/// state.
///
/// Afterwards the superblock's counts of free blocks and inodes may be outdated; use
/// [`recount`](crate::recount). Orphans stay as they are. If this is interrupted, the filesystem
/// still needs the replay, which can be started again.
///
/// # Errors
/// All but [`Error::Storage`] come before the first write: damage to the inode of the journal;
/// [`Error::Journal`] if it is damaged, or if it holds transactions although the filesystem is not
/// marked for recovery; [`Error::JournalFeature`] for unknown features and fast commits;
/// [`Error::ExternalJournal`].
pub fn replay_journal(storage: &dyn WriteAt) -> Result<Replayed> {
    let Some(mut journal) = Journal::open(storage)? else { return Ok(Replayed::default()) };
    let needs_recovery = journal.fs.superblock.features().needs_recovery();
    let is_empty = journal.superblock.s_start() == 0;
    if !needs_recovery && !is_empty {
        // The kernel would discard the log, and e2fsck would ask.
        let reason = "it holds transactions, but needs_recovery is not set";
        return Err(Error::Journal { block: 0, reason });
    }
    if !needs_recovery && journal.superblock.s_errno() == 0 {
        return Ok(Replayed::default());
    }

    let log = if is_empty {
        Log { transactions: Vec::new(), end: journal.superblock.s_sequence() }
    } else {
        scan(&journal)?
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
    // The number after that of an unfinished transaction, so that it cannot be mistaken for a part
    // of the log.
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

/// The superblock after the replay. Checks it, and that no block of the plan is beyond the end of
/// the filesystem according to it: the filesystem may have grown.
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
                reason: "the journal belongs to a filesystem with another block size",
            });
        }
        if after.blocks > storage_blocks {
            let size = u64::from(after.block_size);
            let (filesystem, storage) = (after.bytes(), storage_blocks * size);
            return Err(Error::CutShort { filesystem, storage });
        }
        end = end.max(after.blocks);
        // An error that was recorded since then stays.
        superblock.set_s_state(superblock.s_state() | before.s_state() & STATE_ERROR);
    }
    if plan.blocks().next_back().is_some_and(|last| last >= end) {
        let reason = "the log has a block whose place is beyond the end of the filesystem";
        return Err(Error::Journal { block: journal.superblock.s_start(), reason });
    }
    Ok(superblock)
}

/// Writes all blocks of the plan. The superblock still requests the replay.
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
