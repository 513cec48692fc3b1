//! Growing random filesystems, compared with resize2fs.
//!
//! `NODECARD_THOROUGH=1` takes some thousand cases, `NODECARD_CASE=n` only one,
//! `NODECARD_CASE=n..m` those, however long they take.
#![allow(missing_docs)]

mod account;
mod case;
#[path = "../common/mod.rs"]
mod common;
mod oracle;
mod same;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use account::Account;
use block_io::FileStorage;
use case::Case;
use common::{
    cases::{Ran, run_cases, seeds_from},
    *,
};
use ext4_offline::{grow, grow_lazily, internals::Superblock};
use oracle::Defect;

/// The number of cases, and the longest time of the thorough run.
const CASES: u64 = 400;
const THOROUGH_CASES: u64 = 10_000;
const THOROUGH_TIME: Duration = Duration::from_secs(420);

/// Counts of what happened.
type Tally = Mutex<BTreeMap<String, u64>>;

fn count(tally: &Tally, what: impl Into<String>) {
    *tally.lock().unwrap().entry(what.into()).or_default() += 1;
}

#[test]
fn growing_equals_resize2fs() {
    let tree = scratch();
    small_tree(tree.path());
    let only = seeds_from("NODECARD_CASE");
    let seeds = match (only.clone(), thorough()) {
        (Some(only), _) => only,
        (None, false) => 1..CASES + 1,
        (None, true) => 1..THOROUGH_CASES + 1,
    };
    let begun = Instant::now();
    let compared = AtomicU64::new(0);
    let tally = Tally::default();
    let is_late = |_| only.is_none() && thorough() && begun.elapsed() > THOROUGH_TIME;
    let Ran { passed: ran, failures } = run_cases(seeds, is_late, |seed| {
        let is_complete = one(seed, tree.path(), &tally);
        compared.fetch_add(u64::from(is_complete), Ordering::Relaxed);
    });
    let compared = compared.into_inner();
    let seconds = begun.elapsed().as_secs();
    eprintln!(
        "{ran} cases in {seconds} s, {compared} compared in full:\n{:#?}",
        tally.into_inner().unwrap()
    );
    assert!(failures.is_empty(), "cases {failures:?} failed, see above");
    let least = only.as_ref().map_or(CASES, |only| only.end - only.start);
    assert!(ran >= least, "only {ran} of {least} cases were run");
    // For a few cases, resize2fs leaves nothing to compare with.
    assert!(compared >= least * 9 / 10, "only {compared} of {ran} cases were compared in full");
}

/// A few files with all kinds of mappings: none, one extent, several.
fn small_tree(tree: &Path) {
    for directory in 0..3 {
        let directory = tree.join(format!("directory-{directory}"));
        fs::create_dir_all(&directory).unwrap();
        for (number, size) in [0, 59, 5000, 30_000].into_iter().enumerate() {
            let bytes: Vec<u8> = (0..size).map(|i| (i * (number + 7) % 251) as u8).collect();
            fs::write(directory.join(format!("file-{number}")), bytes).unwrap();
        }
    }
    let sparse = fs::File::create(tree.join("sparse")).unwrap();
    for part in 0..7 {
        std::os::unix::fs::FileExt::write_all_at(&sparse, b"something", part * 70_000).unwrap();
    }
    std::os::unix::fs::symlink("directory-2/file-3", tree.join("link")).unwrap();
}

