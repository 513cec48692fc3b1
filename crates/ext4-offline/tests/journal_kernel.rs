//! Journals of filesystems that were copied while the kernel had them mounted, replayed by this
//! crate, the kernel and e2fsck. This needs root and loop devices; without them the tests print a
//! message and check nothing.
#![allow(missing_docs)]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::{Layer, Memory, ReadAt, WriteAt};
use common::{journal::*, mount::*, *};
use ext4_offline::{Error, Replayed, recover, replay_journal};

/// A block of a file that must be escaped if data is journaled.
fn looks_like_a_journal(number: usize) -> Vec<u8> {
    let mut bytes = vec![number as u8; 9000];
    for block in bytes.chunks_mut(1024) {
        put(block, 0, MAGIC);
    }
    bytes
}

/// Writes, renames and removes files and directories, and copies the image from time to time.
fn work(image: &Path, point: &Path, rounds: usize) -> Vec<Vec<u8>> {
    let mut copies = Vec::new();
    for number in 0..rounds {
        let directory = point.join(format!("new-{}", number % 7));
        fs::create_dir_all(&directory).unwrap();
        for file in 0..4 {
            write_synced(&directory.join(format!("{file}")), &looks_like_a_journal(number + file));
        }
        let moved = point.join(format!("moved-{number}"));
        fs::rename(directory.join("0"), &moved).unwrap();
        write_synced(&point.join("again"), &vec![number as u8; 100 * number]);
        if number % 3 == 2 {
            fs::remove_dir_all(&directory).unwrap();
            fs::remove_file(&moved).unwrap();
        }
        fs::File::open(point).unwrap().sync_all().unwrap();
        if number % 5 == 4 || number < 2 {
            copies.push(fs::read(image).unwrap());
        }
    }
    copies
}

/// Replays in memory, and corrects the counts.
fn replay(image: Vec<u8>) -> Result<(Replayed, Vec<u8>, Vec<u8>), Error> {
    let layer: Arc<dyn WriteAt> =
        Arc::new(Layer::new(Arc::new(Memory::new(image.clone())), image.len() as u64));
    let storage = Memory::new(image);
    let replayed = replay_journal(&storage)?;
    recover(&layer, NOW.into())?;
    let recovered = layer.read_vec(0, layer.size() as usize)?;
    Ok((replayed, storage.into_bytes(), recovered))
}

/// The contents of a filesystem after the kernel has replayed its journal.
///
/// A read-only mount does not work, because it makes the loop device read-only as well.
fn kernel_contents(dir: &Path, image: &[u8]) -> BTreeMap<PathBuf, Vec<u8>> {
    let path = dir.join("kernel");
    fs::write(&path, image).unwrap();
    drop(try_mount(&path, "noatime").unwrap_or_else(|why| panic!("the copy: {why}")));
    let text = output_of("dumpe2fs", &["-h", path.to_str().unwrap()]);
    assert!(!text.contains("needs_recovery"), "{text}");
    contents(&path)
}

/// The contents of an image after a replay by e2fsck, or by debugfs if there are orphans, which
/// e2fsck would remove.
fn replayed_by_e2fsprogs(dir: &Path, image: &[u8], context: &str) -> Vec<u8> {
    let (content, text, theirs) = e2fsck_replays(image);
    if !text.contains("rphan") {
        assert!(content, "{context}: {text}");
        return theirs;
    }
    let path = dir.join("debugfs");
    fs::write(&path, image).unwrap();
    output_of("debugfs", &["-w", "-R", "jr", path.to_str().unwrap()]);
    fs::read(&path).unwrap()
}

/// Replays a copy in three ways.
fn compare(dir: &Path, image: &[u8], context: &str) -> Replayed {
    let (replayed, ours) = compare_with_kernel(dir, image, context);
    assert_same(&ours, &replayed_by_e2fsprogs(dir, image, context), context);
    replayed
}

/// Replays a copy in two ways. Also returns the result of this crate.
fn compare_with_kernel(dir: &Path, image: &[u8], context: &str) -> (Replayed, Vec<u8>) {
    let (replayed, ours, settled) = match replay(image.to_vec()) {
        Ok(done) => done,
        Err(error) => panic!("{context}: {error}"),
    };
    let path = dir.join("ours");
    let superblock = &settled[1024..2048];
    // s_last_orphan and orphan_present.
    let has_orphans = superblock[0xe8..0xec] != [0; 4] || superblock[0x66] & 1 != 0;
    fs::write(&path, &settled).unwrap();
    if has_orphans {
        // The copy was made while a file was being removed.
        run("e2fsck", &["-p", path.to_str().unwrap()]);
    }
    assert_clean(&path, &[], context);
    let kernel = kernel_contents(dir, image);
    assert!(kernel == contents(&path), "{context}: the kernel has other files");
    (replayed, ours)
}

