//! Directories: names and the inodes they stand for.
//!
//! Everything here works on the blocks of one directory, wherever they come
//! from, and knows nothing of inodes and bitmaps. Source: the kernel's
//! `Documentation/filesystems/ext4/directory.rst`.

use crate::Result;

/// The blocks of one directory, counted from its beginning.
pub(crate) trait DirBlocks {
    /// How many there are.
    fn count(&self) -> u32;

    /// What a block holds.
    fn read(&self, index: u32) -> Result<Vec<u8>>;

    /// Replaces what a block holds.
    fn write(&mut self, index: u32, bytes: Vec<u8>) -> Result<()>;

    /// Adds a block at the end, and tells its index.
    fn append(&mut self, bytes: Vec<u8>) -> Result<u32>;
}
