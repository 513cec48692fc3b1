//! Several cards at once.

use std::{panic::resume_unwind, sync::Arc, thread};

use block_io::{Cancel, ReadAt};

use crate::{
    CardError, CardSource, FlashProgress, Medium,
    course::{Course, WriteReport},
    feed::Feed,
};

/// Cards to be written from one reading.
#[derive(Debug)]
pub struct FlashJob<'a> {
    /// What all cards share: the base image.
    pub shared: Arc<dyn ReadAt>,
    /// The cards, and what each is to be written to.
    pub cards: Vec<(CardSource, &'a dyn Medium)>,
    /// Whether the media are first told that nothing on them is needed any
    /// more.
    pub discard: bool,
}

/// What became of one card.
pub type FlashResult = Result<WriteReport, CardError>;

/// Writes all cards side by side, and reads each back as soon as it is written.
///
/// The shared storage is read once for all cards that keep up; one that does
/// not reads for itself, and one that fails leaves the others alone. Answers
/// what became of each card, in their order.
pub fn flash(job: &FlashJob, progress: &dyn FlashProgress, cancel: &Cancel) -> Vec<FlashResult> {
    let shared_size = job.shared.size();
    let wants: Vec<_> = job.cards.iter().map(|(card, _)| card.wants(shared_size)).collect();
    let feed = Feed::new(job.cards.len());
    thread::scope(|scope| {
        let feed = &feed;
        let write = |number: usize, card: &CardSource, medium: &dyn Medium| {
            let discard = job.discard;
            let course =
                Course { number, card, medium, feed, shared_size, discard, progress, cancel };
            let outcome = course.run().map_err(|fault| CardError {
                node: card.node.clone(),
                device: medium.name(),
                fault,
            });
            // Also when it failed before it took anything.
            feed.close(number);
            progress.end(number, &outcome);
            outcome
        };
        let cards: Vec<_> = job
            .cards
            .iter()
            .enumerate()
            .map(|(number, (card, medium))| scope.spawn(move || write(number, card, *medium)))
            .collect();
        feed.read(&job.shared, &wants, cancel);
        let join = |card: thread::ScopedJoinHandle<_>| {
            card.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        cards.into_iter().map(join).collect()
    })
}
