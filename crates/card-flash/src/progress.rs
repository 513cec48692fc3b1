//! Progress of each card.

use std::fmt;

use crate::FlashResult;

/// A phase of writing a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlashPhase {
    /// All but the first MiB is being written.
    Writing,
    /// All but the first MiB is being compared, and what differs is being written.
    Updating,
    /// What was written is being read back and compared.
    Verifying,
}

impl fmt::Display for FlashPhase {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            FlashPhase::Writing => "writing",
            FlashPhase::Updating => "updating",
            FlashPhase::Verifying => "verifying",
        })
    }
}

/// Receives the progress of each card. A card's number is its place in
/// [`FlashJob::cards`](crate::FlashJob::cards). Called from any thread.
pub trait FlashProgress: Sync {
    /// A card begins a phase of `total` bytes.
    fn begin(&self, card: usize, phase: FlashPhase, total: u64);

    /// `bytes` more bytes of the card's phase are done.
    fn advance(&self, card: usize, bytes: u64);

    /// The card is done: written and verified, or failed.
    fn end(&self, card: usize, outcome: &FlashResult);
}

/// Ignores all progress.
impl FlashProgress for () {
    fn begin(&self, _: usize, _: FlashPhase, _: u64) {}
    fn advance(&self, _: usize, _: u64) {}
    fn end(&self, _: usize, _: &FlashResult) {}
}
