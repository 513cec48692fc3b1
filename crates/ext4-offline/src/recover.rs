//! The first steps of mounting a filesystem.

use std::sync::Arc;

use block_io::WriteAt;

use crate::{
    Operation, Replayed, Result, Superblock, Timestamp, orphans,
    recount::recount,
    replay_journal,
    superblock::{OFFSET, STATE_ERROR},
};

/// Does what mounting the filesystem that fills `storage` would do first: replays its journal,
/// corrects its counts and removes its orphans. `now` becomes the time of these changes.
///
/// # Errors
/// As for [`replay_journal`]; a feature that editing does not support, before the first write;
/// damage to an orphan.
pub fn recover(storage: &Arc<dyn WriteAt>, now: Timestamp) -> Result<Replayed> {
    Superblock::read(storage)?.features().check(Operation::Edit)?;
    let replayed = replay_journal(storage)?;
    if replayed != Replayed::default() {
        recount(storage)?;
    }
    orphans::release(storage, now)?;
    Ok(replayed)
}

/// Replays the journal of the filesystem that fills `storage`, and removes the kernel's mark that
/// it has errors. This is for a copy, to let [`check`](crate::check) detect whether there are
/// any; a filesystem that stays in use needs e2fsck.
///
/// # Errors
/// As for [`replay_journal`].
pub fn clear_errors(storage: &dyn WriteAt) -> Result<()> {
    replay_journal(storage)?;
    let mut superblock = Superblock::read(storage)?;
    superblock.set_s_state(superblock.s_state() & !STATE_ERROR);
    superblock.update_checksum();
    Ok(storage.write_at(OFFSET, superblock.as_bytes())?)
}