/// Keeps only the beginning of the log, and zeroes the rest. Returns the number of blocks that are
/// left.
fn cut_log(image: &mut [u8], journal: &[u64], random: &mut Random) -> usize {
    let size = 1024usize << image[1024 + 0x18];
    let place = |block: usize| journal[block] as usize * size..(journal[block] as usize + 1) * size;
    let start = get(&image[place(0)], 0x1c) as usize;
    let log = journal.len() - 1;
    let at = |index: usize| (start - 1 + index) % log + 1;
    // Most logs are short, so the length depends on the log.
    let used = (0..log).take_while(|&index| image[place(at(index))].iter().any(|&b| b != 0));
    let kept = random.below(used.count() as u64 + 1) as usize;
    for index in kept..log {
        image[place(at(index))].fill(0);
    }
    kept
}

#[test]
fn copies_of_mounted_filesystems_replay_as_by_the_kernel() {
    if !is_root() {
        return;
    }
    let legacy = "-O ^metadata_csum,^64bit,uninit_bg";
    let modern = "-O metadata_csum,64bit,orphan_file";
    let mut random = Random(3);
    let mut total = Replayed::default();
    let (mut copies, mut cuts, mut cuts_in_kernel) = (0, 0, 0);
    for (arguments, options) in [
        (format!("-t ext4 -b 4096 -J size=4 {legacy}"), "data=ordered"),
        (format!("-t ext4 -b 1024 -J size=1 {legacy}"), "data=journal"),
        ("-t ext3 -b 1024 -J size=1".to_owned(), "data=ordered"),
        ("-t ext3 -b 2048 -J size=2".to_owned(), "data=journal"),
        (format!("-t ext4 -b 4096 -J size=4 {legacy}"), "journal_checksum"),
        (format!("-t ext4 -b 1024 -J size=1 {legacy}"), "journal_checksum,data=journal"),
        (format!("-t ext4 -b 1024 -J size=1 {legacy}"), "journal_async_commit,data=writeback"),
        (format!("-t ext4 -b 4096 -J size=4 {modern}"), "data=ordered"),
        (format!("-t ext4 -b 4096 -J size=4 {modern}"), "data=journal"),
        (format!("-t ext4 -b 1024 -J size=1 {modern}"), "data=journal"),
        (format!("-t ext4 -b 1024 -J size=1 {modern}"), "journal_async_commit,data=writeback"),
    ] {
        let image = make(&arguments, 16 * MIB);
        let Some(mounted) = mount(&image.path, &format!("commit=60,{options}")) else { return };
        let dirty = work(&image.path, &mounted.0, if thorough() { 60 } else { 6 });
        drop(mounted);
        for (number, dirty) in dirty.iter().enumerate() {
            let context = format!("{arguments}, {options}, copy {number}");
            let replayed = compare(image.dir.path(), dirty, &context);
            total.transactions += replayed.transactions;
            total.blocks += replayed.blocks;
            total.revoked += replayed.revoked;
            copies += 1;
        }
        let journal = journal_blocks(&image.path);
        for round in 0..if thorough() { 40 } else { 2 } {
            let mut cut = random.pick(&dirty).clone();
            let kept = cut_log(&mut cut, &journal, &mut random);
            let context = format!("{arguments}, {options}, {kept} blocks of the log, {round}");
            let storage = Memory::new(cut.clone());
            let replayed = replay_journal(&storage).expect(&context);
            let ours = storage.into_bytes();
            let theirs = replayed_by_e2fsprogs(image.dir.path(), &cut, &context);
            assert_same(&ours, &theirs, &context);
            // Blocks that were cut off may be in place already; then the kernel has no consistent
            // filesystem.
            let path = image.dir.path().join("ours");
            fs::write(&path, ours).unwrap();
            let output = run("e2fsck", &["-f", "-n", path.to_str().unwrap()]);
            if round < 2 && output.status.success() {
                let kernel = kernel_contents(image.dir.path(), &cut);
                assert!(kernel == contents(&path), "{context}: the kernel has other files");
                cuts_in_kernel += 1;
            }
            total.transactions += replayed.transactions;
            cuts += 1;
        }
    }
    eprintln!(
        "CHECKED with the kernel: {copies} copies and {cuts_in_kernel} of {cuts} cut logs, {total:?}"
    );
    assert!(total.transactions > 100 && total.blocks > 500 && total.revoked > 5, "{total:?}");
}

#[test]
fn fast_commits_are_refused_by_name() {
    if !is_root() {
        return;
    }
    for arguments in [
        "-t ext4 -b 4096 -J size=8 -O metadata_csum,64bit,fast_commit",
        "-t ext4 -b 1024 -J size=4 -O ^metadata_csum,^64bit,fast_commit",
    ] {
        let image = make(arguments, 32 * MIB);
        let Some(mounted) = mount(&image.path, "commit=60") else { return };
        let (mut refused, mut replayed) = (0, 0);
        for number in 0..12 {
            for file in 0..5 {
                let path = mounted.0.join(format!("new-{number}-{file}"));
                write_synced(&path, &vec![file; 5000]);
            }
            if number % 3 == 0 {
                // A full commit makes the fast ones before it void.
                output_of("sync", &["-f", mounted.0.to_str().unwrap()]);
            }
            let dirty = fs::read(&image.path).unwrap();
            let storage = Memory::new(dirty.clone());
            match replay_journal(&storage) {
                Ok(_) => {
                    // e2fsck 1.47.0 takes void fast commits for an error.
                    let context = format!("{arguments}, {number}");
                    compare_with_kernel(image.dir.path(), &dirty, &context);
                    replayed += 1;
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("fast_commit"), "{text}");
                    assert!(storage.into_bytes() == dirty, "{arguments}: changed");
                    refused += 1;
                }
            }
        }
        eprintln!("CHECKED: {arguments}: {refused} refused, {replayed} replayed");
        assert!(refused > 0 && replayed > 0, "{arguments}: {refused} refused, {replayed} replayed");
    }
}

