//! How far each card is.

use std::fmt;

use crate::FlashResult;

/// What is being done with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// All but the first MiB is being written.
    Writing,
    /// What was written is being read back and compared.
    Verifying,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Phase::Writing => "writing",
            Phase::Verifying => "verifying",
        })
    }
}

/// Is told how far each card is, by the card's number in the order they were
/// given. Called from any thread.
pub trait FlashProgress: Sync {
    /// A card begins a phase of `total` bytes.
    fn begin(&self, card: usize, phase: Phase, total: u64);

    /// `bytes` more bytes of the card's phase are done.
    fn advance(&self, card: usize, bytes: u64);

    /// The card is finished, well or not.
    fn end(&self, card: usize, outcome: &FlashResult);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl FlashProgress for NoProgress {
    fn begin(&self, _: usize, _: Phase, _: u64) {}
    fn advance(&self, _: usize, _: u64) {}
    fn end(&self, _: usize, _: &FlashResult) {}
}
