//! Working on several pieces of one card at the same time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::{buffer::Buffer, error::CardFault, write_plan::Piece};

/// The number of requests that a card has at a time. With one, the card would be idle
/// between two requests; more than a few only wait in line and cost memory.
const IN_FLIGHT: usize = 4;

/// Works on all pieces, several at a time, and stops at the first failure.
///
/// `begin` is called for the pieces in ascending order, by one thread at a time. `work` gets
/// what `begin` returned and a buffer for the piece, and is called by several threads at
/// the same time.
pub(crate) fn for_each<T>(
    pieces: &[Piece],
    begin: impl Fn(&Piece) -> T + Sync,
    work: impl Fn(usize, &Piece, T, &mut [u8]) -> Result<(), CardFault> + Sync,
) -> Result<(), CardFault> {
    let turn = Mutex::new(());
    let next = AtomicUsize::new(0);
    // The first failure: later ones may only be consequences of it.
    let failure = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let worker = || {
        let mut buffer = Buffer::new();
        while !failed.load(Ordering::Relaxed) {
            let guard = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(index) else { break };
            // A panic must not let the other threads go on, nor cross the card's boundary.
            let done = catch_unwind(AssertUnwindSafe(|| {
                let begun = begin(piece);
                drop(guard);
                work(index, piece, begun, buffer.bytes())
            }));
            if let Err(fault) = done.unwrap_or_else(|panic| Err(CardFault::of_panic(&*panic))) {
                failed.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(fault);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..IN_FLIGHT.min(pieces.len()) {
            scope.spawn(worker);
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
