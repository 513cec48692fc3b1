//! Writing several cards at once.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use block_io::{Cancel, ReadAt};

use crate::{
    CardError, CardFault, CardSource, FlashProgress, Medium,
    shared_reader::SharedReader,
    writer::{CardWriter, WriteReport},
};

/// Cards to be written side by side.
#[derive(Debug)]
pub struct FlashJob<'a> {
    /// The storage that all cards share: the base image.
    pub shared: Arc<dyn ReadAt>,
    /// The cards, each with the medium that it is written to.
    pub cards: Vec<(CardSource, &'a dyn Medium)>,
    /// What becomes of the old contents of the media.
    pub old_contents: OldContents,
}

/// What becomes of the old contents of a medium.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OldContents {
    /// They are compared with the new ones, and what differs is replaced, wherever samples
    /// show that this takes less time than replacing everything.
    #[default]
    Compared,
    /// They are overwritten without being read.
    Overwritten,
    /// They are discarded (TRIM), then overwritten.
    Discarded,
}

/// The outcome of writing one card.
pub type FlashResult = Result<WriteReport, CardError>;

/// Writes all cards side by side, and reads each back as soon as it is written. Returns the
/// outcome of each card, in their order.
///
/// The shared storage is read once for all cards that keep up. A card that does not keep up
/// reads on its own, and a card that fails does not affect the others. A panic in the work on
/// a card is such a failure ([`CardFault::Panicked`]).
pub fn flash(job: &FlashJob, progress: &dyn FlashProgress, cancel: &Cancel) -> Vec<FlashResult> {
    let shared_size = job.shared.size();
    let wants: Vec<_> = job.cards.iter().map(|(card, _)| card.wants(shared_size)).collect();
    let reader = SharedReader::new(job.cards.len());
    thread::scope(|scope| {
        let reader = &reader;
        let write = |number: usize, card: &CardSource, medium: &dyn Medium| {
            let old_contents = job.old_contents;
            let writer = CardWriter {
                number,
                card,
                medium,
                reader,
                shared_size,
                old_contents,
                progress,
                cancel,
            };
            let outcome = contain(|| writer.run()).map_err(|fault| CardError {
                node: card.node.clone(),
                device: medium.name(),
                fault,
            });
            // It may have failed before it took any window.
            reader.close(number);
            // What is shown does not change what is on the card.
            let _ = catch_unwind(AssertUnwindSafe(|| progress.end(number, &outcome)));
            outcome
        };
        let cards: Vec<_> = job
            .cards
            .iter()
            .enumerate()
            .map(|(number, (card, medium))| scope.spawn(move || write(number, card, *medium)))
            .collect();
        if catch_unwind(AssertUnwindSafe(|| reader.read(&job.shared, &wants, cancel))).is_err() {
            // Each card then reads on its own, and fails on its own.
            reader.end();
        }
        let failed = |card: &CardSource, medium: &dyn Medium, panic: &(dyn Any + Send)| {
            let fault = CardFault::of_panic(panic);
            Err(CardError { node: card.node.clone(), device: medium.name(), fault })
        };
        let outcomes = cards.into_iter().zip(&job.cards).map(|(thread, (card, medium))| {
            thread.join().unwrap_or_else(|panic| failed(card, *medium, &*panic))
        });
        outcomes.collect()
    })
}

/// Does the work on a card, and turns a panic into a fault.
fn contain<T>(work: impl FnOnce() -> Result<T, CardFault>) -> Result<T, CardFault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(CardFault::of_panic(&*panic)))
}
