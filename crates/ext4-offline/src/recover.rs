//! What mounting a filesystem does first.

use std::sync::Arc;

use block_io::WriteAt;

use crate::{
    Operation, Replayed, Result, Superblock, Timestamp, orphans,
    recount::recount,
    replay_journal,
    superblock::{OFFSET, STATE_ERROR},
};

/// Does to the filesystem that fills `storage` what mounting it for writing would
/// do first: its journal is replayed, its counts are corrected, and its orphans
/// are removed. `now`, in seconds since 1970, becomes the time of these changes.
///
/// # Errors
/// As [`replay_journal`]; a feature that stands in the way of editing, before the
/// first write; damage to an orphan.
pub fn recover(storage: &Arc<dyn WriteAt>, now: Timestamp) -> Result<Replayed> {
    Superblock::read(storage)?.features().check(Operation::Edit)?;
    let replayed = replay_journal(storage)?;
    if replayed != Replayed::default() {
        recount(storage)?;
    }
    orphans::release(storage, now)?;
    Ok(replayed)
}

/// Takes the kernel's mark of errors off the filesystem that fills `storage`, its
/// journal replayed: for a copy, to see what [`check`](crate::check) says of it. A
/// filesystem that goes on being used has to see e2fsck.
///
/// # Errors
/// As [`replay_journal`].
pub fn clear_errors(storage: &dyn WriteAt) -> Result<()> {
    replay_journal(storage)?;
    let mut superblock = Superblock::read(storage)?;
    superblock.set_s_state(superblock.s_state() & !STATE_ERROR);
    superblock.update_checksum();
    Ok(storage.write_at(OFFSET, superblock.as_bytes())?)
}
