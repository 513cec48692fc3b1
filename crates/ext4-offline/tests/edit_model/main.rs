//! Random edits of filesystems of every kind, compared with a model in memory: e2fsck must be
//! silent, and all readers must find the tree of the model.
//!
//! `NODECARD_THOROUGH=1` runs for some minutes, `NODECARD_SEED=n` only one
//! sequence.
#![allow(missing_docs)]

mod base;
mod case;
#[path = "../common/mod.rs"]
mod common;
mod draw;
mod extremes;
mod features;
mod model;
mod op;
mod readers;
mod tree;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use base::Base;
use case::LEVELS;
use common::thorough;
use features::SETS;

/// How many sequences each kind of filesystem gets at each level.
const ROUNDS: u64 = 2;
const THOROUGH_ROUNDS: u64 = 1000;
const THOROUGH_TIME: Duration = Duration::from_secs(420);
/// Operations in each of a sequence's two sessions, in turn.
const OPERATIONS: [usize; 2] = [100, 400];
/// The number of threads that run sequences.
const THREADS: usize = 2;

/// Counts of what happened.
static TALLY: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn count(what: &str) {
    *TALLY.lock().unwrap().entry(what.to_owned()).or_default() += 1;
}

#[test]
fn the_tree_equals_the_model() {
    let only: Option<u64> =
        std::env::var("NODECARD_SEED").ok().map(|seed| seed.parse().expect("a seed"));
    let kinds = (SETS.len() * LEVELS.len()) as u64;
    let last = match (only, thorough()) {
        (Some(seed), _) => seed + 1,
        (None, false) => kinds * ROUNDS,
        (None, true) => kinds * THOROUGH_ROUNDS,
    };
    let bases: Vec<OnceLock<Base>> = SETS.iter().map(|_| OnceLock::new()).collect();
    let begun = Instant::now();
    let next = AtomicU64::new(only.unwrap_or(0));
    let ran = AtomicU64::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let late = thorough() && begun.elapsed() > THOROUGH_TIME;
                    if seed >= last || late || failures.lock().unwrap().len() >= 10 {
                        return;
                    }
                    let which = seed as usize % SETS.len();
                    let level = LEVELS[seed as usize / SETS.len() % LEVELS.len()];
                    let operations = OPERATIONS[(seed / kinds) as usize % OPERATIONS.len()];
                    let set = &SETS[which];
                    let run = || {
                        let base = bases[which].get_or_init(|| Base::make(set));
                        case::run(seed, base, level, operations);
                    };
                    match catch_unwind(AssertUnwindSafe(run)) {
                        Ok(()) => ran.fetch_add(1, Ordering::Relaxed),
                        Err(_) => {
                            eprintln!("NODECARD_SEED={seed}: {}, {level:?}", set.name);
                            failures.lock().unwrap().push(seed);
                            0
                        }
                    };
                }
            });
        }
    });
    let tally = TALLY.lock().unwrap();
    println!("{} sequences in {:?}:", ran.into_inner(), begun.elapsed());
    tally.iter().for_each(|(what, times)| println!("  {what}: {times}"));
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "run again with NODECARD_SEED= one of {failures:?}");
}
