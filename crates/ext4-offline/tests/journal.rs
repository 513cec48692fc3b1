//! Journals of every format, written block by block or by debugfs, replayed by
//! this crate and by e2fsck.
#![allow(missing_docs)]

mod common;

use std::fs;

use block_io::Memory;
use common::{journal::*, *};
use ext4_offline::{Error, Replayed, recount, replay_journal};

#[test]
fn random_logs_of_every_format_replay_as_by_e2fsck() {
    let rounds = if thorough() { 60 } else { 2 };
    let mut random = Random(7);
    let mut total = Replayed::default();
    let mut logs = 0;
    for arguments in FILESYSTEMS {
        let base = Base::make(arguments);
        for format in Format::all() {
            for round in 0..rounds {
                let start = 1 + random.below(1023) as u32;
                let sequence = if round % 2 == 0 { 5 } else { u32::MAX - 1 };
                let mut journal = base.begin(format, start, sequence);
                random_log(&mut journal, &base.targets, &mut random);
                let context = format!("{arguments}, {format:?}, round {round}, start {start}");
                let (replayed, _) = assert_replayed_alike(&journal.image, &context);
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

#[test]
fn damage_ends_the_log_or_is_refused() {
    // The damage, the formats in which it is noticed, and the expected result.
    enum Then {
        Refused,
        /// The same replay as by e2fsck, with this many transactions.
        Ends(u64),
    }
    for arguments in [FILESYSTEMS[1], FILESYSTEMS[3]] {
        let base = Base::make(arguments);
        for format in Format::all() {
            if format.version_1 || arguments == FILESYSTEMS[3] && format.bits64 {
                continue;
            }
            let strong = matches!(format.csum, Csum::V2 | Csum::V3);
            let any = strong || format.csum == Csum::V1;
            type Damage = fn(&mut Journal, &[Written]);
            let cases: [(&str, Damage, Then); 13] = [
                (
                    "a block of data in the middle",
                    |j, w| j.flip(w[1].data[3], 50),
                    // The checksum of the transaction ends the log early, but another one follows.
                    if any { Then::Refused } else { Then::Ends(3) },
                ),
                (
                    "a block of data at the end",
                    |j, w| j.flip(w[2].data[3], 50),
                    match format {
                        Format { csum: Csum::V1, async_commit: true, .. } => Then::Ends(2),
                        _ if any => Then::Refused,
                        _ => Then::Ends(3),
                    },
                ),
                (
                    "the last commit",
                    |j, w| j.flip(w[2].commit.unwrap(), 0x12),
                    if any && format.async_commit {
                        Then::Ends(2)
                    } else if any {
                        Then::Refused
                    } else {
                        // An unused field.
                        Then::Ends(3)
                    },
                ),
                (
                    "an early commit",
                    |j, w| j.flip(w[0].commit.unwrap(), 0x12),
                    if any { Then::Refused } else { Then::Ends(3) },
                ),
                (
                    "an early commit's sequence",
                    |j, w| j.flip(w[1].commit.unwrap(), 8),
                    Then::Ends(1),
                ),
                ("an early commit's magic", |j, w| j.flip(w[1].commit.unwrap(), 1), Then::Ends(1)),
                (
                    "an early commit's block type",
                    |j, w| j.flip(w[1].commit.unwrap(), 7),
                    Then::Ends(1),
                ),
                (
                    "a descriptor",
                    |j, w| j.flip(w[1].descriptors[0], 900),
                    if any { Then::Refused } else { Then::Ends(3) },
                ),
                ("a descriptor's sequence", |j, w| j.flip(w[1].descriptors[0], 11), Then::Ends(1)),
                ("a descriptor's magic", |j, w| j.flip(w[0].descriptors[0], 0), Then::Ends(0)),
                (
                    "a revoke block",
                    |j, w| j.flip(w[1].revokes[0], 900),
                    if strong { Then::Refused } else { Then::Ends(3) },
                ),
                ("a revoke block's sequence", |j, w| j.flip(w[2].revokes[0], 9), Then::Ends(2)),
                (
                    "the last revoke block's count",
                    |j, w| j.flip(w[2].revokes[0], 12),
                    Then::Refused,
                ),
            ];
            for (what, damage, then) in cases {
                let (mut journal, written) = three(&base, format);
                damage(&mut journal, &written);
                let context = format!("{arguments}, {format:?}: {what}");
                match then {
                    Then::Ends(transactions) => {
                        let (replayed, _) = assert_replayed_alike(&journal.image, &context);
                        assert_eq!(replayed.transactions, transactions, "{context}");
                    }
                    Then::Refused => {
                        let error = assert_refused(&journal.image, &context);
                        assert!(matches!(error, Error::Journal { .. }), "{context}: {error}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_commit_block_with_only_its_first_sector_counts() {
    let base = Base::make(FILESYSTEMS[3]);
    for csum in [Csum::V2, Csum::V3] {
        let (mut journal, written) = three(&base, Format::new(csum, true));
        let (_, whole) = assert_replayed_alike(&journal.image, "whole");
        let commit = written[2].commit.unwrap();
        for at in 512..4096 {
            journal.flip(commit, at);
        }
        let (result, torn) = replay(journal.image.clone());
        assert_eq!(result.unwrap().transactions, 3);
        let block = base.blocks[commit as usize] as usize;
        let mut differing = (0..torn.len()).filter(|&at| torn[at] != whole[at]);
        // The superblocks were compared with those of e2fsck.
        assert!(differing.all(|at| at / 4096 == block || (1024..2048).contains(&at)));
    }
}

#[test]
fn old_transactions_end_the_log() {
    let base = Base::make(FILESYSTEMS[1]);
    for format in Format::all() {
        if matches!(format.csum, Csum::None | Csum::V1) {
            continue;
        }
        for what in ["descriptor", "revoke", "commit"] {
            let (mut journal, _) = three(&base, format);
            journal.time = 1000;
            let target = base.targets[0];
            let block = vec![9; journal.block_size];
            let stale = journal.transaction(&[(target, block)], &[target], true);
            match what {
                "descriptor" => journal.flip(stale.descriptors[0], 500),
                "revoke" => journal.flip(stale.revokes[0], 500),
                _ => journal.flip(stale.commit.unwrap(), 0x12),
            }
            let context = format!("{format:?}, a stale {what} block");
            assert_eq!(assert_replayed_alike(&journal.image, &context).0.transactions, 3);
        }
    }
}

#[test]
fn a_log_as_long_as_its_area_is_replayed() {
    let base = Base::make(FILESYSTEMS[1]);
    let mut journal = base.begin(Format::new(Csum::V3, true), 700, 9);
    let changed = |count: usize, byte: u8| -> Vec<(u64, Vec<u8>)> {
        base.targets.iter().take(count).map(|&block| (block, vec![byte; 1024])).collect()
    };
    while (journal.at + 1023 - 700) % 1023 < 900 {
        journal.transaction(&changed(50, journal.at as u8), &[], true);
    }
    // The log has 1023 blocks, two of them for the descriptor and the commit.
    let left = 1023 - (journal.at + 1023 - 700) % 1023;
    let descriptors = left.div_ceil(64);
    journal.transaction(&changed((left - 1 - descriptors) as usize, 1), &[], true);
    assert_eq!(journal.at, 700, "the log does not fill its area");
    assert_replayed_alike(&journal.image, "a full log");
}

#[test]
fn journals_that_debugfs_wrote_replay_as_by_e2fsck() {
    let (mut alike, mut refused) = (0, 0);
    for (arguments, open) in [
        (FILESYSTEMS[0], "jo"),
        (FILESYSTEMS[1], "jo -c"),
        (FILESYSTEMS[1], "jo -c -v 2"),
        (FILESYSTEMS[2], "jo -c -v 2"),
        (FILESYSTEMS[2], "jo -c -v 3"),
        (FILESYSTEMS[3], "jo"),
        (FILESYSTEMS[3], "jo -c -v 3"),
    ] {
        let image = Base::image(arguments);
        let geometry = geometry(&image.path);
        let size = geometry.block_size as usize;
        // Free blocks of the last group; every third begins like a journal block. With many more,
        // debugfs 1.47.0 writes a second transaction over the first.
        let end = geometry.blocks;
        let journal = journal_blocks(&image.path);
        let free: Vec<u64> =
            (end - 700..end).filter(|block| !journal.contains(block)).take(200).collect();
        let data = image.dir.path().join("data");
        let mut bytes = Vec::new();
        for number in 0..free.len() {
            let mut block = vec![number as u8; size];
            if number % 3 == 0 {
                put(&mut block, 0, MAGIC);
            }
            bytes.extend(block);
        }
        fs::write(&data, bytes).unwrap();
        let (first, last) = (free[0], free[free.len() - 1]);
        let list: Vec<String> = free.iter().map(u64::to_string).collect();
        let all = format!("{open}\njw -b {} {}\n", list.join(","), data.display());
        for (what, commands) in [
            ("one long transaction", format!("{all}jc\n")),
            ("revoked", format!("{all}jw -r {first}-{last}\njc\n")),
            (
                "revoked and written",
                format!("{all}jw -r {first},{last}\njw -b {last} {0}\njc\n", data.display()),
            ),
            ("revoked unfinished", format!("{all}jw -c -r {first}-{last}\njc\n")),
            ("unfinished", format!("{all}jw -c -b {first} /dev/zero\njc\n")),
            ("opened twice", format!("{all}jc\n{open}\njw -b {first} /dev/zero\njc\n")),
        ] {
            let path = image.copy("dirty");
            let script = image.dir.path().join("script");
            fs::write(&script, commands).unwrap();
            let said = output_of(
                "debugfs",
                &["-w", "-f", script.to_str().unwrap(), path.to_str().unwrap()],
            );
            let context = format!("{arguments}, {open}, {what}");
            let dirty = fs::read(&path).unwrap();
            if !e2fsck_replays(&dirty).0 {
                // With some combinations, debugfs 1.47.0 writes checksums that e2fsck
                // rejects too.
                assert_refused(&dirty, &context);
                refused += 1;
                continue;
            }
            let (replayed, ours) = assert_replayed_alike(&dirty, &context);
            alike += 1;
            assert!(replayed.transactions > 0, "{context}: {replayed:?}, {said}");
            let storage = Memory::new(ours);
            recount(&storage).unwrap();
            assert_eq!(replay_journal(&storage).unwrap(), Replayed::default(), "{context}: again");
            fs::write(&path, storage.into_bytes()).unwrap();
            assert_clean(&path, &[], &context);
        }
    }
    eprintln!("{alike} replayed alike, {refused} refused by both");
    assert!(alike > 35, "{alike} replayed alike, {refused} refused by both");
}
