//! Journals in unusual states: which are refused, and which are still replayed.
#![allow(missing_docs)]

mod common;

use std::fs;

use block_io::Memory;
use common::{journal::*, *};
use ext4_offline::{Error, Replayed, grow, replay_journal};
use test_support::FaultInjector;

/// The image after setting or clearing features, without other changes.
fn with_features(image: &[u8], features: &str) -> Vec<u8> {
    let dir = scratch();
    let path = dir.path().join("image");
    fs::write(&path, image).unwrap();
    set_features(&path, features);
    fs::read(path).unwrap()
}

#[test]
fn a_superblock_in_the_log_is_applied() {
    let image = Base::image(FILESYSTEMS[1]);
    let blocks = journal_blocks(&image.path);
    set_features(&image.path, "needs_recovery");
    let before = fs::read(&image.path).unwrap();
    // A log with the changes of growing, on the filesystem before growing.
    set_features(&image.path, "^needs_recovery");
    image.set_len(20 * MIB);
    grow(&image.open(), 20 * MIB, NOW.into()).unwrap();
    let grown = fs::read(&image.path).unwrap();
    let mut small = before.clone();
    small.resize(grown.len(), 0);
    let changed: Vec<(u64, Vec<u8>)> = (0..grown.len() / 1024)
        .filter(|&block| small[block * 1024..][..1024] != grown[block * 1024..][..1024])
        .map(|block| (block as u64, grown[block * 1024..][..1024].to_vec()))
        .collect();
    assert!(changed.iter().any(|&(block, _)| block > 8 << 10), "nothing beyond the old end");
    let format = Format::new(Csum::V3, true);
    let mut journal = Journal::begin(&small, &blocks, format, 1, 9);
    journal.transaction(&changed, &[], true);
    let (replayed, ours) = assert_replayed_alike(&journal.image, "grown");
    assert_eq!(replayed.blocks, changed.len() as u64);
    assert_eq!(ours[1024..1032], grown[1024..1032], "not grown");
    fs::write(&image.path, &ours).unwrap();
    assert_clean(&image.path, &[], "grown");

    // The image ends with the old filesystem, so the log leads beyond it.
    let mut short = Journal::begin(&before, &blocks, format, 1, 9);
    short.transaction(&changed, &[], true);
    assert_refused(&short.image, "cut short");
    // Blocks beyond the end, without a superblock for the larger filesystem.
    let mut beyond = Journal::begin(&small, &blocks, format, 1, 9);
    beyond.transaction(&changed[changed.len() - 1..], &[], true);
    assert_refused(&beyond.image, "beyond the end");
    // An invalid superblock.
    for (at, byte) in [(0x38, 0), (0x3fc, 1), (0x18, 2), (0x60 + 3, 0x40)] {
        let mut damaged = Journal::begin(&before, &blocks, format, 1, 9);
        let mut superblock = before[1024..2048].to_vec();
        superblock[at] ^= 1 + byte;
        damaged.transaction(&[(1, superblock)], &[], true);
        assert_refused(&damaged.image, "a damaged superblock");
    }
}

#[test]
fn blocks_of_the_journal_itself_are_refused() {
    let base = Base::make(FILESYSTEMS[3]);
    for block in [0, 1, 500, 1023] {
        let mut journal = base.begin(Format::new(Csum::V3, true), 5, 9);
        journal.transaction(&[(base.blocks[block], vec![1; 4096])], &[], true);
        let error = assert_refused(&journal.image, "its own block");
        assert!(error.to_string().contains("in the journal itself"), "{error}");
    }
    let mut journal = base.begin(Format::new(Csum::None, true), 5, 9);
    journal.transaction(&[(u64::MAX, vec![1; 4096])], &[u64::MAX - 1], true);
    let error = assert_refused(&journal.image, "nowhere");
    assert!(error.to_string().contains("beyond the end"), "{error}");
}

#[test]
fn an_error_in_the_journal_is_recorded_in_the_filesystem() {
    let base = Base::make(FILESYSTEMS[1]);
    for csum in [Csum::None, Csum::V3] {
        let (mut journal, _) = three(&base, Format::new(csum, true));
        put(&mut journal.superblock, 0x20, -5i32 as u32);
        journal.write_superblock();
        let (_, ours) = assert_replayed_alike(&journal.image, "s_errno");
        assert_eq!(ours[1024 + 0x3a] & 2, 2);
        // Without a log, and without the mark for a replay.
        put(&mut journal.superblock, 0x1c, 0);
        journal.write_superblock();
        assert_replayed_alike(&journal.image, "s_errno, empty");
        let (result, ours) = replay(with_features(&journal.image, "^needs_recovery"));
        assert_eq!(result.unwrap(), Replayed::default());
        assert_eq!(ours[1024 + 0x3a] & 2, 2);
        assert_eq!(replay(ours.clone()).1, ours);
    }
}

