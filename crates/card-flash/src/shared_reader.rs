//! Reading what all cards share once.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use block_io::{Cancel, Extents, ReadAt};

use crate::write_plan::{HEAD, PIECE};

/// The number of windows that may wait for one card: how far a slow card can fall behind
/// faster ones and still share what they read.
pub(crate) const QUEUE: usize = 16;

/// A card with no more windows than this is about to run out of them.
const NEARLY_EMPTY: usize = 2;

/// How often a waiting thread checks whether it was cancelled.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A window of the shared storage, which was read once for all cards.
#[derive(Debug)]
pub(crate) struct SharedWindow {
    start: u64,
    /// The window's bytes; zeros where no card wants any.
    pub bytes: Vec<u8>,
}

impl SharedWindow {
    #[cfg(test)]
    pub fn new(start: u64, bytes: Vec<u8>) -> Self {
        SharedWindow { start, bytes }
    }
}

/// Hands windows of the storage that all cards share from the one thread that reads them
/// to all cards that want them.
///
/// Each card has a queue. The reader waits for room in all queues, so that every card gets
/// every window, unless a faster card would have to wait for that: then the slow card
/// misses the window and reads it on its own later. So no card waits for a slow one,
/// and no queue grows.
#[derive(Debug)]
pub(crate) struct SharedReader {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    queues: Vec<Queue>,
    /// The reader has passed this offset: no window below it will come any more.
    passed: u64,
}

#[derive(Debug, Default)]
struct Queue {
    windows: VecDeque<Arc<SharedWindow>>,
    /// Whether the card has stopped taking windows.
    closed: bool,
}

impl Queue {
    fn has_room(&self) -> bool {
        self.closed || self.windows.len() < QUEUE
    }
}

impl SharedReader {
    pub fn new(cards: usize) -> Self {
        let queues = std::iter::repeat_with(Queue::default).take(cards).collect();
        SharedReader { state: Mutex::new(State { queues, passed: 0 }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, CHECK_INTERVAL);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Reads the parts of `storage` behind the head that the cards want, given by `wants`
    /// for each card, and hands them out. Returns early if no card takes any more.
    ///
    /// A read that fails ends the sharing: the cards then read on their own, and report the
    /// error if it is still there.
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
            if read.is_err() || !self.hand_out(SharedWindow { start, bytes }, wanted, cancel) {
                break;
            }
        }
        self.end();
    }

    /// Ends the sharing: nobody waits for a window any more.
    pub fn end(&self) {
        self.state().passed = u64::MAX;
        self.changed.notify_all();
    }

    /// Waits for room as long as no card has to wait for that, then hands out a window.
    /// Returns whether any card may want more.
    fn hand_out(
        &self,
        window: SharedWindow,
        wanted: impl Fn(usize) -> bool,
        cancel: &Cancel,
    ) -> bool {
        let window = Arc::new(window);
        let mut state = self.state();
        loop {
            if cancel.check().is_err() || state.queues.iter().all(|queue| queue.closed) {
                return false;
            }
            let nearly_empty = |queue: &Queue| !queue.closed && queue.windows.len() <= NEARLY_EMPTY;
            if state.queues.iter().all(Queue::has_room) || state.queues.iter().any(nearly_empty) {
                break;
            }
            state = self.wait(state);
        }
        state.passed = window.start + PIECE;
        for (card, queue) in state.queues.iter_mut().enumerate() {
            if !queue.closed && queue.has_room() && wanted(card) {
                queue.windows.push_back(window.clone());
            }
        }
        self.changed.notify_all();
        true
    }

    /// Returns the window at `start` for a card, and waits for the reader if necessary.
    /// Returns `None` if the card has to read it on its own. A card must ask in ascending
    /// order, and only for windows that it wants.
    pub fn take(&self, card: usize, start: u64, cancel: &Cancel) -> Option<Arc<SharedWindow>> {
        let mut state = self.state();
        loop {
            let State { queues, passed } = &mut *state;
            let windows = &mut queues[card].windows;
            while windows.front().is_some_and(|window| window.start < start) {
                windows.pop_front();
            }
            if windows.front().is_some_and(|window| window.start == start) {
                let window = windows.pop_front();
                self.changed.notify_all();
                return window;
            }
            if *passed > start || cancel.check().is_err() {
                return None;
            }
            self.changed.notify_all();
            state = self.wait(state);
        }
    }

    /// Records that a card takes no more windows.
    pub fn close(&self, card: usize) {
        let mut state = self.state();
        state.queues[card] = Queue { windows: VecDeque::new(), closed: true };
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
    fn cards_of_equal_speed_share_every_read() {
        let (storage, reader, cancel) = (storage(), SharedReader::new(3), Cancel::new());
        let in_step = Barrier::new(3);
        thread::scope(|scope| {
            for card in 0..3 {
                let (reader, cancel, in_step) = (&reader, &cancel, &in_step);
                scope.spawn(move || {
                    for start in starts() {
                        in_step.wait();
                        let piece = reader.take(card, start, cancel).expect("shared");
                        assert_eq!(piece.bytes[0] as u64, start / PIECE);
                    }
                    reader.close(card);
                });
            }
            reader.read(&storage, &[all(), all(), all()], &cancel);
        });
        assert_eq!(storage.reads(), PIECES);
    }

    #[test]
    fn a_card_that_takes_nothing_delays_no_other() {
        let (storage, reader, cancel) = (storage(), SharedReader::new(2), Cancel::new());
        thread::scope(|scope| {
            let (reader, cancel) = (&reader, &cancel);
            scope.spawn(move || reader.read(&storage, &[all(), all()], cancel));
            for start in starts() {
                assert!(reader.take(0, start, cancel).is_some(), "shared");
            }
            reader.close(0);
            // The slow one finds what its queue holds, and reads the rest on its own.
            let found = starts().filter(|&start| reader.take(1, start, cancel).is_some()).count();
            assert!((QUEUE..QUEUE + 3).contains(&found), "{found}");
            reader.close(1);
        });
    }

    #[test]
    fn cards_read_by_themselves_if_the_storage_fails() {
        let storage = FaultInjector::new(storage(), 10, u64::MAX);
        let (reader, cancel) = (SharedReader::new(1), Cancel::new());
        thread::scope(|scope| {
            scope.spawn(|| reader.read(&storage, &[all()], &cancel));
            let found = starts().filter(|&start| reader.take(0, start, &cancel).is_some()).count();
            assert_eq!(found, 10);
        });
    }

    #[test]
    fn no_card_waits_once_cancelled() {
        let (storage, reader, cancel) = (storage(), SharedReader::new(1), Cancel::new());
        cancel.cancel();
        assert!(reader.take(0, HEAD, &cancel).is_none());
        reader.read(&storage, &[all()], &cancel);
        assert_eq!(storage.reads(), 1);
    }
}
