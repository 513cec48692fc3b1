//! Carrying out a plan.

use std::ops::Range;

use block_io::WriteAt;

use super::{ShrinkPlan, Shrunk, plan::Move};
use crate::{Result, superblock};

/// How many bytes of contents are moved at a time.
const CHUNK: u64 = 1 << 20;

impl ShrinkPlan {
    /// Carries out the plan on `storage`, which must hold what the plan was made for, or a copy of
    /// it.
    ///
    /// Contents are moved first, and the primary superblock is written last. Nothing is written if
    /// there is nothing to do.
    ///
    /// # Errors
    /// [`Error::Storage`](crate::Error::Storage). Unless it is on a layer, the filesystem is
    /// destroyed then.
    pub fn apply(&self, storage: &dyn WriteAt) -> Result<Shrunk> {
        for part in &self.moves {
            self.move_contents(storage, part)?;
        }
        let bytes_written = self.bytes_to_move() + self.write_metadata(storage)?;
        Ok(Shrunk {
            block_size: self.new.block_size,
            old_blocks: self.old.blocks,
            blocks: self.new.blocks,
            old_groups: self.old.groups,
            groups: self.new.groups,
            bytes_moved: self.bytes_to_move(),
            inodes_moved: self.inodes_moved,
            bytes_written,
        })
    }

    /// Returns the contents that move: from which bytes of the filesystem to which offset, in the
    /// order of the former. No place is both old and new.
    ///
    /// A storage that reads moved bytes at their old place, with [`apply_metadata`] on top, is the
    /// shrunk filesystem, without a copy of the contents.
    ///
    /// [`apply_metadata`]: Self::apply_metadata
    pub fn moves(&self) -> impl Iterator<Item = (Range<u64>, u64)> + '_ {
        self.moves.iter().map(|part| {
            let from = self.old.offset(part.from);
            let length = part.length * u64::from(self.old.block_size);
            (from..from + length, self.old.offset(part.to))
        })
    }

    /// Writes all that [`apply`](Self::apply) does except for contents that move: for a storage
    /// that shows them at their new places already.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn apply_metadata(&self, storage: &dyn WriteAt) -> Result<()> {
        self.write_metadata(storage).map(drop)
    }

    /// Writes metadata, the primary superblock last. Returns the number of bytes.
    fn write_metadata(&self, storage: &dyn WriteAt) -> Result<u64> {
        let mut written = 0;
        let first = superblock::OFFSET / u64::from(self.new.block_size);
        let last = self.blocks.get_key_value(&first);
        let others = self.blocks.iter().filter(|(block, _)| **block != first);
        for (&block, bytes) in others.chain(last) {
            storage.write_at(self.new.offset(block), bytes)?;
            written += bytes.len() as u64;
        }
        Ok(written)
    }

    fn move_contents(&self, storage: &dyn WriteAt, part: &Move) -> Result<()> {
        let (from, to) = (self.old.offset(part.from), self.old.offset(part.to));
        let length = part.length * u64::from(self.old.block_size);
        let mut done = 0;
        while done < length {
            let step = (length - done).min(CHUNK);
            let bytes = storage.read_vec(from + done, step as usize)?;
            storage.write_at(to + done, &bytes)?;
            done += step;
        }
        Ok(())
    }
}
