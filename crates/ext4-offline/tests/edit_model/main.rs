//! Random edits of filesystems of every kind, compared with a model in memory: e2fsck must be
//! silent, and all readers must find the tree of the model.
//!
//! `NODECARD_THOROUGH=1` runs for some minutes, `NODECARD_SEED=n` only one sequence,
//! `NODECARD_SEED=n..m` those.
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
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use base::Base;
use case::LEVELS;
use common::{
    cases::{Ran, run_cases, seeds_from},
    thorough,
};
use features::SETS;

/// How many sequences each kind of filesystem gets at each level.
const ROUNDS: u64 = 2;
const THOROUGH_ROUNDS: u64 = 1000;
const THOROUGH_TIME: Duration = Duration::from_secs(420);
/// Operations in each of a sequence's two sessions, in turn.
const OPERATIONS: [usize; 2] = [100, 400];

/// Counts of what happened.
static TALLY: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn count(what: &str) {
    *TALLY.lock().unwrap().entry(what.to_owned()).or_default() += 1;
}

#[test]
fn the_tree_equals_the_model() {
    let only = seeds_from("NODECARD_SEED");
    let kinds = (SETS.len() * LEVELS.len()) as u64;
    let seeds = match (only.clone(), thorough()) {
        (Some(only), _) => only,
        (None, false) => 0..kinds * ROUNDS,
        (None, true) => 0..kinds * THOROUGH_ROUNDS,
    };
    let bases: Vec<OnceLock<Base>> = SETS.iter().map(|_| OnceLock::new()).collect();
    let begun = Instant::now();
    let is_late = |_| only.is_none() && thorough() && begun.elapsed() > THOROUGH_TIME;
    let Ran { passed, failures } = run_cases(seeds, is_late, |seed| {
        let which = seed as usize % SETS.len();
        let level = LEVELS[seed as usize / SETS.len() % LEVELS.len()];
        let operations = OPERATIONS[(seed / kinds) as usize % OPERATIONS.len()];
        let set = &SETS[which];
        let run = || {
            let base = bases[which].get_or_init(|| Base::make(set));
            case::run(seed, base, level, operations);
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            eprintln!("NODECARD_SEED={seed}: {}, {level:?}", set.name);
            resume_unwind(panic);
        }
    });
    let tally = TALLY.lock().unwrap();
    println!("{passed} sequences in {:?}:", begun.elapsed());
    tally.iter().for_each(|(what, times)| println!("  {what}: {times}"));
    assert!(failures.is_empty(), "run again with NODECARD_SEED= one of {failures:?}");
}
