//! Zeroing what deleted files left in blocks that are in use.

use block_io::WriteAt;

use crate::{Operation, Result, census::Census, filesystem::Filesystem, journal};

/// Zeroes the bytes of blocks in use that no file shows: the log of a journal that has nothing to
/// replay, which holds copies of earlier contents, and blocks that are reserved for a file but were
/// never written, which still hold what was there before. Returns the number of bytes.
///
/// Files stay as they are. Free blocks stay too: [`used_extents`](crate::used_extents) leaves them
/// out of a copy.
///
/// # Errors
/// Damage; a journal that was not replayed; [`Error::Storage`](crate::Error::Storage).
pub fn scrub(storage: &dyn WriteAt) -> Result<u64> {
    let fs = Filesystem::open(&storage, Operation::Edit)?;
    let census = Census::take(&fs, &storage)?;
    let mut scrubbed = journal::clear_log(storage)?;
    for owner in &census.owners {
        for run in owner.mapping.runs.iter().filter(|run| run.unwritten) {
            let length = run.length * u64::from(fs.geometry.block_size);
            storage.write_zeros(fs.geometry.offset(run.physical), length)?;
            scrubbed += length;
        }
    }
    Ok(scrubbed)
}
