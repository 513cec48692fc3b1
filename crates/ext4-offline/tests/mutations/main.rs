//! Damaged filesystems: whichever bytes of the metadata change, each is refused before the first
//! write, with a reason, or e2fsck is silent about the result.
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod samples;
#[allow(dead_code)]
#[path = "../../../../fuzz/src/lib.rs"]
mod steps;
mod verdict;
mod watchdog;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use block_io::{Memory, ReadAt};
use common::{anatomy::Anatomy, *};
use peak_alloc::PeakAlloc;
use samples::samples;
use verdict::Verdict;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The limit of memory for two filesystems of a few MiB at a time, with the copies of the test.
const MOST_MEMORY: usize = 192 << 20;

#[derive(Default)]
struct Tally {
    refused: BTreeMap<String, u64>,
    clean: u64,
    tolerated: BTreeMap<&'static str, u64>,
    wrong: Vec<String>,
}

#[test]
fn damage_is_refused_or_the_result_is_clean() {
    let (cases, time) = if thorough() { (100_000, 450) } else { (4000, 45) };
    let samples: Vec<(&str, Vec<u8>, Anatomy)> = samples()
        .into_iter()
        .map(|(name, image)| {
            let bytes = std::fs::read(&image.path).unwrap();
            let anatomy = Anatomy::of(&bytes);
            (name, bytes, anatomy)
        })
        .collect();
    let first: u64 = std::env::var("NODECARD_SEED").map_or(1, |seed| seed.parse().unwrap());
    // One case, or the number that was requested.
    let cases = if std::env::var("NODECARD_SEED").is_ok() { first + 1 } else { cases };
    let (next, tally) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    let end = Instant::now() + Duration::from_secs(time);
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let dir = scratch();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= cases || Instant::now() > end {
                        return;
                    }
                    let (name, image, anatomy) = &samples[seed as usize % samples.len()];
                    let _guard = watchdog::guard(&format!("NODECARD_SEED={seed}"));
                    let verdict = one(seed, name, image, anatomy, dir.path());
                    let mut tally = tally.lock().unwrap();
                    match verdict {
                        Verdict::Refused(reason) => *tally.refused.entry(reason).or_default() += 1,
                        Verdict::Clean => tally.clean += 1,
                        Verdict::Wrong(how) => tally.wrong.push(how),
                        Verdict::Tolerated(why) => *tally.tolerated.entry(why).or_default() += 1,
                    }
                }
            });
        }
    });
    let peak = ALLOCATOR.peak_usage();
    let tally = tally.into_inner().unwrap();
    let refused: u64 = tally.refused.values().sum();
    eprintln!(
        "{refused} refused, {} clean, tolerated {:?}; {} MiB at most\n{:#?}",
        tally.clean,
        tally.tolerated,
        (peak - before.min(peak)) >> 20,
        tally.refused
    );
    let wrong = &tally.wrong;
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
    assert!(peak - before.min(peak) < MOST_MEMORY, "{peak} bytes");
    if cases > first + 1 {
        assert!(refused > 100 && tally.clean > 50, "{refused} refused, {} clean", tally.clean);
    }
}

/// Runs one mutation of an image.
fn one(seed: u64, name: &str, image: &[u8], anatomy: &Anatomy, dir: &std::path::Path) -> Verdict {
    let mut random = Random(seed);
    let mut bytes = image.to_vec();
    let what = damage::damage(&mut bytes, anatomy, &mut random);
    let context = format!("NODECARD_SEED={seed}: {name}: {what}");
    let base: Arc<dyn ReadAt> = Arc::new(Memory::new(bytes.clone()));
    // Larger by less than a group, and by some.
    let size = bytes.len() as u64 + *random.pick(&[0, 300, 9000]) * KIB;
    let run = || verdict::judge(steps::prepare(base, size), &bytes, dir);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .unwrap_or_else(|_| Verdict::Wrong("it panicked".to_owned()))
        .with(&context)
}
