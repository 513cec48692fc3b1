//! Shrinking random filesystems, compared with resize2fs.
//!
//! `NODECARD_THOROUGH=1` takes some thousand cases, `NODECARD_CASE=n` only one,
//! `NODECARD_CASE=n..m` those, however long they take.
#![allow(missing_docs)]

mod case;
#[path = "../common/mod.rs"]
mod common;
mod fill;
mod kernel;
mod oracle;
mod snapshot;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use block_io::{FileStorage, Layer, ReadAt, WriteAt};
use case::Case;
use common::{
    cases::{Ran, run_cases, seeds_from},
    *,
};
use ext4_offline::{
    Error, ShrinkLimit, ShrinkPlan, Shrunk, grow,
    internals::{Geometry, Superblock},
    shrink,
};
use snapshot::Snapshot;

/// The number of cases, and the longest time of both runs.
const CASES: u64 = 300;
const TIME: Duration = Duration::from_secs(150);
const THOROUGH_CASES: u64 = 10_000;
const THOROUGH_TIME: Duration = Duration::from_secs(900);
/// The number of cases that must have been run even if they take longer.
const LEAST_CASES: u64 = 60;

/// Counts of what happened.
type Tally = Mutex<BTreeMap<String, u64>>;

fn count(tally: &Tally, what: impl Into<String>) {
    *tally.lock().unwrap().entry(what.into()).or_default() += 1;
}

#[test]
fn shrinking_keeps_everything_and_gets_as_small_as_resize2fs() {
    let only = seeds_from("NODECARD_CASE");
    let (seeds, time) = match (only.clone(), thorough()) {
        (Some(only), _) => (only, Duration::MAX),
        (None, false) => (1..CASES + 1, TIME),
        (None, true) => (1..THOROUGH_CASES + 1, THOROUGH_TIME),
    };
    let begun = Instant::now();
    let tally = Tally::default();
    let is_late = |passed| begun.elapsed() > time && passed > LEAST_CASES;
    let Ran { passed: ran, failures } = run_cases(seeds, is_late, |seed| one(seed, &tally));
    let seconds = begun.elapsed().as_secs();
    eprintln!("{ran} cases in {seconds} s:\n{:#?}", tally.into_inner().unwrap());
    assert!(failures.is_empty(), "cases {failures:?} failed, see above");
    let least = only.map_or(LEAST_CASES, |only| only.end - only.start);
    assert!(ran >= least, "only {ran} of {least} cases were run");
}

fn one(seed: u64, tally: &Tally) {
    let (case, redrawn) = Case::draw(seed);
    for reason in redrawn {
        count(tally, format!("redrawn: {reason:?}"));
    }
    let context = case.describe();
    let before = snapshot::read(&case.image.path);
    let dumped = all_files(&case.image.path);
    let original = case.image.copy("original");

    let smallest = to_minimum(&case, &original, &before, tally);
    let minimum = smallest.blocks;
    assert_eq!(all_files(&case.image.path), dumped, "{context}");
    if minimum < smallest.old_blocks {
        below_minimum(&case, &original, minimum);
        in_between(&case, &original, &before, minimum);
        again(&case, &before, &smallest, tally);
    } else {
        count(tally, "nothing to gain");
    }
    if seed.is_multiple_of(6) && case.block_size <= 4096 && mount::is_root() {
        count(tally, kernel::write_on(&case, &original, minimum));
    }

    let theirs = oracle::resize2fs(&case, &original);
    if let Some(defect) = &theirs.defect {
        assert!(!defect.starts_with("OTHER"), "resize2fs: {defect}");
        count(tally, format!("resize2fs: {defect}"));
    }
    if let Some(theirs) = theirs.blocks {
        let ratio = minimum as f64 / theirs as f64;
        count(
            tally,
            match ratio {
                ..0.5 => "less than half of the blocks of resize2fs -M",
                ..0.98 => "smaller than with resize2fs -M",
                ..1.0 => "smaller than with resize2fs -M, by less than 2 %",
                1.0 => "as small as with resize2fs -M",
                _ => "larger than with resize2fs -M, by less than 2 %",
            },
        );
        assert!(ratio <= 1.02, "{context}: {minimum} blocks, resize2fs: {theirs}");
    }
}

/// Copies an image without its zeros.
fn copy(from: &Path, to: &Path) {
    output_of("cp", &["--sparse=always", from.to_str().unwrap(), to.to_str().unwrap()]);
}

fn plan_on(image: &Path) -> Arc<dyn ReadAt> {
    Arc::new(FileStorage::open(image).unwrap())
}

/// Panics unless a shrunk image is right.
fn assert_shrunk(image: &Path, shrunk: &Shrunk, before: &Snapshot, context: &str) {
    // Nothing may be needed after the end.
    let size = shrunk.blocks * u64::from(shrunk.block_size);
    std::fs::OpenOptions::new().write(true).open(image).unwrap().set_len(size).unwrap();
    assert_clean(image, &[], context);
    snapshot::assert_same(before, &snapshot::read(image), context);
    assert_eq!(geometry(image).blocks, shrunk.blocks, "{context}");
}

