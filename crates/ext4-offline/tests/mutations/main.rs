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

/// Held while cases run: the memory that they take is measured for the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// The limit of memory for two filesystems at a time with the copies of the test, in sizes of the
/// largest one.
const MOST_COPIES: usize = 24;

#[derive(Default)]
struct Tally {
    refused: BTreeMap<String, u64>,
    clean: u64,
    tolerated: BTreeMap<&'static str, u64>,
    wrong: Vec<String>,
}

/// Filesystems with their names and the places of their metadata.
type Samples = Vec<(&'static str, Vec<u8>, Anatomy)>;

fn read_samples() -> Samples {
    let read = |(name, image): (&'static str, Image)| {
        let bytes = std::fs::read(&image.path).unwrap();
        let anatomy = Anatomy::of(&bytes);
        (name, bytes, anatomy)
    };
    samples().into_iter().map(read).collect()
}

#[test]
fn damage_is_refused_or_the_result_is_clean() {
    let (cases, time) = if thorough() { (100_000, 450) } else { (4000, 45) };
    let damage = |image: &mut [u8], anatomy: &Anatomy, seed| {
        damage::damage(image, anatomy, &mut Random(seed))
    };
    hunt("NODECARD_SEED", 1, cases, time, damage);
}

#[test]
fn a_field_of_the_superblock_is_refused_or_the_result_is_clean() {
    let (step, time) = if thorough() { (1, 600) } else { (7, 30) };
    let damage = |image: &mut [u8], anatomy: &Anatomy, number: u64| {
        damage::superblock(image, anatomy, (number * step) as usize)
    };
    hunt("NODECARD_FIELD", 0, damage::SUPERBLOCK_CASES / step, time, damage);
}

/// Runs a number of cases, or the one that the variable names, and requires that e2fsck is content
/// with all that is accepted.
fn hunt(
    variable: &str,
    first: u64,
    cases: u64,
    seconds: u64,
    damage: impl Fn(&mut [u8], &Anatomy, u64) -> String + Sync,
) {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let samples = read_samples();
    let one: Option<u64> = std::env::var(variable).ok().map(|number| number.parse().unwrap());
    let (first, cases) = one.map_or((first, cases), |number| (number, number + 1));
    let most_memory = MOST_COPIES * samples.iter().map(|(_, bytes, _)| bytes.len()).max().unwrap();
    let (next, tally) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    let end = Instant::now() + Duration::from_secs(seconds);
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let dir = scratch();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= cases || Instant::now() > end {
                        return;
                    }
                    let (name, image, anatomy) = &samples[number as usize % samples.len()];
                    let case = format!("{variable}={number}");
                    let _guard = watchdog::guard(&case);
                    let mut bytes = image.clone();
                    let what = damage(&mut bytes, anatomy, number);
                    let context = format!("{case}: {name}: {what}");
                    let verdict = judge(number, bytes, dir.path()).with(&context);
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
    assert!(peak - before.min(peak) < most_memory, "{peak} bytes");
    // Both outcomes are frequent, however many cases the machine got through.
    let done = refused + tally.clean;
    let both = refused.min(tally.clean) * 20 > done;
    assert!(one.is_some() || done > 50 && both, "{refused} refused, {} clean", tally.clean);
}

/// Runs all steps on a damaged image.
fn judge(number: u64, bytes: Vec<u8>, dir: &std::path::Path) -> Verdict {
    let base: Arc<dyn ReadAt> = Arc::new(Memory::new(bytes.clone()));
    // Larger by less than a group, and by some.
    let size = bytes.len() as u64 + *Random(number).pick(&[0, 300, 9000]) * KIB;
    let run = || verdict::judge(steps::prepare(base, size), &bytes, dir);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .unwrap_or_else(|_| Verdict::Wrong("it panicked".to_owned()))
}
