//! One reading for all cards.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use block_io::{Cancel, Extents, ReadAt};

use crate::plan::{HEAD, PIECE};

/// How many pieces may wait for one card: the buffer within which a slow card
/// shares the reading of faster ones.
pub(crate) const QUEUE: usize = 16;

/// A card with no more pieces than these is about to wait.
const NEARLY_DRY: usize = 2;

/// How often a wait looks whether it was cancelled.
const PATIENCE: Duration = Duration::from_millis(50);

/// A window of the shared storage, read once.
#[derive(Debug)]
pub(crate) struct Shared {
    start: u64,
    /// The window's bytes; zeros where no card wants any.
    pub bytes: Vec<u8>,
}

impl Shared {
    #[cfg(test)]
    pub fn new(start: u64, bytes: Vec<u8>) -> Self {
        Shared { start, bytes }
    }
}

/// Hands windows of the storage that all cards share from the one thread that
/// reads them to all cards that want them.
///
/// Each card has a queue. The reader waits for room in all of them, so that
/// every card gets every window, unless a faster card would have to wait for
/// that: then the slow card goes without, and reads for itself later. So
/// nobody ever waits for a slow card, and no queue grows.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    queues: Vec<Queue>,
    /// Where the reader is: nothing below will come any more.
    passed: u64,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Arc<Shared>>,
    /// The card takes no more.
    closed: bool,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.closed || self.pieces.len() < QUEUE
    }
}

