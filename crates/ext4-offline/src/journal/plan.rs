//! The plan of a replay: everything that it will write.

use std::collections::BTreeMap;

use super::{
    blocks::put_be32,
    location::Journal,
    revoke::RevokeTable,
    scan::{Log, Transaction},
    superblock::MAGIC,
};
use crate::{Error, Result};

/// A block in the log that is to be copied to its place.
#[derive(Debug, Clone, Copy)]
struct Copy {
    /// Its place in the journal.
    block: u32,
    /// The magic number at its beginning must be restored.
    escaped: bool,
}

/// The blocks of the log and their places.
#[derive(Debug)]
pub(super) struct Plan {
    /// The last copy of each block of the filesystem.
    copies: BTreeMap<u64, Copy>,
    /// The number of void copies.
    pub revoked: u64,
}

impl Plan {
    /// Reads the log twice: for the revoke records, and for the blocks.
    ///
    /// # Errors
    /// [`Error::Journal`] if a block's checksum does not match, if its place
    /// is beyond the storage or in the journal, or if the count of a revoke block is too large.
    pub fn new(journal: &Journal<'_>, log: &Log, blocks: u64) -> Result<Plan> {
        let mut plan = Plan { copies: BTreeMap::new(), revoked: 0 };
        let revokes = collect_revokes(journal, log, blocks)?;
        for (index, transaction) in log.transactions.iter().enumerate() {
            plan.add(journal, transaction, |block| revokes.holds(block, index as u32), blocks)?;
        }
        Ok(plan)
    }

    fn add(
        &mut self,
        journal: &Journal<'_>,
        transaction: &Transaction,
        is_revoked: impl Fn(u64) -> bool,
        blocks: u64,
    ) -> Result<()> {
        for &descriptor in &transaction.descriptors {
            let mut at = descriptor;
            for tag in journal.format.tags(&journal.read(descriptor)?) {
                at = journal.advance(at, 1);
                let wrong = |reason| Err(Error::Journal { block: at, reason });
                if is_revoked(tag.block) {
                    self.revoked += 1;
                    continue;
                }
                if !journal.format.data_matches(&tag, transaction.sequence, &journal.read(at)?) {
                    return wrong("its checksum does not match");
                }
                if tag.block >= blocks {
                    return wrong("its place is beyond the end of the filesystem");
                }
                if journal.contains(tag.block) {
                    return wrong("its place is in the journal itself");
                }
                self.copies.insert(tag.block, Copy { block: at, escaped: tag.escaped });
            }
        }
        Ok(())
    }

    /// Returns how many blocks will be written.
    pub fn len(&self) -> u64 {
        self.copies.len() as u64
    }

    /// The blocks that will be written, in the order of the filesystem.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.copies.keys().copied()
    }

    /// The new contents of a block; `None` if it will not be written.
    pub fn contents(&self, journal: &Journal<'_>, block: u64) -> Result<Option<Vec<u8>>> {
        let Some(copy) = self.copies.get(&block) else { return Ok(None) };
        let mut contents = journal.read(copy.block)?;
        if copy.escaped {
            put_be32(&mut contents, 0, MAGIC);
        }
        Ok(Some(contents))
    }
}

/// Reads all revoke records, except those of blocks that do not exist, which would only take
/// memory.
fn collect_revokes(journal: &Journal<'_>, log: &Log, blocks: u64) -> Result<RevokeTable> {
    let mut table = RevokeTable::default();
    for (index, transaction) in log.transactions.iter().enumerate() {
        for &at in &transaction.revokes {
            let Some(revoked) = journal.format.revoked(&journal.read(at)?) else {
                return Err(Error::Journal { block: at, reason: "its r_count is too large" });
            };
            for block in revoked.into_iter().filter(|&block| block < blocks) {
                table.add(block, index as u32);
            }
        }
    }
    Ok(table)
}
