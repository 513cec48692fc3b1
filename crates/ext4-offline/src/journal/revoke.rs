//! Revoked blocks, which must not be replayed: they were freed, and perhaps used for something that
//! does not go through the journal.

use std::collections::HashMap;

/// For each revoked block, the last transaction that revoked it.
#[derive(Debug, Default)]
pub(super) struct RevokeTable {
    /// Transactions are counted from the beginning of the log.
    last: HashMap<u64, u32>,
}

impl RevokeTable {
    /// Adds a record of a transaction. Records come in the order of the log.
    pub fn add(&mut self, block: u64, transaction: u32) {
        self.last.insert(block, transaction);
    }

    /// Returns whether a block is void in a transaction, because that one or a later one
    /// revoked it.
    pub fn holds(&self, block: u64, transaction: u32) -> bool {
        self.last.get(&block).is_some_and(|&last| last >= transaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_void_up_to_its_last_revoke() {
        let mut table = RevokeTable::default();
        table.add(7, 1);
        table.add(7, 3);
        assert!(table.holds(7, 0) && table.holds(7, 3));
        assert!(!table.holds(7, 4) && !table.holds(8, 0));
    }
}
