//! Several pieces of one card in flight.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::{buffer::Buffer, error::CardFault, plan::Piece};

/// How many requests a card has before it at a time. One would let it idle
/// between two; more than a few only wait in line, and cost memory.
const IN_FLIGHT: usize = 4;

/// Does something with every piece, several at a time, begun in ascending
/// order; ends at the first that fails.
///
/// `begin` is called for one piece after another and by one thread at a time,
/// `work` with what it answered and a buffer for the piece, side by side.
pub(crate) fn each<T>(
    pieces: &[Piece],
    begin: impl Fn(&Piece) -> T + Sync,
    work: impl Fn(usize, &Piece, T, &mut [u8]) -> Result<(), CardFault> + Sync,
) -> Result<(), CardFault> {
    let turn = Mutex::new(());
    let next = AtomicUsize::new(0);
    // The first failure in time: all others may only follow from it.
    let failure = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let member = || {
        let mut buffer = Buffer::new();
        while !failed.load(Ordering::Relaxed) {
            let guard = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(index) else { break };
            let begun = begin(piece);
            drop(guard);
            if let Err(fault) = work(index, piece, begun, buffer.bytes()) {
                failed.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(fault);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..IN_FLIGHT.min(pieces.len()) {
            scope.spawn(member);
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
