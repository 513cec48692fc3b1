//! Fast commits: small changes that are described instead of copied, in an area after the log. They
//! are not replayed.
//!
//! Source: the kernel's `Documentation/filesystems/ext4/journal.rst` and
//! `fs/ext4/fast_commit.h`. Unlike the rest of the journal, this part is
//! little-endian.

use super::location::Journal;
use crate::{Error, Result};

/// `fc_tag`: the first tag of each fast commit.
const HEAD: u16 = 9;

/// Returns an error if there are fast commits after the last complete transaction. `next` is
/// the sequence number that would follow it. Older fast commits are in the log as well, and void.
pub(super) fn refuse(journal: &Journal<'_>, next: u32) -> Result<()> {
    let superblock = &journal.superblock;
    // The kernel skips the first block after the log.
    let first = superblock.last().saturating_add(1);
    if !superblock.fast_commit() || first >= superblock.s_maxlen() {
        return Ok(());
    }
    let block = journal.read(first)?;
    let word = |at: usize| {
        block.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
    };
    // fc_tag and fc_len, then fc_features and fc_tid.
    let (fc_tag, fc_features, fc_tid) = (word(0) as u16, word(4), word(8));
    if fc_tag == HEAD && (fc_features != 0 || fc_tid == next) {
        return Err(Error::JournalFeature {
            feature: "fast_commit".to_owned(),
            reason: "fast commits are not supported",
        });
    }
    Ok(())
}