impl Feed {
    pub fn new(cards: usize) -> Self {
        let queues = std::iter::repeat_with(Queue::default).take(cards).collect();
        Feed { state: Mutex::new(State { queues, passed: 0 }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, PATIENCE);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Reads what the cards want of `storage` behind the head, each given by
    /// its `wants`, and hands it out. Returns early if nobody listens.
    ///
    /// A read that fails ends it: the cards then read for themselves, and meet
    /// the error if it is still there.
    pub fn read(&self, storage: &dyn ReadAt, wants: &[Extents], cancel: &Cancel) {
        let mut union = Extents::new();
        wants.iter().for_each(|wanted| union.extend(wanted));
        let end = union.iter().next_back().map_or(0, |range| range.end);
        for start in (HEAD..end).step_by(PIECE as usize) {
            let window = start..start + PIECE;
            if union.within(window.clone()).next().is_none() {
                continue;
            }
            let mut bytes = vec![0; PIECE as usize];
            let read = union.within(window.clone()).try_for_each(|part| {
                let place = (part.start - start) as usize..(part.end - start) as usize;
                storage.read_at(part.start, &mut bytes[place])
            });
            let wanted = |card: usize| wants[card].within(window.clone()).next().is_some();
            if read.is_err() || !self.hand_out(Shared { start, bytes }, wanted, cancel) {
                break;
            }
        }
        self.state().passed = u64::MAX;
        self.changed.notify_all();
    }

    /// Waits for room as long as no card would have to wait for that, then hands
    /// out a window. Answers whether anybody may want more.
    fn hand_out(&self, piece: Shared, wanted: impl Fn(usize) -> bool, cancel: &Cancel) -> bool {
        let piece = Arc::new(piece);
        let mut state = self.state();
        loop {
            if cancel.check().is_err() || state.queues.iter().all(|queue| queue.closed) {
                return false;
            }
            let dry = |queue: &Queue| !queue.closed && queue.pieces.len() <= NEARLY_DRY;
            if state.queues.iter().all(Queue::has_room) || state.queues.iter().any(dry) {
                break;
            }
            state = self.wait(state);
        }
        state.passed = piece.start + PIECE;
        for (card, queue) in state.queues.iter_mut().enumerate() {
            if !queue.closed && queue.has_room() && wanted(card) {
                queue.pieces.push_back(piece.clone());
            }
        }
        self.changed.notify_all();
        true
    }

    /// The window at `start` for a card, waiting for the reader if need be;
    /// `None` if the card has to read it for itself. A card asks in ascending
    /// order, and for windows that it wants.
    pub fn take(&self, card: usize, start: u64, cancel: &Cancel) -> Option<Arc<Shared>> {
        let mut state = self.state();
        loop {
            let State { queues, passed } = &mut *state;
            let pieces = &mut queues[card].pieces;
            while pieces.front().is_some_and(|piece| piece.start < start) {
                pieces.pop_front();
            }
            if pieces.front().is_some_and(|piece| piece.start == start) {
                let piece = pieces.pop_front();
                self.changed.notify_all();
                return piece;
            }
            if *passed > start || cancel.check().is_err() {
                return None;
            }
            self.changed.notify_all();
            state = self.wait(state);
        }
    }

    /// A card takes no more.
    pub fn close(&self, card: usize) {
        let mut state = self.state();
        state.queues[card] = Queue { pieces: VecDeque::new(), closed: true };
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use block_io::Memory;
    use test_support::FaultInjector;

    use super::*;

    const PIECES: u64 = 100;

    fn storage() -> FaultInjector<Memory> {
        let bytes = (0..=PIECES).flat_map(|n| vec![n as u8; PIECE as usize]).collect();
        FaultInjector::new(Memory::new(bytes), u64::MAX, u64::MAX)
    }

    fn all() -> Extents {
        Extents::from(HEAD..(PIECES + 1) * PIECE)
    }

    fn starts() -> impl Iterator<Item = u64> {
        (1..=PIECES).map(|n| n * PIECE)
    }

    #[test]
    fn cards_of_one_speed_share_every_reading() {
        let (storage, feed, cancel) = (storage(), Feed::new(3), Cancel::new());
        let in_step = Barrier::new(3);
        thread::scope(|scope| {
            for card in 0..3 {
                let (feed, cancel, in_step) = (&feed, &cancel, &in_step);
                scope.spawn(move || {
                    for start in starts() {
                        in_step.wait();
                        let piece = feed.take(card, start, cancel).expect("shared");
                        assert_eq!(piece.bytes[0] as u64, start / PIECE);
                    }
                    feed.close(card);
                });
            }
            feed.read(&storage, &[all(), all(), all()], &cancel);
        });
        assert_eq!(storage.reads(), PIECES);
    }

    #[test]
    fn a_card_that_never_takes_holds_up_nobody() {
        let (storage, feed, cancel) = (storage(), Feed::new(2), Cancel::new());
        thread::scope(|scope| {
            let (feed, cancel) = (&feed, &cancel);
            scope.spawn(move || feed.read(&storage, &[all(), all()], cancel));
            for start in starts() {
                assert!(feed.take(0, start, cancel).is_some(), "shared");
            }
            feed.close(0);
            // The slow one finds what the buffer held, and reads the rest itself.
            let found = starts().filter(|&start| feed.take(1, start, cancel).is_some()).count();
            assert!((QUEUE..QUEUE + 3).contains(&found), "{found}");
            feed.close(1);
        });
    }

    #[test]
    fn a_storage_that_fails_leaves_the_cards_to_themselves() {
        let storage = FaultInjector::new(storage(), 10, u64::MAX);
        let (feed, cancel) = (Feed::new(1), Cancel::new());
        thread::scope(|scope| {
            scope.spawn(|| feed.read(&storage, &[all()], &cancel));
            let found = starts().filter(|&start| feed.take(0, start, &cancel).is_some()).count();
            assert_eq!(found, 10);
        });
    }

    #[test]
    fn nobody_waits_once_cancelled() {
        let (storage, feed, cancel) = (storage(), Feed::new(1), Cancel::new());
        cancel.cancel();
        assert!(feed.take(0, HEAD, &cancel).is_none());
        feed.read(&storage, &[all()], &cancel);
        assert_eq!(storage.reads(), 1);
    }
}
