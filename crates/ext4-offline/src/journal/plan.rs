//! What a replay will write.

use std::collections::BTreeMap;

use super::{
    blocks::put_be32,
    location::Journal,
    revoke::RevokeTable,
    scan::{Log, Transaction},
    superblock::MAGIC,
};
use crate::{Error, Result};

/// A block in the log, to be copied to where it belongs.
#[derive(Debug, Clone, Copy)]
struct Copy {
    /// Its place in the journal.
    block: u32,
    /// It has to begin with the magic number again.
    escaped: bool,
}

/// Which blocks of the log go where.
#[derive(Debug)]
pub(super) struct Plan {
    /// The last copy of each block of the filesystem.
    copies: BTreeMap<u64, Copy>,
    /// How many copies are void.
    pub revoked: u64,
}

impl Plan {
    /// Goes through the log twice: for the revoke records, and for the blocks.
    ///
    /// # Errors
    /// [`Error::Journal`] if a block's checksum does not match, if it belongs
    /// beyond the storage or into the journal, or if a revoke block claims more
    /// than it holds.
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
                    return wrong("it belongs beyond the end of the filesystem");
                }
                if journal.contains(tag.block) {
                    return wrong("it belongs into the journal itself");
                }
                self.copies.insert(tag.block, Copy { block: at, escaped: tag.escaped });
            }
        }
        Ok(())
    }

    /// How many blocks will be written.
    pub fn len(&self) -> u64 {
        self.copies.len() as u64
    }

    /// The blocks that will be written, in the filesystem's order.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.copies.keys().copied()
    }

    /// What will be written to a block; `None` if nothing will.
    pub fn contents(&self, journal: &Journal<'_>, block: u64) -> Result<Option<Vec<u8>>> {
        let Some(copy) = self.copies.get(&block) else { return Ok(None) };
        let mut contents = journal.read(copy.block)?;
        if copy.escaped {
            put_be32(&mut contents, 0, MAGIC);
        }
        Ok(Some(contents))
    }
}

/// Reads all revoke records. Those of blocks that do not exist are of no use
/// to anyone, and would only take memory.
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
