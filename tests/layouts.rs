//! Base images with another layout than the reference board's.

use std::{fs, os::unix::fs::FileExt as _, path::Path};

use crate::support::*;

fn hostname(image: &Path, offset: u64) -> String {
    let target = format!("{}?offset={offset}", image.display());
    run("e2fsprogs", "debugfs", &["-R", "cat /etc/hostname", &target])
}

/// Returns a partition with a small ext4 for /boot, and data behind the filesystem.
fn boot_filesystem(bench: &Bench) -> Vec<u8> {
    let path = bench.path("boot.img");
    fs::File::create(&path).unwrap().set_len(6 * MIB).unwrap();
    run("e2fsprogs", "mke2fs", &["-q", "-t", "ext4", path.to_str().unwrap()]);
    let mut partition = fs::read(&path).unwrap();
    partition.resize(10 << 20, 0);
    partition[9 << 20..(9 << 20) + 8].copy_from_slice(b"the tail");
    partition
}

/// A GPT with an ext4 boot partition before the root partition. A card is correct even
/// where bmaptool skips unused blocks.
#[test]
fn gpt_with_an_ext4_boot_partition() {
    let bench = Bench::new();
    let root = root_filesystem(&bench);
    let boot = boot_filesystem(&bench);
    let sgdisk = ["sgdisk", "-n", "1:2048:+10M", "-n", "2:0:+32M"];
    let base = image(&bench, 48 * MIB, "gdisk", &sgdisk, &[(MIB, &boot), (11 * MIB, &root)]);
    let name = base.to_str().unwrap();
    bench.built(&["--base", name, "--card", "100MiB", "--node", "xu4-node1"]);

    let card = bench.path("card");
    fs::write(&card, vec![0xa5; 100 << 20]).unwrap();
    let made = bench.path("out/xu4-node1.img");
    run("bmap-tools", "bmaptool", &["copy", made.to_str().unwrap(), card.to_str().unwrap()]);
    for image in [&made, &card] {
        let verdict = run("gdisk", "sgdisk", &["--verify", image.to_str().unwrap()]);
        assert!(verdict.contains("No problems found"), "{verdict}");
        e2fsck_at(image, MIB);
        e2fsck_at(image, 11 * MIB);
        assert_eq!(hostname(image, 11 * MIB), "xu4-node1\n");
        assert_eq!(bytes(image, 10 * MIB, 8), b"the tail");
        // Both match the profile, including the boot area.
        let arguments = ["verify", "profile.yaml", "--base", name, image.to_str().unwrap()];
        let output = bench.nodecard(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn two_possible_roots_are_an_error_that_names_both() {
    let bench = Bench::new();
    let root = root_filesystem(&bench);
    let sgdisk = ["sgdisk", "-n", "1:2048:+32M", "-n", "2:0:+32M"];
    let base = image(&bench, 70 * MIB, "gdisk", &sgdisk, &[(MIB, &root), (33 * MIB, &root)]);
    let name = base.to_str().unwrap();
    let message = bench.refused(3, &["--base", name, "--card", "100MiB"]);
    for word in ["partitions 1 and 2", "--root"] {
        assert!(message.contains(word), "{message}");
    }
    bench.built(&["--base", name, "--card", "100MiB", "--node", "xu4-node1", "--root", "2"]);
    e2fsck_at(&bench.path("out/xu4-node1.img"), 33 * MIB);
}

/// A root in front of swap, at once or with room between them: it grows as far as it can, a note
/// says so, and the card passes `verify`.
#[test]
fn a_root_that_is_not_the_last_partition_grows_up_to_the_next_one() {
    let gpt = ["sgdisk", "-n", "1:2048:+32M", "-n", "2:0:+8M", "-t", "2:8200"];
    let gap = ["sgdisk", "-n", "1:2048:+32M", "-n", "2:98304:+8M", "-t", "2:8200"];
    let judge = |image: &Path| {
        let verdict = run("gdisk", "sgdisk", &["--verify", image.to_str().unwrap()]);
        assert!(verdict.contains("No problems found"), "{verdict}");
    };
    let stays = "partition 1 (root) does not grow, because partition 2 follows it";
    built_in_front(&gpt, 33, stays, judge);
    let grows = "partition 1 (root) grows by only 15.0 MiB, up to partition 2";
    built_in_front(&gap, 48, grows, judge);
}

#[test]
fn a_root_in_front_of_another_partition_of_an_mbr() {
    // Written by hand, because sfdisk reads its script from standard input.
    for (next, note) in [(33, "does not grow"), (48, "grows by only 15.0 MiB")] {
        let table = |image: &Path| {
            let file = fs::OpenOptions::new().write(true).open(image).unwrap();
            for (slot, start, size, kind) in [(0, 1, 32, 0x83), (1, next, 8, 0x82_u8)] {
                let mut entry = [0; 16];
                entry[4] = kind;
                entry[8..12].copy_from_slice(&(start * 2048_u32).to_le_bytes());
                entry[12..].copy_from_slice(&(size * 2048_u32).to_le_bytes());
                file.write_all_at(&entry, 446 + 16 * slot).unwrap();
            }
            file.write_all_at(&[0x55, 0xaa], 510).unwrap();
        };
        let bench = Bench::new();
        let root = root_filesystem(&bench);
        let base = image(&bench, 60 * MIB, "coreutils", &["true"], &[(MIB, &root)]);
        table(&base);
        check_in_front(&bench, &base, next.into(), note, |image| {
            let verdict = run("util-linux", "sfdisk", &["--verify", image.to_str().unwrap()]);
            assert!(verdict.contains("No errors detected"), "{verdict}");
        });
    }
}

/// Builds from a base partitioned by `program`, with the root at 1 MiB.
fn built_in_front(program: &[&str], end: u64, note: &str, judge: impl Fn(&Path)) {
    let bench = Bench::new();
    let root = root_filesystem(&bench);
    let base = image(&bench, 60 * MIB, "gdisk", program, &[(MIB, &root)]);
    check_in_front(&bench, &base, end, note, judge);
}

/// Builds a card whose root partition should end at `end` MiB, and checks it.
fn check_in_front(bench: &Bench, base: &Path, end: u64, note: &str, judge: impl Fn(&Path)) {
    let name = base.to_str().unwrap();
    let arguments = ["--base", name, "--card", "100MiB", "--node", "xu4-node1"];
    let output = bench.build(&arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{message}");
    assert!(one_line(&message).contains(note), "{message}");
    let made = bench.path("out/xu4-node1.img");
    judge(&made);
    e2fsck_at(&made, MIB);
    assert_eq!(hostname(&made, MIB), "xu4-node1\n");
    let target = format!("{}?offset={MIB}", made.display());
    let blocks = run("e2fsprogs", "dumpe2fs", &["-h", &target]);
    let count = blocks.lines().find_map(|line| line.strip_prefix("Block count:")).unwrap();
    let block = blocks.lines().find_map(|line| line.strip_prefix("Block size:")).unwrap();
    let [count, block] = [count, block].map(|number| number.trim().parse::<u64>().unwrap());
    assert!(count * block > (end - 2) * MIB && count * block <= (end - 1) * MIB, "{blocks}");

    let verify = |image: &str| {
        bench.nodecard(&["verify", "profile.yaml", "--base", name, image]).output().unwrap()
    };
    let output = verify(made.to_str().unwrap());
    let report = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    // The base itself has not grown where it could.
    let report = verify(name);
    let report = String::from_utf8_lossy(&report.stdout);
    assert_eq!(report.contains("not used by the root partition"), end > 33, "{report}");
}

/// A base image that is written to while it is read is reported as changed.
#[test]
fn a_base_that_changes_while_it_is_read() {
    let bench = Bench::new();
    let base = decoded_base(&bench);
    let name = base.to_str().unwrap();
    // A large card with its sum, so that the run takes seconds.
    let arguments = ["--base", name, "--card", "8GB", "--node", "xu4-node1", "--sums"];
    let child = bench.command(&arguments).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    let file = fs::OpenOptions::new().write(true).open(&base).unwrap();
    file.write_all_at(b"changed", 40 * MIB).unwrap();
    let output = child.wait_with_output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("changed while it was being read"), "{message}");
    assert_eq!(bench.finished(), [""; 0]);
}

/// A base is larger than the card: its root filesystem is shrunk. Everything before it stays.
fn shrinks(bench: &Bench, base: &Path, root: u64) {
    let name = base.to_str().unwrap();
    let said = bench.built(&["--base", name, "--card", "64MiB", "--node", "xu4-node2"]);
    assert!(said.contains("shrunk from"), "{said}");
    let reason = "because the card is smaller than the base image";
    assert!(one_line(&said).contains(reason), "{said}");
    let made = bench.path("out/xu4-node2.img");
    assert_eq!(fs::metadata(&made).unwrap().len(), 64 * MIB);
    e2fsck_at(&made, root);
    assert!(hostname(&made, root).starts_with("xu4-node2"));
    // The boot area: all between the table and the first partition, and other partitions.
    let table = 34 * 512;
    let length = (root - table) as usize;
    let (before, after) = (bytes(base, table, length), bytes(&made, table, length));
    assert!(before == after, "bytes before the root filesystem have changed");

    // The same bytes on a card.
    let card = bench.path("small.card");
    used_card(&card, 64 * MIB);
    let target = format!("xu4-node2={}", card.display());
    bench.flashed(&["--base", name, &target]);
    e2fsck_at(&card, root);
    assert!(hostname(&card, root).starts_with("xu4-node2"));
    assert_eq!(bytes(&made, 0, 440), bytes(&card, 0, 440));
    assert!(bytes(&made, root, 1 << 20) == bytes(&card, root, 1 << 20));

    // Too small for the contents: the error says by how much.
    let output = bench.build(&["--base", name, "--card", "16MiB", "--node", "xu4-node2"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("MB too small for its contents"), "{text}");
    assert!(text.contains("set `card:` to at least"), "{text}");
}

#[test]
fn an_mbr_base_larger_than_the_card() {
    let bench = Bench::new();
    bench.built(&["--card", "100MiB", "--node", "xu4-node1"]);
    let base = bench.path("large.img");
    fs::copy(bench.path("out/xu4-node1.img"), &base).unwrap();
    shrinks(&bench, &base, ROOT_OFFSET);
}

#[test]
fn a_gpt_base_larger_than_the_card() {
    let bench = Bench::new();
    let root = root_filesystem(&bench);
    let boot = boot_filesystem(&bench);
    let sgdisk = ["sgdisk", "-n", "1:2048:+10M", "-n", "2:0:+32M"];
    let small = image(&bench, 48 * MIB, "gdisk", &sgdisk, &[(MIB, &boot), (11 * MIB, &root)]);
    let name = small.to_str().unwrap();
    bench.built(&["--base", name, "--card", "100MiB", "--node", "xu4-node1"]);
    let base = bench.path("large.img");
    fs::copy(bench.path("out/xu4-node1.img"), &base).unwrap();
    shrinks(&bench, &base, 11 * MIB);
    let made = bench.path("out/xu4-node2.img");
    let verdict = run("gdisk", "sgdisk", &["--verify", made.to_str().unwrap()]);
    assert!(verdict.contains("No problems found"), "{verdict}");
}
