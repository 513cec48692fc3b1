//! The fuzz targets, run on the saved corpus and on variations of it.
//!
//! Inputs are not checked first, so any result is allowed. But nothing may panic or hang, memory
//! must be bounded, and refused operations must not have written anything.
#![allow(missing_docs)]

mod common;
#[allow(dead_code)]
#[path = "../../../fuzz/src/lib.rs"]
mod steps;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use common::*;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The limit of memory for one input of a MiB or two, with the copies of the test itself.
const MOST_MEMORY: usize = 64 << 20;
const SLOWEST: Duration = Duration::from_secs(20);

/// The name of a target, and the target.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 6] = [
    ("open", steps::open),
    ("replay", steps::replay),
    ("read_all", steps::read_all),
    ("edit", steps::edit),
    ("grow", steps::grow),
    ("whole", steps::whole),
];

/// All saved inputs: images, and inputs that once caused a failure.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut names: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() > 8, "{names:?}");
    names
        .into_iter()
        .map(|path| {
            let output = run("gzip", &["-dc", path.to_str().unwrap()]);
            assert!(output.status.success(), "{}", path.display());
            (path.file_name().unwrap().to_string_lossy().into_owned(), output.stdout)
        })
        .collect()
}

/// The pieces of 64 bytes that do not only hold zeros.
fn places(bytes: &[u8]) -> Vec<usize> {
    let used = bytes.chunks(64).enumerate().filter(|(_, piece)| piece.iter().any(|&b| b != 0));
    used.map(|(index, _)| index * 64).collect()
}

#[test]
fn nothing_panics_hangs_or_takes_unbounded_memory() {
    let rounds = if thorough() { 1500 } else { 400 };
    let corpus = corpus();
    let began = Instant::now();
    let mut runs = 0;
    let mut random = Random(5);
    for (name, bytes) in &corpus {
        let places = places(bytes);
        for round in 0..rounds {
            let mut changed = bytes.clone();
            // The first run is without changes.
            for _ in 0..round.min(1 + random.below(4)) {
                let at = *random.pick(&places) + random.below(64) as usize;
                let at = at.min(changed.len() - 1);
                changed[at] = match random.below(4) {
                    0 => 0,
                    1 => 0xff,
                    2 => changed[at] ^ (1 << random.below(8)),
                    _ => random.below(256) as u8,
                };
            }
            if random.below(20) == 0 {
                changed.truncate(random.below(changed.len() as u64) as usize);
            }
            for (target, run) in TARGETS {
                let before = ALLOCATOR.current_usage();
                ALLOCATOR.reset_peak_usage();
                let start = Instant::now();
                let result = std::panic::catch_unwind(|| run(&changed));
                let context = format!("{target} on {name}, round {round}");
                assert!(result.is_ok(), "{context}: panicked");
                assert!(start.elapsed() < SLOWEST, "{context}: {:?}", start.elapsed());
                let peak = ALLOCATOR.peak_usage().saturating_sub(before);
                assert!(peak < MOST_MEMORY, "{context}: {peak} bytes");
                runs += 1;
            }
        }
    }
    eprintln!("{runs} runs in {:?}", began.elapsed());
}
