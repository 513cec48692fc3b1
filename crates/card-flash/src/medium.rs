//! What a card is written to.

use std::{fmt, io};

/// A card in a reader, or a file that stands for one.
///
/// Offsets and buffers are aligned to 4096 bytes; lengths too, save where a
/// card ends in between. Calls come from several threads.
pub trait Medium: fmt::Debug + Send + Sync {
    /// What the user calls it, such as `/dev/sdb`.
    fn name(&self) -> String;

    /// The size in bytes that it claims to have.
    fn size(&self) -> u64;

    /// Writes all of `data`.
    ///
    /// # Errors
    /// The operating system's.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Fills `buf` with what is on the medium itself, not in any cache of this
    /// machine.
    ///
    /// # Errors
    /// The operating system's.
    fn read_back(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// Waits until all that was written is on the medium.
    ///
    /// # Errors
    /// The operating system's.
    fn flush(&self) -> io::Result<()>;

    /// Tells the medium that nothing on it is needed any more.
    ///
    /// # Errors
    /// The operating system's; many readers cannot pass it on.
    fn discard(&self) -> io::Result<()>;

    /// Lets the operating system look at the new partition table.
    ///
    /// # Errors
    /// The operating system's.
    fn reread_table(&self) -> io::Result<()>;

    /// Whether it is still what it was when it was opened.
    fn presence(&self) -> Presence;
}

/// Whether a card is still in its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Same,
    /// The reader is empty, or gone.
    Gone,
    /// Another card is in the reader.
    Other,
}
