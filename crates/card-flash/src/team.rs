//! Several pieces of one card in flight.

use std::{
    panic::resume_unwind,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::{buffer::Buffer, error::Fault, plan::Piece};

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
    work: impl Fn(usize, &Piece, T, &mut [u8]) -> Result<(), Fault> + Sync,
) -> Result<(), Fault> {
    let turn = Mutex::new(());
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let member = || {
        let mut buffer = Buffer::new();
        while !failed.load(Ordering::Relaxed) {
            let guard = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(index) else { break };
            let begun = begin(piece);
            drop(guard);
            work(index, piece, begun, buffer.bytes())
                .inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let members: Vec<_> =
            (0..IN_FLIGHT.min(pieces.len())).map(|_| scope.spawn(member)).collect();
        let join = |thread: thread::ScopedJoinHandle<_>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        // All are waited for; the first failure counts.
        let results: Vec<Result<(), Fault>> = members.into_iter().map(join).collect();
        results.into_iter().collect()
    })
}