#[test]
fn a_log_in_which_the_filesystem_grew_is_replayed() {
    if !is_root() {
        return;
    }
    let arguments = "-t ext4 -b 1024 -J size=1 -O metadata_csum,64bit";
    let image = make(arguments, 12 * MIB);
    image.set_len(40 * MIB);
    let Some(mounted) = mount(&image.path, "commit=60") else { return };
    let device = output_of("findmnt", &["-n", "-o", "SOURCE", mounted.0.to_str().unwrap()]);
    let resized = run("resize2fs", &[device.trim()]);
    if !resized.status.success() {
        let why = String::from_utf8_lossy(&resized.stderr).trim().replace('\n', ", ");
        test_support::not_supported(&format!("the filesystem could not grow: {why}"));
        return;
    }
    write_synced(&mounted.0.join("new"), b"new");
    let dirty = fs::read(&image.path).unwrap();
    drop(mounted);
    let before = u32::from_le_bytes(dirty[1028..1032].try_into().unwrap());
    let (_, ours, _) = replay(dirty.clone()).unwrap();
    let after = u32::from_le_bytes(ours[1028..1032].try_into().unwrap());
    eprintln!("CHECKED: {before} blocks before the replay, {after} after");
    assert_eq!(after, 40 << 10);
    compare(image.dir.path(), &dirty, arguments);

    // Truncated at the end of the old filesystem, it must be refused.
    let short = Memory::new(dirty[..12 * MIB as usize].to_vec());
    let result = replay_journal(&short);
    assert!(result.is_err(), "{result:?}");
    assert!(short.into_bytes() == dirty[..12 * MIB as usize]);
}

#[test]
fn damage_is_refused_as_by_the_kernel() {
    if !is_root() {
        return;
    }
    let base = Base::make(FILESYSTEMS[1]);
    let dir = scratch();
    fs::write(dir.path().join("image"), &base.bytes).unwrap();
    if mount(&dir.path().join("image"), "noatime").is_none() {
        return;
    }
    type Damage = fn(&mut Journal, &[Written]);
    let cases: [(&str, Damage); 9] = [
        ("nothing", |_, _| {}),
        ("data in the middle", |j, w| j.flip(w[1].data[3], 50)),
        ("data at the end", |j, w| j.flip(w[2].data[3], 50)),
        ("the last commit", |j, w| j.flip(w[2].commit.unwrap(), 0x12)),
        ("the last commit's rest", |j, w| j.flip(w[2].commit.unwrap(), 900)),
        ("an early commit", |j, w| j.flip(w[0].commit.unwrap(), 0x12)),
        ("a commit's sequence", |j, w| j.flip(w[1].commit.unwrap(), 8)),
        ("a descriptor", |j, w| j.flip(w[1].descriptors[0], 900)),
        ("a revoke block", |j, w| j.flip(w[1].revokes[0], 900)),
    ];
    let (mut accepted, mut refused, mut only_ours) = (0, 0, Vec::new());
    let mut formats = vec![Format::new(Csum::None, true), Format::new(Csum::V1, true)];
    formats.push(Format { async_commit: true, ..Format::new(Csum::V1, true) });
    formats.push(Format::new(Csum::V3, true));
    formats.push(Format { async_commit: true, ..Format::new(Csum::V3, true) });
    for format in formats {
        for (what, damage) in &cases {
            let context = format!("{format:?}: {what}");
            let (mut journal, written) = three(&base, format);
            damage(&mut journal, &written);
            let storage = Memory::new(journal.image.clone());
            let ours = replay_journal(&storage);
            let path = dir.path().join("kernel");
            fs::write(&path, &journal.image).unwrap();
            let kernel = try_mount(&path, "noatime");
            match (&ours, kernel.is_ok()) {
                (Ok(_), true) => {
                    drop(kernel);
                    let (ours, theirs) = (storage.into_bytes(), fs::read(&path).unwrap());
                    for &block in base.targets.iter().rev().take(30) {
                        let place = block as usize * 1024..(block as usize + 1) * 1024;
                        assert!(ours[place.clone()] == theirs[place], "{context}: block {block}");
                    }
                    accepted += 1;
                }
                (Err(_), false) => refused += 1,
                (Err(error), true) => only_ours.push(format!("{context}: {error}")),
                (Ok(_), false) => panic!("{context}: the kernel does not take it"),
            }
        }
    }
    eprintln!("CHECKED: {accepted} replayed, {refused} refused by both, by us: {only_ours:#?}");
    assert!(accepted > 15 && refused > 8, "{accepted} {refused}");
}