#[test]
fn unknown_features_are_refused_by_name() {
    let base = Base::make(FILESYSTEMS[1]);
    let (journal, _) = three(&base, Format::new(Csum::V3, true));
    let changed = |at: usize, value: u32| {
        let (mut journal, _) = three(&base, Format::new(Csum::V3, true));
        put(&mut journal.superblock, at, value);
        journal.write_superblock();
        journal.image
    };
    for (at, value, name) in [
        (0x0, 1, "not a journal's superblock"),
        (0x4, 1, "h_blocktype"),
        (0x4, 9, "h_blocktype"),
        (0xc, 2048, "s_blocksize"),
        (0x10, 1025, "s_maxlen"),
        (0x10, 1023, "s_maxlen"),
        (0x10, 0, "s_maxlen"),
        (0x14, 0, "s_first"),
        (0x14, 1024, "s_first"),
        (0x1c, 1024, "s_start"),
        (0x1c, u32::MAX, "s_start"),
        (0x24, 1, "several kinds of checksums"),
        (0x28, 0x1b, "several kinds of checksums"),
        (0x28, 0x53, "FEATURE_I6"),
        (0x28, 0x8000_0013, "FEATURE_I31"),
        (0x28, 0x33, "s_maxlen leaves"),
        (0x2c, 2, "FEATURE_R1"),
        (0x40, 2, "s_nr_users"),
        (0x50, 0x0100_0000, "s_checksum_type"),
    ] {
        let error = assert_refused(&changed(at, value), name).to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
    // Compatible features are harmless by definition.
    assert_replayed_alike(&changed(0x24, 0x100), "an unknown compatible feature");

    let mut checksum = journal.image.clone();
    checksum[base.blocks[0] as usize * 1024 + 0x200] ^= 1;
    assert!(assert_refused(&checksum, "checksum").to_string().contains("checksum"));

    let unasked = with_features(&journal.image, "^needs_recovery");
    let error = assert_refused(&unasked, "unasked").to_string();
    assert!(error.contains("needs_recovery is not set"), "{error}");
    let without = with_features(&journal.image, "^has_journal");
    let error = assert_refused(&without, "no journal").to_string();
    assert!(error.contains("has_journal"), "{error}");

    // On a filesystem without checksums, to change the superblock by hand.
    let base = Base::make(FILESYSTEMS[0]);
    let (journal, _) = three(&base, Format::new(Csum::None, false));
    let mut external = journal.image.clone();
    external[1024 + 0xd0] = 1;
    assert!(matches!(assert_refused(&external, "UUID"), Error::ExternalJournal));
    let mut external = journal.image.clone();
    external[1024 + 0xe0..1024 + 0xe4].fill(0);
    assert!(matches!(assert_refused(&external, "nowhere"), Error::InodeNumber { inode: 0, .. }));
    external[1024 + 0xe4] = 8;
    assert!(matches!(assert_refused(&external, "device"), Error::ExternalJournal));
    external[1024 + 0x60] &= !4;
    assert_eq!(replay(external).0.unwrap(), Replayed::default());
    let mut number = journal.image.clone();
    number[1024 + 0xe3] = 0xff;
    assert!(matches!(assert_refused(&number, "number"), Error::InodeNumber { .. }));
    number[1024 + 0xe3] = 0;
    number[1024 + 0xe0] = 2;
    let error = assert_refused(&number, "a directory").to_string();
    assert!(error.contains("not a regular file"), "{error}");
    let none = Image::make("-t ext2 -b 1024", 4 * MIB);
    assert_eq!(replay(fs::read(&none.path).unwrap()).0.unwrap(), Replayed::default());
}

#[test]
fn a_log_without_end_is_refused() {
    let base = Base::make(FILESYSTEMS[1]);
    for format in [Format::new(Csum::None, false), Format::new(Csum::V1, false)] {
        let mut journal = base.begin(format, 1, 9);
        // Descriptor and revoke blocks all around, without a commit.
        for at in 1..1024 {
            let mut block = vec![0; 1024];
            put(&mut block, 0, MAGIC);
            put(&mut block, 4, if at % 2 == 0 { 5 } else { 1 });
            put(&mut block, 8, 9);
            put(&mut block, 16, 8);
            journal.write(at, &block);
        }
        let error = assert_refused(&journal.image, "no end").to_string();
        assert!(error.contains("runs into its own beginning"), "{error}");
    }
}

#[test]
fn fast_commits_are_refused_but_not_their_empty_area() {
    let image = Base::image("-t ext4 -b 1024 -J size=2 -O metadata_csum,64bit,fast_commit");
    let blocks = journal_blocks_of(&image.path, 2064);
    set_features(&image.path, "needs_recovery");
    let bytes = fs::read(&image.path).unwrap();
    let targets = targets(&image.path, &blocks);
    let format = Format { fast_commit: 16, ..Format::new(Csum::V3, true) };
    for (next, features, refused) in
        [(0, 0, true), (1, 0, false), (u32::MAX, 0, false), (5, 1, true)]
    {
        // It ends before the end of the log, because e2fsck 1.47.0 would continue into the area
        // of fast commits.
        let mut journal = Journal::begin(&bytes, &blocks, format, 1000, 77);
        for &target in targets.iter().take(3) {
            journal.transaction(&[(target, vec![7; 1024])], &[], true);
        }
        let mut head = vec![0; 1024];
        head[0] = 9;
        head[2] = 8;
        head[4] = features;
        head[8..12].copy_from_slice(&journal.sequence.wrapping_add(next).to_le_bytes());
        let first = journal.last() + 1;
        journal.write(first, &head);
        let context = format!("a head with transaction {next} and features {features}");
        if refused {
            let error = assert_refused(&journal.image, &context);
            assert!(matches!(error, Error::JournalFeature { .. }), "{error}");
            assert!(error.to_string().contains("fast_commit"), "{error}");
        } else {
            // e2fsck 1.47.0 reports an error where the kernel ignores the area, so it gets an
            // empty one.
            let (result, with_head) = replay(journal.image.clone());
            assert_eq!(result.unwrap().transactions, 3, "{context}");
            journal.write(first, &[0; 1024]);
            let (_, without) = assert_replayed_alike(&journal.image, &context);
            let differing = (0..without.len()).filter(|&at| without[at] != with_head[at]);
            let block = blocks[first as usize] as usize;
            assert!(differing.into_iter().all(|at| at / 1024 == block), "{context}");
        }
    }
    // The log wraps around before that area.
    let mut journal = Journal::begin(&bytes, &blocks, format, 2030, 77);
    for &target in targets.iter().take(20) {
        journal.transaction(&[(target, vec![7; 1024])], &[], true);
    }
    assert!(journal.at < 100);
    assert_eq!(replay(journal.image).0.unwrap().transactions, 20);
}

#[test]
fn an_interrupted_replay_can_be_started_again() {
    let base = Base::make(FILESYSTEMS[1]);
    let (mut journal, _) = three(&base, Format::new(Csum::V3, true));
    put(&mut journal.superblock, 0x20, 5);
    journal.write_superblock();
    // The superblock is in the log too, without the mark for a replay.
    let superblock = with_features(&journal.image, "^needs_recovery")[1024..2048].to_vec();
    journal.transaction(&[(1, superblock)], &[], true);
    let (_, whole) = assert_replayed_alike(&journal.image, "whole");

    let counter = FaultInjector::new(Memory::new(journal.image.clone()), u64::MAX, u64::MAX);
    replay_journal(&counter).unwrap();
    let (reads, writes) = (counter.reads(), counter.writes());
    assert!(writes > 12, "{writes}");
    for write in 0..writes {
        let storage = Memory::new(journal.image.clone());
        let faulty = FaultInjector::new(&storage, u64::MAX, write);
        assert!(matches!(replay_journal(&faulty), Err(Error::Storage(_))));
        let (result, mut again) = replay(storage.into_bytes());
        result.unwrap_or_else(|error| panic!("after write {write}: {error}"));
        // After emptying the log, the next sequence number is one higher.
        let sequence = base.blocks[0] as usize * 1024;
        for range in [0x18..0x1c, 0xfc..0x100] {
            let (from, to) = (sequence + range.start, sequence + range.end);
            again[from..to].copy_from_slice(&whole[from..to]);
        }
        assert_same(&again, &whole, &format!("after write {write}"));
    }
    for read in 0..reads {
        let storage = Memory::new(journal.image.clone());
        let faulty = FaultInjector::new(&storage, read, u64::MAX);
        assert!(matches!(replay_journal(&faulty), Err(Error::Storage(_))), "read {read}");
    }
}

#[test]
fn damage_to_the_journals_inode_does_not_panic() {
    let mut random = Random(5);
    let mut refused = 0;
    let rounds = if thorough() { 20_000 } else { 1000 };
    // Without checksums, so that the damage is not noticed earlier.
    let base = Base::make(FILESYSTEMS[0]);
    let (journal, _) = three(&base, Format::new(Csum::None, false));
    let table = u32::from_le_bytes(journal.image[2056..2060].try_into().unwrap()) as usize * 1024;
    // The superblock, the first descriptor, the journal's inode and the first
    // of its indirect blocks.
    let inode = table
        + 7 * usize::from(journal.image[1024 + 0x58])
        + 7 * 256 * usize::from(journal.image[1024 + 0x59]);
    let pointer = inode + 0x28 + 48;
    let indirect = u32::from_le_bytes(journal.image[pointer..pointer + 4].try_into().unwrap());
    let places = [
        1024..1024 + 0x180,
        2048..2080,
        inode..inode + 128,
        indirect as usize * 1024..indirect as usize * 1024 + 1024,
    ];
    for _ in 0..rounds {
        let mut image = journal.image.clone();
        for _ in 0..1 + random.below(3) {
            let place = random.pick(&places).clone();
            let at = place.start + random.below(place.len() as u64) as usize;
            image[at] ^= *random.pick(&[1, 4, 0x80, 0xff]);
        }
        let (result, after) = replay(image.clone());
        if result.is_err() {
            assert!(image == after, "refused, but changed");
            refused += 1;
        }
    }
    assert!(refused > rounds / 10 && refused < rounds, "{refused} of {rounds}");
}
