//! Finding the transactions in the log, and its end.
//!
//! A transaction is any number of descriptor blocks, each followed by the
//! blocks that it describes, and of revoke blocks, and then a commit block. All have
//! its sequence number. The log ends where something else follows.

use crc::{CRC_32_MPEG_2, Crc, Table};

use super::{
    blocks::{self, COMMIT, DESCRIPTOR, REVOKE},
    location::Journal,
};
use crate::{Error, Result};

/// The CRC-32 of `journal_checksum`: not reflected, not inverted at the end.
static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_MPEG_2);

/// A complete transaction in the log.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub sequence: u32,
    /// Its descriptor blocks.
    pub descriptors: Vec<u32>,
    /// Its revoke blocks.
    pub revokes: Vec<u32>,
}

/// The complete transactions of a log.
#[derive(Debug)]
pub(super) struct Log {
    pub transactions: Vec<Transaction>,
    /// The sequence number that would be next.
    pub end: u32,
}

/// Reads the log from its beginning to its end.
///
/// A last transaction that is incomplete, or older than the one before it (from an earlier use of
/// the blocks), is not part of the log.
///
/// # Errors
/// [`Error::Journal`] if a complete transaction does not match its checksum. The kernel does not
/// mount such a filesystem either.
pub(super) fn scan(journal: &Journal<'_>) -> Result<Log> {
    Scan::new(journal).run()
}

struct Scan<'j, 'a> {
    journal: &'j Journal<'a>,
    /// The next block to read.
    at: u32,
    /// The number of blocks so far.
    passed: u32,
    current: Transaction,
    done: Vec<Transaction>,
    /// A block of the current transaction with a wrong checksum. It is either old or damaged; the
    /// commit block decides.
    mismatch: Option<u32>,
    /// The commit time of the last transaction.
    time: u64,
    /// The checksum of the current transaction (`journal_checksum`).
    checksum: u32,
}

impl<'j, 'a> Scan<'j, 'a> {
    fn new(journal: &'j Journal<'a>) -> Self {
        let superblock = &journal.superblock;
        Scan {
            journal,
            at: superblock.s_start(),
            passed: 0,
            current: Transaction { sequence: superblock.s_sequence(), ..Transaction::default() },
            done: Vec::new(),
            mismatch: None,
            time: 0,
            checksum: !0,
        }
    }

    fn run(mut self) -> Result<Log> {
        loop {
            let position = self.at;
            let block = self.journal.read(position)?;
            let Some(kind) = blocks::block_type(&block, self.current.sequence) else { break };
            self.pass(1)?;
            match kind {
                DESCRIPTOR => self.descriptor(position, &block)?,
                REVOKE => {
                    self.check_tail(position, &block);
                    self.current.revokes.push(position);
                }
                COMMIT => {
                    if !self.commit(position, &block)? {
                        break;
                    }
                }
                _ => break,
            }
        }
        Ok(Log { transactions: self.done, end: self.current.sequence })
    }

    /// Moves on by this many blocks. No log is longer than its area, whatever its blocks contain.
    fn pass(&mut self, blocks: u32) -> Result<()> {
        self.passed = self.passed.saturating_add(blocks);
        if self.passed > self.journal.log_blocks() {
            return wrong(self.at, "the log runs into its own beginning");
        }
        self.at = self.journal.advance(self.at, blocks);
        Ok(())
    }

    fn check_tail(&mut self, position: u32, block: &[u8]) {
        if !self.journal.format.tail_matches(block) {
            self.mismatch.get_or_insert(position);
        }
    }

    fn descriptor(&mut self, position: u32, block: &[u8]) -> Result<()> {
        self.check_tail(position, block);
        self.current.descriptors.push(position);
        let tags = self.journal.format.tags(block).len() as u32;
        if !self.journal.superblock.checksum() {
            return self.pass(tags);
        }
        let mut digest = CRC32.digest_with_initial(self.checksum);
        digest.update(block);
        for _ in 0..tags {
            let data = self.at;
            self.pass(1)?;
            digest.update(&self.journal.read(data)?);
        }
        self.checksum = digest.finalize();
        Ok(())
    }

    /// Reads a commit block. Returns whether the log may continue.
    fn commit(&mut self, position: u32, block: &[u8]) -> Result<bool> {
        let time = blocks::commit_time(block);
        let stale = time < self.time;
        if let Some(mismatch) = self.mismatch {
            return if stale { Ok(false) } else { wrong(mismatch, "its checksum does not match") };
        }
        let superblock = &self.journal.superblock;
        let matches = self.journal.format.commit_matches(block)
            && (!superblock.checksum() || blocks::transaction_matches(block, self.checksum));
        if !matches {
            // With async_commit, the commit block may have reached the disk before the rest; but
            // then no transaction can follow.
            if stale || superblock.async_commit() && !self.another_commit_follows()? {
                return Ok(false);
            }
            return wrong(position, "the checksum of its transaction does not match");
        }
        self.time = time;
        self.checksum = !0;
        let sequence = self.current.sequence.wrapping_add(1);
        let next = Transaction { sequence, ..Transaction::default() };
        self.done.push(std::mem::replace(&mut self.current, next));
        Ok(true)
    }

    /// Returns whether the next transaction is complete too, apart from its checksums.
    fn another_commit_follows(&self) -> Result<bool> {
        let sequence = self.current.sequence.wrapping_add(1);
        let (mut at, mut left) = (self.at, self.journal.log_blocks() - self.passed);
        while left > 0 {
            let block = self.journal.read(at)?;
            let step = match blocks::block_type(&block, sequence) {
                Some(DESCRIPTOR) => 1 + self.journal.format.tags(&block).len() as u32,
                Some(REVOKE) => 1,
                Some(COMMIT) => return Ok(blocks::commit_time(&block) >= self.time),
                _ => return Ok(false),
            };
            at = self.journal.advance(at, step);
            left = left.saturating_sub(step);
        }
        Ok(false)
    }
}

fn wrong<T>(block: u32, reason: &'static str) -> Result<T> {
    Err(Error::Journal { block, reason })
}