/// Runs a case. Returns whether resize2fs left something to compare with.
fn one(seed: u64, tree: &Path, tally: &Tally) -> bool {
    let (case, redrawn) = Case::draw(seed, tree);
    for reason in redrawn {
        count(tally, format!("redrawn: {reason:?}"));
    }
    let context = case.describe();
    let image = &case.image;
    let before = image.copy("before");
    let steps = Image { dir: scratch(), path: image.copy("steps") };
    let theirs = image.copy("theirs");
    let files = all_files(&before);
    assert!(files.len() >= 17, "{context}: {} files", files.len());

    let target = case.target_blocks * case.block_size + seed % case.block_size;
    image.set_len(target);
    let grown =
        grow(&image.open(), target, NOW.into()).unwrap_or_else(|e| panic!("{context}: {e}"));
    assert_clean(&image.path, &[], &context);
    // mke2fs leaves parts uninitialized that a backup needs; growing completes them.
    if unreadable_backups(&image.path) {
        count(tally, "e2fsck cannot read the backups");
    } else if grown.blocks > grown.old_blocks {
        assert_clean_from_backup(&image.path, &context);
    }
    same::assert_only_metadata_changed(&before, &image.path, &context);
    assert_eq!(all_files(&image.path), files, "{context}");
    let account = Account::of(&image.path);
    let cluster = u64::from(geometry(&image.path).cluster_blocks);
    let (ours, free, free_inodes) = all_counts(&image.path);
    assert_eq!(account.free() * cluster, free, "{context}: {account:?}");
    assert_eq!(ours.blocks, grown.blocks, "{context}");

    let again = grow(&image.open(), target, (NOW + 1).into()).unwrap();
    assert_eq!((again.blocks, again.bytes_written), (grown.blocks, 0), "{context}: once more");

    steps.set_len(case.between * case.block_size);
    grow(&steps.open(), case.between * case.block_size, NOW.into()).unwrap();
    assert_clean(&steps.path, &[], &format!("{context}: to {} blocks", case.between));
    steps.set_len(target);
    grow(&steps.open(), target, NOW.into()).unwrap();
    // In the first step such a filesystem gets backups, for which a last group must have room in
    // the second step. Where a backup was in between, the tables come later in their group.
    let two = case.options.contains("sparse_super2");
    if two && grown.old_groups < 3 && geometry(&steps.path).blocks != grown.blocks {
        count(tally, "in two steps without a last group for want of room for backups");
    } else if two {
        let counts = |path| {
            let (counts, free, free_inodes) = all_counts(path);
            ((counts.blocks, counts.inodes, counts.groups, free_inodes), free)
        };
        let (stepwise, once) = (counts(&steps.path), counts(&image.path));
        assert_eq!(stepwise.0, once.0, "{context}: in two steps");
        // In another place, tables can take one more cluster.
        let most = if cluster > 1 { cluster } else { 0 };
        assert!(stepwise.1.abs_diff(once.1) <= most, "{context}: {stepwise:?} {once:?}");
        count(tally, "in two steps with another place for a backup in between");
    } else {
        same::assert_same_filesystem(&image.path, &steps.path, grown.old_blocks, &context);
    }

    if target <= 48 * MIB && grown.blocks > grown.old_blocks {
        into_garbage(&case, &before, target, &context);
        count(tally, "also into garbage, and lazily");
    }

    for what in kinds(&case, &grown) {
        count(tally, what);
    }
    let defect = oracle::resize2fs(&case, &theirs);
    if let Some(defect) = defect {
        count(tally, format!("resize2fs: {defect:?}"));
    }
    if defect == Some(Defect::Destroyed) {
        assert_eq!(in_superblock(&image.path), in_superblock(&theirs), "{context}");
        return false;
    }
    if defect == Some(Defect::NoRoomToMove) {
        return false;
    }
    let (mut their_counts, mut their_free, mut their_free_inodes) = all_counts(&theirs);
    if their_counts.blocks < ours.blocks {
        // It uses the old reserve to decide about the last group, and adds the group in a second
        // run.
        count(tally, "resize2fs: only at a second go");
        let _ = oracle::resize2fs(&case, &theirs);
        (their_counts, their_free, their_free_inodes) = all_counts(&theirs);
        // The reserve was rounded twice.
        assert!(ours.reserved - their_counts.reserved <= 1, "{context}");
        their_counts.reserved = ours.reserved;
    }
    assert_eq!(ours, their_counts, "{context}");
    assert_eq!(free_inodes, their_free_inodes, "{context}");
    assert_eq!(all_files(&theirs), files, "{context}: resize2fs");
    let their_account = Account::of(&theirs);
    assert_eq!(their_account.free() * cluster, their_free, "{context}: {their_account:?}");
    // Tables take the same number of blocks everywhere, unless they share clusters. So do backups,
    // unless only one of the two uses meta_bg.
    if cluster == 1 {
        assert_eq!(account.tables, their_account.tables, "{context}");
        // Blocks that resize2fs moves may need more extents.
        assert!(account.inodes == their_account.inodes || grown.meta_bg, "{context}");
    }
    let same_base = account.base == their_account.base;
    let may_differ = grown.meta_bg || case.options.contains("num_backup_sb");
    assert!(same_base || may_differ, "{context}: {account:?}, resize2fs: {their_account:?}");
    if cluster == 1 && same_base && account.inodes == their_account.inodes {
        assert_eq!(free, their_free, "{context}");
        count(tally, "the same free count");
    } else {
        count(tally, "another free count, explained by clusters or meta_bg");
    }
    true
}

