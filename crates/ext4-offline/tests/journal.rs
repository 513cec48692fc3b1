//! Journals of every format, written block by block or by debugfs, replayed by
//! this crate and by e2fsck.
#![allow(missing_docs)]

mod common;

use std::path::Path;

use block_io::FileStorage;
use common::{journal::*, *};
use ext4_offline::{Error, Replayed, Result, recount, replay_journal};

/// Filesystems whose journal is mapped by extents and by indirect blocks, of
/// all block sizes.
const FILESYSTEMS: [&str; 4] = [
    "-t ext3 -b 1024 -J size=1 -O ^resize_inode",
    "-t ext4 -b 1024 -J size=1 -O metadata_csum,64bit",
    "-t ext4 -b 2048 -J size=2 -O ^metadata_csum,^64bit,uninit_bg",
    "-t ext4 -b 4096 -J size=4 -O metadata_csum,64bit",
];

fn replay(image: &Path) -> Result<Replayed> {
    replay_journal(&FileStorage::open_writable(image).unwrap())
}

fn copy(from: &Path, name: &str) -> std::path::PathBuf {
    let to = from.with_file_name(name);
    output_of("cp", &["--sparse=always", from.to_str().unwrap(), to.to_str().unwrap()]);
    to
}

/// Replays two copies of an image, and compares them.
fn assert_replayed_alike(image: &Path, context: &str) -> Replayed {
    let (ours, theirs) = (copy(image, "ours"), copy(image, "theirs"));
    let (content, text) = e2fsck_replays(&theirs);
    assert!(content, "{context}: {text}");
    let replayed = replay(&ours).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_same(&ours, &theirs, context);
    replayed
}

/// Panics unless an image is refused and left alone.
fn assert_refused(image: &Path, context: &str) -> Error {
    let ours = copy(image, "ours");
    let Err(error) = replay(&ours) else { panic!("{context}: was not refused") };
    assert!(std::fs::read(&ours).unwrap() == std::fs::read(image).unwrap(), "{context}: changed");
    error
}

/// Random contents; some have to be escaped.
fn contents(random: &mut Random, size: usize) -> Vec<u8> {
    let byte = random.below(256) as u8;
    let mut block = vec![byte; size];
    if random.below(4) == 0 {
        put(&mut block, 0, MAGIC);
    }
    block
}

/// Blocks of the filesystem that a log can replace without harm to what leads
/// to the journal.
fn targets(image: &Path, journal: &[u64]) -> Vec<u64> {
    let geometry = geometry(image);
    let half = geometry.blocks / 2;
    (half..geometry.blocks).filter(|block| !journal.contains(block)).collect()
}

/// Fills a log with a random history; some end with an unfinished transaction.
fn random_log(journal: &mut Journal, targets: &[u64], random: &mut Random) {
    // Few enough to meet again.
    let first = random.below(targets.len() as u64 - 600) as usize;
    let narrow = &targets[first..first + 20];
    let mut room = journal.last() - 2;
    let transactions = 1 + random.below(6);
    for number in 0..transactions {
        let count = match random.below(8) {
            // More than one descriptor block describes.
            0 => 300 + random.below(200),
            1 => 0,
            _ => random.below(12),
        };
        if u64::from(room) < count + 40 {
            break;
        }
        let from = if count > 20 { &targets[first..first + count as usize] } else { narrow };
        let blocks: Vec<(u64, Vec<u8>)> = (0..count)
            .map(|index| {
                let target = if count > 20 { from[index as usize] } else { *random.pick(from) };
                (target, contents(random, journal.block_size))
            })
            .collect();
        let revokes: Vec<u64> = match random.below(3) {
            0 => (0..random.below(8)).map(|_| *random.pick(narrow)).collect(),
            1 if number > 2 => (0..400).map(|index| targets[first + index]).collect(),
            _ => Vec::new(),
        };
        let before = journal.at;
        let commit = number + 1 < transactions || random.below(2) == 0;
        journal.transaction(&blocks, &revokes, commit);
        let used = (journal.at + journal.last() - before) % (journal.last() - 1);
        room = room.saturating_sub(used + 4);
        if random.below(8) == 0 {
            journal.time += 1000;
        }
    }
}

#[test]
fn random_logs_of_every_format_replay_as_by_e2fsck() {
    let rounds = if thorough() { 60 } else { 2 };
    let mut random = Random(7);
    let mut total = Replayed::default();
    let mut logs = 0;
    for arguments in FILESYSTEMS {
        let image = Image::make(arguments, 24 * MIB);
        let blocks = journal_blocks(&image.path);
        let targets = targets(&image.path, &blocks);
        for format in Format::all() {
            for round in 0..rounds {
                let path = image.copy("dirty");
                let start = 1 + random.below(1023) as u32;
                let sequence = if round % 2 == 0 { 5 } else { u32::MAX - 1 };
                let mut journal = Journal::begin(&path, &blocks, format, start, sequence);
                random_log(&mut journal, &targets, &mut random);
                let context = format!("{arguments}, {format:?}, round {round}, start {start}");
                let replayed = assert_replayed_alike(&path, &context);
                total.transactions += replayed.transactions;
                total.blocks += replayed.blocks;
                total.revoked += replayed.revoked;
                logs += 1;
            }
        }
    }
    eprintln!("{logs} logs: {total:?}");
    assert!(total.transactions > 200 && total.blocks > 1000 && total.revoked > 50, "{total:?}");
}
