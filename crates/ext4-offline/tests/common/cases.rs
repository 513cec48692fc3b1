//! Running many random cases at once.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// The number of threads that run cases.
const THREADS: usize = 2;
/// After so many failures, there is nothing more to learn.
const MOST_FAILURES: usize = 10;

/// What became of the cases.
pub struct Ran {
    /// How many passed.
    pub passed: u64,
    /// The seeds of those that failed. Their messages are on stderr.
    pub failures: Vec<u64>,
}

/// Runs a case for each seed, until `is_late` says so, who is told how many passed.
pub fn run_cases(
    seeds: Range<u64>,
    is_late: impl Fn(u64) -> bool + Sync,
    one: impl Fn(u64) + Sync,
) -> Ran {
    let next = AtomicU64::new(seeds.start);
    let passed = AtomicU64::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let has_failed = failures.lock().unwrap().len() >= MOST_FAILURES;
                    if seed >= seeds.end || has_failed || is_late(passed.load(Ordering::Relaxed)) {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| one(seed))) {
                        Ok(()) => drop(passed.fetch_add(1, Ordering::Relaxed)),
                        Err(_) => failures.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    Ran { passed: passed.into_inner(), failures: failures.into_inner().unwrap() }
}

/// The seeds in an environment variable, to run these cases again: `7`, or `611..3001` without
/// the last.
pub fn seeds_from(variable: &str) -> Option<Range<u64>> {
    let number = |text: &str| -> u64 { text.parse().expect("the number of a case") };
    std::env::var(variable).ok().map(|seeds| match seeds.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&seeds)..number(&seeds) + 1,
    })
}
