//! Zeroing a log that has nothing to replay.

use block_io::WriteAt;

use super::location::Journal;
use crate::{Error, Operation, Result, map::Run};

/// Zeroes the log of a journal that has nothing to replay: it holds copies of blocks as they were
/// at earlier times. Returns the number of bytes. Without a journal there is nothing to do.
///
/// # Errors
/// [`Error::NeedsRecovery`], damage, [`Error::Storage`].
pub(crate) fn clear_log(storage: &dyn WriteAt) -> Result<u64> {
    let (geometry, runs): (_, Vec<Run>) = {
        let Some(journal) = Journal::open(&storage)? else { return Ok(0) };
        if journal.superblock.s_start() != 0 || journal.fs.superblock.features().needs_recovery() {
            return Err(Error::NeedsRecovery { operation: Operation::Edit });
        }
        (journal.fs.geometry.clone(), journal.after_superblock())
    };
    let mut cleared = 0;
    for run in runs {
        let length = run.length * u64::from(geometry.block_size);
        storage.write_zeros(geometry.offset(run.physical), length)?;
        cleared += length;
    }
    Ok(cleared)
}
