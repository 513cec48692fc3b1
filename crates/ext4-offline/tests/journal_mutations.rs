//! Damaged journals: any log is replayed as by e2fsck, or refused without a write.
#![allow(missing_docs)]

mod common;

use std::{collections::BTreeMap, time::Instant};

use block_io::Memory;
use common::{journal::*, *};
use ext4_offline::replay_journal;

/// Changes a few bytes of the journal's superblock or of the log, often with checksums that match
/// again, to reach the code behind the checksums.
fn mutate(journal: &mut Journal, log: &[u32], random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let value = *random.pick(&[1, 2, 8, 0x10, 0x80, 0xff, 0x55]);
        if random.below(4) == 0 {
            let limit = if random.below(4) == 0 { 1024 } else { 0x58 };
            journal.superblock[random.below(limit) as usize] ^= value;
            if random.below(3) > 0 {
                journal.write_superblock();
            } else {
                let start = journal.blocks[0] as usize * journal.block_size;
                journal.image[start..start + 1024].copy_from_slice(&journal.superblock);
            }
            continue;
        }
        let at = *random.pick(log);
        let limit = *random.pick(&[16, 64, journal.block_size as u64]);
        let byte = random.below(limit) as usize;
        let start = journal.blocks[at as usize] as usize * journal.block_size;
        journal.image[start + byte] ^= value;
        if random.below(2) == 0 {
            journal.reseal(at);
        }
    }
}

#[test]
fn damaged_logs_are_replayed_as_by_e2fsck_or_refused() {
    let rounds = if thorough() { 4000 } else { 300 };
    let mut random = Random(11);
    let bases = [Base::make(FILESYSTEMS[1]), Base::make(FILESYSTEMS[0])];
    let formats = Format::all();
    let (mut alike, mut torn, mut refused, mut unclear) = (0, 0, 0, 0);
    let mut only_ours: BTreeMap<String, u32> = BTreeMap::new();
    let mut slowest = 0;
    for round in 0..rounds {
        let base = random.pick(&bases);
        let format = *random.pick(&formats);
        let mut journal = base.begin(format, 1 + random.below(1023) as u32, 9);
        let start = journal.at;
        random_log(&mut journal, &base.targets, &mut random);
        // Most blocks are data, which is least interesting.
        let log: Vec<u32> = (0..1023)
            .map(|index| (start - 1 + index) % 1023 + 1)
            .take_while(|&at| at != journal.at)
            .filter(|&at| journal.begins_with_magic(at) || random.below(8) == 0)
            .collect();
        if log.is_empty() {
            continue;
        }
        mutate(&mut journal, &log, &mut random);
        let context = format!("round {round}, {format:?}, start {start}");
        let storage = Memory::new(journal.image.clone());
        let began = Instant::now();
        let result = replay_journal(&storage);
        slowest = slowest.max(began.elapsed().as_millis());
        let ours = storage.into_bytes();
        let (content, text, theirs) = e2fsck_replays(&journal.image);
        match (result, content) {
            (Ok(_), true) => {
                assert_same(&ours, &theirs, &context);
                alike += 1;
            }
            // Fields that version 1 does not have make e2fsck check, and so repair, the whole
            // filesystem. They are skipped here.
            (Ok(_), false) if journal.complete_commits() => {
                // The kernel accepts blocks whose rest is not zero, e2fsck does not.
                let storage = Memory::new(journal.image.clone());
                replay_journal(&storage).unwrap();
                let (content, text, theirs) = e2fsck_replays(&journal.image);
                assert!(content, "{context}: {text}");
                assert_same(&storage.into_bytes(), &theirs, &context);
                torn += 1;
            }
            (Ok(_), false) => {
                assert!(text.contains("from V1 journal"), "{context}: {text}");
                unclear += 1;
            }
            (Err(error), content) => {
                assert!(ours == journal.image, "{context}: refused, but changed: {error}");
                refused += 1;
                if content {
                    let kind = error.to_string().replace(|c: char| c.is_ascii_digit(), "");
                    *only_ours.entry(kind).or_default() += 1;
                }
            }
        }
    }
    eprintln!(
        "{alike} replayed alike, {torn} torn, {refused} refused, {unclear} unclear, at most {slowest} ms; \
         refused here alone: {only_ours:#?}"
    );
    assert!(alike > rounds / 4 && refused > rounds / 8, "{alike} replayed, {refused} refused");
    assert!(unclear * 20 < rounds, "{unclear} unclear");
    assert!(slowest < 5000, "{slowest} ms");
}
