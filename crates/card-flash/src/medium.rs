//! The device or file that a card is written to.

use std::{fmt, io};

/// A card in a reader, or a file instead of one.
///
/// Offsets and buffers are aligned to 4096 bytes, and so are lengths, except where a card
/// ends in between. The methods are called from several threads.
pub trait Medium: fmt::Debug + Send + Sync {
    /// Returns the name by which the user knows it, such as `/dev/sdb`.
    fn name(&self) -> String;

    /// Returns the size in bytes that it claims to have.
    fn size(&self) -> u64;

    /// Writes all of `data`.
    ///
    /// # Errors
    /// Those of the operating system.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Fills `buf` with what is on the medium itself, not in a cache of this computer.
    ///
    /// # Errors
    /// Those of the operating system.
    fn read_back(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Waits until everything written is on the medium.
    ///
    /// # Errors
    /// Those of the operating system.
    fn flush(&self) -> io::Result<()>;

    /// Discards the contents of the medium (TRIM).
    ///
    /// # Errors
    /// Those of the operating system; many readers do not support it.
    fn discard(&self) -> io::Result<()>;

    /// Lets the operating system read the new partition table.
    ///
    /// # Errors
    /// Those of the operating system.
    fn reread_table(&self) -> io::Result<()>;

    /// Returns whether it is still the medium that was opened.
    fn presence(&self) -> Presence;
}

/// Whether a card is still in its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The same card is in the reader.
    Same,
    /// The reader is empty or gone.
    Gone,
    /// Another card is in the reader.
    Other,
}
