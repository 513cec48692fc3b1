//! Working on several pieces of one card at the same time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crate::{buffer::Buffer, error::CardFault};

/// The number of requests that a card has at a time. With one, the card would be idle
/// between two requests; more than a few only wait in line and cost memory.
const IN_FLIGHT: usize = 4;

/// The buffers of one thread, each for the window of one piece.
#[derive(Debug)]
pub(crate) struct Buffers {
    /// What the card is to hold.
    pub expected: Buffer,
    /// What was read from it.
    pub found: Buffer,
}

/// Does all jobs, several at a time, and stops at the first failure.
///
/// `begin` is called for the jobs in their order, by one thread at a time. `work` gets what
/// `begin` returned, and is called by several threads at the same time.
pub(crate) fn for_each<J: Sync, T>(
    jobs: &[J],
    begin: impl Fn(&J) -> T + Sync,
    work: impl Fn(&J, T, &mut Buffers) -> Result<(), CardFault> + Sync,
) -> Result<(), CardFault> {
    let turn = Mutex::new(());
    let next = AtomicUsize::new(0);
    // The first failure: later ones may only be consequences of it.
    let failure = Mutex::new(None);
    let failed = AtomicBool::new(false);
    let worker = || {
        let mut buffers = Buffers { expected: Buffer::new(), found: Buffer::new() };
        while !failed.load(Ordering::Relaxed) {
            let guard = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { break };
            // A panic must not let the other threads go on, nor cross the card's boundary.
            let done = catch_unwind(AssertUnwindSafe(|| {
                let begun = begin(job);
                drop(guard);
                work(job, begun, &mut buffers)
            }));
            if let Err(fault) = done.unwrap_or_else(|panic| Err(CardFault::of_panic(&*panic))) {
                failed.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(fault);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..IN_FLIGHT.min(jobs.len()) {
            scope.spawn(worker);
        }
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