/// Grows the filesystem over garbage, and once more lazily.
fn into_garbage(case: &Case, before: &Path, target: u64, context: &str) {
    for lazily in [false, true] {
        let image = Image { dir: scratch(), path: case.image.dir.path().join("garbage") };
        output_of("cp", &["--sparse=always", before.to_str().unwrap(), image.path()]);
        image.extend_with_garbage(target);
        let grow = if lazily { grow_lazily } else { grow };
        grow(&image.open(), target, NOW.into()).unwrap();
        let context = format!("{context}: into garbage, lazily: {lazily}");
        assert_clean(&image.path, &[], &context);
        if !lazily && !unreadable_backups(&image.path) {
            assert_clean_from_backup(&image.path, &context);
        }
        same::assert_only_metadata_changed(before, &image.path, &context);
    }
}

/// e2fsck 1.47 does not find the copies of the descriptors of a filesystem with meta_bg from the
/// first block on, clusters, and blocks of 1 KiB, not even as mke2fs makes it.
fn unreadable_backups(image: &Path) -> bool {
    let geometry = geometry(image);
    let Some(meta) = geometry.first_meta_bg else { return false };
    // A backup in a meta group has no descriptors of the groups before.
    let first = geometry.backup_groups().first().copied().unwrap_or_default();
    let alone = meta > 0 && first / geometry.descriptors_per_block() >= meta;
    alone || meta == 0 && geometry.cluster_blocks > 1 && geometry.block_size == 1024
}

/// The counts that growing decides, as the superblock has them.
fn in_superblock(image: &Path) -> (u64, u32, u64, u32) {
    let storage = FileStorage::open(image).unwrap();
    let superblock = Superblock::read(&storage).unwrap();
    let (blocks, inodes) = (superblock.s_blocks_count(), superblock.s_inodes_count());
    (blocks, inodes, superblock.s_r_blocks_count(), geometry(image).groups)
}

/// The properties of a case that are counted.
fn kinds(case: &Case, grown: &ext4_offline::Grown) -> Vec<&'static str> {
    let options = &case.options;
    [
        (grown.blocks == grown.old_blocks, "nothing to gain"),
        (grown.groups > grown.old_groups, "new groups"),
        (grown.meta_bg, "taken to meta_bg"),
        (options.contains("bigalloc"), "bigalloc"),
        (options.contains(",meta_bg"), "meta_bg before"),
        (options.contains("sparse_super2"), "sparse_super2"),
        (options.contains("-b 65536"), "blocks of 64 KiB"),
        (options.contains("-I 128"), "inodes of 128 bytes"),
    ]
    .into_iter()
    .filter_map(|(is, what)| is.then_some(what))
    .collect()
}