/// Shrinks the image of the case as far as possible.
fn to_minimum(case: &Case, original: &Path, before: &Snapshot, tally: &Tally) -> Shrunk {
    let context = format!("{}, to its minimum", case.describe());
    let plan = ShrinkPlan::to_minimum(&plan_on(original), NOW.into());
    let plan = plan.unwrap_or_else(|error| panic!("{context}: {error}"));
    let limit = plan.limit().unwrap();
    let shrunk = plan.apply(&case.image.open()).unwrap();
    assert_eq!(plan.size(), shrunk.blocks * case.block_size, "{context}");
    assert_shrunk(&case.image.path, &shrunk, before, &context);
    count(
        tally,
        match limit {
            ShrinkLimit::Blocks => "limit: blocks",
            ShrinkLimit::Inodes { .. } => "limit: inodes",
            ShrinkLimit::Tables { .. } => "limit: tables",
            ShrinkLimit::BadBlock { .. } => "limit: bad blocks",
            ShrinkLimit::Format => "limit: format",
            _ => "limit: another",
        },
    );
    for (is, what) in [
        (shrunk.inodes_moved > 0, "inodes moved"),
        (shrunk.bytes_moved > 0, "contents moved"),
        (shrunk.groups < shrunk.old_groups, "groups removed"),
        (case.has("bigalloc"), "bigalloc"),
        (case.has(",meta_bg"), "meta_bg"),
        (case.has("sparse_super2"), "sparse_super2"),
        (case.has("ea_inode") && shrunk.inodes_moved > 0, "ea_inode, inodes moved"),
        (case.has("inline_data") && shrunk.inodes_moved > 0, "inline_data, inodes moved"),
        (orphan_file(original) != orphan_file(&case.image.path), "orphan file moved"),
    ] {
        if is {
            count(tally, what);
        }
    }
    shrunk
}

/// The inode of the orphan file.
fn orphan_file(image: &Path) -> u32 {
    Superblock::read(&FileStorage::open(image).unwrap()).unwrap().s_orphan_file_inum()
}

/// A smaller target is refused with the minimum.
fn below_minimum(case: &Case, original: &Path, minimum: u64) {
    let context = format!("{}, below its minimum", case.describe());
    let target = minimum * case.block_size - 1;
    let storage = plan_on(original);
    let layer = Arc::new(Layer::new(storage, FileStorage::open(original).unwrap().size()));
    let writable: Arc<dyn WriteAt> = layer.clone();
    let error = shrink(&writable, target, NOW.into()).unwrap_err();
    match error {
        Error::DoesNotFit { minimum: found, .. } => {
            assert_eq!(found, minimum * case.block_size, "{context}")
        }
        error => panic!("{context}: {error}"),
    }
    assert!(layer.changed().is_empty(), "{context}: it was written to");
}

/// Shrinks to a size between the minimum and the present one.
fn in_between(case: &Case, original: &Path, before: &Snapshot, minimum: u64) {
    let room = geometry(original).blocks - minimum;
    let target = minimum + (room as f64 * case.between) as u64;
    let context = format!("{}, to {target} blocks", case.describe());
    let image = case.image.dir.path().join("between");
    copy(original, &image);
    let storage: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(&image).unwrap());
    let shrunk = shrink(&storage, target * case.block_size + 7, NOW.into())
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    assert!(shrunk.blocks <= target, "{context}: {shrunk:?}");
    assert_shrunk(&image, &shrunk, before, &context);
    // Once more, to what it is.
    let size = shrunk.blocks * case.block_size;
    let once_more = shrink(&storage, size, (NOW + 1).into()).unwrap();
    assert_eq!((once_more.blocks, once_more.bytes_written), (shrunk.blocks, 0), "{context}");
}

/// Grows to the old size again, and shrinks once more.
fn again(case: &Case, before: &Snapshot, first: &Shrunk, tally: &Tally) {
    let context = format!("{}, grown again", case.describe());
    let image = &case.image;
    let metadata = || backup_blocks(&geometry(&image.path));
    let metadata_before = metadata();
    let plan = ShrinkPlan::to_minimum(&plan_on(&image.path), NOW.into()).unwrap();
    assert!(plan.size() <= first.blocks * case.block_size, "{context}");
    let size = first.old_blocks * case.block_size;
    image.set_len(size);
    match grow(&image.open(), size, NOW.into()) {
        Ok(_) => {}
        Err(Error::NoRoomForTables { .. }) => {
            count(tally, "cannot grow again: no room for the tables of a group");
            return;
        }
        Err(error) => panic!("{context}: {error}"),
    }
    assert_clean(&image.path, &[], &context);
    let context = format!("{context}, shrunk again");
    let plan = ShrinkPlan::to_minimum(&plan_on(&image.path), NOW.into()).unwrap();
    let shrunk = plan.apply(&image.open()).unwrap();
    assert_shrunk(&image.path, &shrunk, before, &context);
    count(
        tally,
        match shrunk.blocks.cmp(&first.blocks) {
            std::cmp::Ordering::Less => "shrunk again: smaller",
            std::cmp::Ordering::Equal => "shrunk again: the same size",
            std::cmp::Ordering::Greater => "shrunk again: larger",
        },
    );
    // With sparse_super2, growing adds the backup that a small filesystem did without, as
    // resize2fs does.
    let added = metadata().saturating_sub(metadata_before);
    let most = first.blocks + first.blocks / 100 + 2 + added;
    assert!(shrunk.blocks <= most, "{context}: {} blocks, then {}", first.blocks, shrunk.blocks);
}

/// The number of blocks of the superblock's and the descriptors' copies.
fn backup_blocks(of: &Geometry) -> u64 {
    (0..of.groups).map(|group| u64::from(of.base_metadata(group).blocks())).sum()
}
