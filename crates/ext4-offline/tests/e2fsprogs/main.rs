//! The filesystems of e2fsprogs' own tests: each is refused with a reason, or accepted and clean
//! after everything that is done to it. `scripts/test-e2fsprogs` collects them and runs this.
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod expected;
mod judge;
#[allow(dead_code)]
#[path = "../../../../fuzz/src/lib.rs"]
mod steps;
mod treat;
#[path = "../mutations/watchdog.rs"]
mod watchdog;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use block_io::{FileStorage, ReadAt};
use judge::Outcome;

/// The images of a directory, each contents once, in the order of their names.
fn images(directory: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    let mut seen = BTreeSet::new();
    all.retain(|path| seen.insert(digest(path)));
    all
}

/// A digest of the size and of all bytes that are not in holes.
fn digest(path: &Path) -> (u64, u64) {
    let storage = FileStorage::open(path).unwrap();
    let mut digest = 0xcbf2_9ce4_8422_2325u64;
    let mut at = 0;
    while let Some(range) = storage.next_data(at).unwrap() {
        for start in (range.start..range.end).step_by(1 << 20) {
            let length = (range.end - start).min(1 << 20) as usize;
            for chunk in storage.read_vec(start, length).unwrap().chunks(8) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                // Zeros count as a hole.
                if word != [0; 8] {
                    digest = (digest ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3);
                    digest ^= digest >> 29;
                }
            }
        }
        at = range.end;
    }
    (storage.size(), digest)
}

#[test]
#[ignore = "needs the filesystems that scripts/test-e2fsprogs collects"]
fn every_filesystem_is_clean_or_refused() {
    let directory = std::env::var_os("E2FSPROGS_IMAGES").expect("E2FSPROGS_IMAGES: a directory");
    let only = std::env::var("E2FSPROGS_ONLY").unwrap_or_default();
    let mut images = images(Path::new(&directory));
    images.retain(|path| name(path).contains(&only));
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let scratch = common::scratch();
                while let Some(image) = images.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let outcome = judge::outcome(image, scratch.path());
                    if start.elapsed() > Duration::from_secs(10) {
                        eprintln!("{} took {:?}", name(image), start.elapsed());
                    }
                    found.lock().unwrap().insert(name(image), outcome);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    print_table(&found);
    let wrong: Vec<String> = found
        .iter()
        .filter_map(|(name, outcome)| outcome.is_wrong().map(|how| format!("{name}: {how}")))
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(!only.is_empty() || found.len() > 300, "only {} filesystems", found.len());
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Prints the outcomes by kind of case (the letter that its name begins with), and the refusals of
/// filesystems that e2fsck accepts.
fn print_table(found: &BTreeMap<String, Outcome>) {
    let mut table: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
    let mut refused: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, outcome) in found {
        for row in [&name[..2], "all"] {
            table.entry(row).or_default()[outcome.column()] += 1;
        }
        if let Some(line) = outcome.line() {
            refused.entry(line).or_default().push(name);
        }
    }
    println!("\n{:6}{}", "", Outcome::COLUMNS.map(|column| format!("{column:>12}")).join(""));
    for (kind, counts) in table {
        println!("{kind:6}{}", counts.map(|count| format!("{count:>12}")).join(""));
    }
    println!();
    for (line, names) in refused {
        println!("{:4} {line}\n     {}", names.len(), names.join(" "));
    }
}
