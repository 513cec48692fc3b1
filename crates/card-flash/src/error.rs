//! Errors of writing a card.

use std::{any::Any, io};

/// A card could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {node}'s card to {device}")]
pub struct CardError {
    /// The node whose card it was to be.
    pub node: String,
    /// The name of the device or file, as the user gave it.
    pub device: String,
    /// What happened.
    #[source]
    pub fault: CardFault,
}

impl CardError {
    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        self.fault.fix()
    }
}

/// What happened to a card.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CardFault {
    /// The device answered a write with an error.
    #[error("cannot write at byte {offset}")]
    Write {
        /// Where the write began.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The device answered a read with an error.
    #[error("cannot read back at byte {offset}")]
    ReadBack {
        /// Where the read began.
        offset: u64,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The device reported an error while it wrote out what it had accepted.
    #[error("cannot finish writing")]
    Flush {
        /// The operating system's reason.
        source: io::Error,
    },
    /// The card or its reader was taken away.
    #[error("the card was removed, or its reader lost power, at byte {offset}")]
    Removed {
        /// The byte that was being read or written.
        offset: u64,
    },
    /// The reader holds another card than the one that was confirmed.
    #[error("another card is in the reader now")]
    Swapped,
    /// The card refuses all writes.
    #[error("the card is write-protected")]
    WriteProtected,
    /// The card ends before the size that it claims, or the disk of a file is full.
    #[error("there is no space at byte {offset} of {size}")]
    EndsEarly {
        /// Where writing was no longer possible.
        offset: u64,
        /// The size that it claims.
        size: u64,
    },
    /// Writing in one place changes another, as on cards that are sold as larger than they
    /// are.
    #[error(
        "the card is smaller than it claims: byte {offset} reads back what was written at byte \
         {holds}, so it has at most {real} bytes"
    )]
    Wraps {
        /// Where reading back gave other bytes.
        offset: u64,
        /// Where these bytes had been written.
        holds: u64,
        /// The greatest size that the card can have, in bytes.
        real: u64,
    },
    /// The card does not hold what was written to it.
    #[error("byte {offset} reads back {reads} instead of what was written")]
    Differs {
        /// The first wrong block, of 4096 bytes.
        offset: u64,
        /// What it reads as: `all zeros`, `all ones` or `other data`.
        reads: &'static str,
    },
    /// The data to write could not be read.
    #[error("cannot read the data for the card")]
    Source(#[from] block_io::Error),
    /// A defect of this program stopped the work on the card.
    #[error("a bug in nodecard stopped the work on this card: {message}")]
    Panicked {
        /// The message of the panic.
        message: String,
    },
    /// The user interrupted.
    #[error("interrupted")]
    Cancelled,
}

impl CardFault {
    /// Makes a fault of what a panic left behind.
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        CardFault::Panicked { message: text.unwrap_or_else(|| "no message".to_owned()) }
    }

    /// Returns whether the user stopped the work.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, CardFault::Cancelled)
    }

    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            CardFault::Write { .. } | CardFault::ReadBack { .. } | CardFault::Flush { .. } => {
                "try another reader, then another card: one of them is failing"
            }
            CardFault::Removed { .. } => "put the card back and write it again: it does not boot",
            CardFault::Swapped => "write the first card again: it does not boot",
            CardFault::WriteProtected => {
                "slide the switch on the edge of the card, or of its adapter, away from LOCK; a \
                 card that stays write-protected is worn out"
            }
            CardFault::EndsEarly { .. } => {
                "use another card: this one may be a counterfeit; for a file, free space on its \
                 disk"
            }
            CardFault::Wraps { .. } => "use another card: this one is a counterfeit",
            CardFault::Differs { .. } => {
                "try another reader, then another card: one of them is failing, or the card is \
                 smaller than it claims"
            }
            CardFault::Cancelled => "write the card again: it does not boot",
            CardFault::Panicked { .. } => {
                "please report this, with the whole output, at \
                 https://github.com/nodecard/nodecard/issues; the card does not boot"
            }
            CardFault::Source(_) => return None,
        };
        Some(fix.to_owned())
    }
}
