//! What can go wrong with a card that is being written.

use std::io;

/// A card could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{node} on {device}: {fault}")]
pub struct CardError {
    /// The node whose card it was to be.
    pub node: String,
    /// What the user calls the device, or the file.
    pub device: String,
    /// What happened.
    #[source]
    pub fault: CardFault,
}

/// What happened to a card.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CardFault {
    /// The device answers a write with an error.
    #[error(
        "cannot write at byte {offset}: {source}. The card or its reader is failing; try \
         another reader, then another card"
    )]
    Write {
        /// Where the write began.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The device answers a read with an error.
    #[error(
        "cannot read back at byte {offset} what was written there: {source}. The card or its \
         reader is failing; try another reader, then another card"
    )]
    ReadBack {
        /// Where the read began.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// What was written may not be on the card.
    #[error("cannot finish writing: {source}. Try another reader, then another card")]
    Flush {
        /// The operating system's reason.
        source: io::Error,
    },
    /// The card or the reader was taken away.
    #[error(
        "it is gone, at byte {offset}: the card was taken out, or its reader lost power. \
         The card does not start; put it back and write it again"
    )]
    Removed {
        /// What was being read or written then.
        offset: u64,
    },
    /// Another card is in the reader than the one that was agreed to.
    #[error("another card is in the reader now. The first one does not start; write it again")]
    Swapped,
    /// The card refuses all writes.
    #[error(
        "the card is write-protected. Slide the switch on its edge, or its adapter's, away from \
         LOCK; a card that has no switch and stays so is worn out"
    )]
    WriteProtected,
    /// The card ends before the size it claims.
    #[error(
        "it has no room at byte {offset}, though it says it has {size} bytes. A card may be a \
         counterfeit: use another one. With a file, the disk it is on is full"
    )]
    EndsEarly {
        /// Where writing was no longer possible.
        offset: u64,
        /// The size that it claims.
        size: u64,
    },
    /// Writing in one place changes another, as on cards that are sold as larger
    /// than they are.
    #[error(
        "the card holds less than it says: byte {offset} reads back what was written at byte \
         {holds}. It is a counterfeit that has at most {real} bytes; use another card"
    )]
    Wraps {
        /// Where reading back gave other bytes.
        offset: u64,
        /// Where these had been written.
        holds: u64,
        /// What the card can have at most, in bytes.
        real: u64,
    },
    /// The card does not hold what was written to it.
    #[error(
        "byte {offset} reads back other bytes than were written ({reads}). The card holds less \
         than it says, or it or its reader is failing; try another reader, then another card"
    )]
    Differs {
        /// The block where it was noticed first, of 4096 bytes.
        offset: u64,
        /// What it reads as: zeros, ones, or something else.
        reads: &'static str,
    },
    /// What was to be written cannot be read.
    #[error("cannot read what is to be written: {0}")]
    Source(#[from] block_io::Error),
    /// The user interrupted.
    #[error("interrupted. The card does not start; write it again")]
    Cancelled,
}

impl CardFault {
    /// Whether it was the user who stopped it.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, CardFault::Cancelled)
    }
}
