//! What a saved image holds, beside the card: files, used blocks and other partitions.

use std::{collections::BTreeMap, fs, os::unix::fs::FileExt as _, path::Path};

use crate::{save::*, support::*};

/// Returns every path of the root filesystem at an offset of an image, with what debugfs tells of
/// it: kind, mode, owner, size, target and contents.
fn tree(bench: &Bench, image: &Path, offset: u64) -> BTreeMap<String, String> {
    let directory = bench.path("tree");
    fs::create_dir(&directory).unwrap();
    let target = format!("{}?offset={offset}", image.display());
    let request = format!("rdump / {}", directory.display());
    run("e2fsprogs", "debugfs", &["-R", &request, &target]);
    let format = "%P\\t%y %m %U:%G %s %l %T@\\n";
    let name = directory.to_str().unwrap();
    let listed = run("findutils", "find", &[name, "-mindepth", "1", "-printf", format]);
    let script = format!("cd {name} && find . -type f -exec sha256sum {{}} +");
    let sums = run("coreutils", "bash", &["-c", &script]);
    let sums: BTreeMap<&str, &str> = sums
        .lines()
        .map(|line| line.split_once("  ./").unwrap())
        .map(|(sum, path)| (path, sum))
        .collect();
    let with_sum = |line: &str| {
        let (path, rest) = line.split_once('\t').unwrap();
        // The size of a directory's own blocks says nothing about what is in it, and debugfs does
        // not restore the time of a symlink.
        let words = match rest.split(' ').next() {
            Some("d") => 3,
            Some("l") => 5,
            _ => usize::MAX,
        };
        let rest = rest.split(' ').take(words).collect::<Vec<_>>().join(" ");
        let sum = sums.get(path).copied().unwrap_or_default();
        (format!("/{path}"), format!("{rest} {sum}"))
    };
    let tree: BTreeMap<String, String> = listed.lines().map(with_sum).collect();
    assert!(tree.len() > 50, "{tree:#?}");
    fs::remove_dir_all(directory).unwrap();
    tree
}

#[test]
fn all_files_are_those_of_the_card_but_the_removed_ones() {
    let bench = built();
    write(&bench, CARD, "/home/odroid/diary", "dear diary\n");
    write(&bench, CARD, "/var/lib/docker/engine-id", "made since then");
    let card = bench.path(CARD);
    let before = tree(&bench, &card, ROOT_OFFSET);

    saved(&bench, &[CARD, "exact.img"]);
    let exact = tree(&bench, &bench.path("exact.img"), ROOT_OFFSET);
    assert_eq!(exact, before, "a backup differs from the card");

    let report = saved(&bench, &[CARD, "base.img", "--profile", "profile.yaml", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let removed: Vec<&str> = report["removed"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|part| part["paths"].as_array().unwrap())
        .map(|path| path.as_str().unwrap())
        .collect();
    let is_listed = |path: &str| {
        removed.iter().any(|listed| path == *listed || path.starts_with(&format!("{listed}/")))
    };
    let base = tree(&bench, &bench.path("base.img"), ROOT_OFFSET);
    let differs: Vec<&String> = before
        .iter()
        .filter(|(path, what)| base.get(*path) != Some(what))
        .map(|(path, _)| path)
        .chain(base.keys().filter(|path| !before.contains_key(*path)))
        .collect();
    // A directory whose files were removed has another time.
    let is_parent = |path: &str| {
        removed.iter().any(|listed| Path::new(listed).parent() == Some(Path::new(path)))
    };
    for path in &differs {
        assert!(is_listed(path) || is_parent(path), "{path} differs and is not listed");
    }
    assert!(differs.len() > 10, "{differs:?}");
    for path in &removed {
        assert!(differs.iter().any(|differs| differs == path), "{path} is listed but the same");
    }
}

#[test]
fn an_exact_copy_has_the_bytes_of_every_used_block() {
    let bench = built();
    saved(&bench, &[CARD, "new.img", "--exact", "--no-shrink"]);
    let (card, image) = (bench.path(CARD), bench.path("new.img"));
    let ranges = mapped(&bench.path("out/xu4-node1.img.bmap"));
    assert!(ranges.len() > 3);
    for range in ranges {
        let length = (range.end - range.start) as usize;
        let same = bytes(&card, range.start, length) == bytes(&image, range.start, length);
        assert!(same, "{range:?} differs");
    }
    // Shrunk, the boot area and the boot partition still are as they were.
    saved(&bench, &[CARD, "small.img", "--exact"]);
    let small = bench.path("small.img");
    let table = 440..512;
    for range in [0..table.start, table.end..ROOT_OFFSET] {
        let length = (range.end - range.start) as usize;
        let (left, right) = (bytes(&card, range.start, length), bytes(&small, range.start, length));
        // Free clusters are not copied.
        let differs = left.iter().zip(&right).position(|(a, b)| a != b && *b != 0);
        assert_eq!(differs, None, "{range:?}");
    }
    check_boot_partition(&bench, &card, &small);
}

/// Checks the boot partition of an image with fsck.vfat, and its files with mtools.
fn check_boot_partition(bench: &Bench, card: &Path, image: &Path) {
    let extract = |image: &Path, name: &str| {
        let length = (ROOT_OFFSET - FIRST_PARTITION) as usize;
        fs::write(bench.path(name), bytes(image, FIRST_PARTITION, length)).unwrap();
        bench.path(name)
    };
    let (before, after) = (extract(card, "before.fat"), extract(image, "after.fat"));
    let fsck = |path: &Path| run("dosfstools", "fsck.vfat", &["-n", path.to_str().unwrap()]);
    let said = fsck(&after);
    assert_eq!(said.lines().count(), 2, "{said}");
    let files = |path: &Path, into: &str| {
        let into = bench.path(into);
        fs::create_dir(&into).unwrap();
        let into = into.to_str().unwrap();
        run("mtools", "mcopy", &["-s", "-i", path.to_str().unwrap(), "::/", into]);
    };
    files(&before, "fat-before");
    files(&after, "fat-after");
    let script = format!("diff -r {0}/fat-before {0}/fat-after", bench.path("").display());
    run("diffutils", "bash", &["-c", &script]);
    assert!(fs::read_dir(bench.path("fat-after")).unwrap().count() > 0);
}

#[test]
fn a_compressed_base_makes_a_card_that_matches_the_profile() {
    let bench = built();
    for name in ["base.img.zst", "base.img.xz"] {
        saved(&bench, &[CARD, name, "--profile", "profile.yaml"]);
        bench.built(&["--base", name, "--node", "xu4-node2"]);
        let (code, out, error) = verify(&bench, &["out/xu4-node2.img"]);
        assert_eq!(code, Some(0), "{name}: {out}{error}");
        e2fsck(&bench.path("out/xu4-node2.img"));
        fs::remove_dir_all(bench.path("out")).unwrap();
        bench.built(&["--node", "xu4-node1"]);
    }
}

/// Checks that a report has a sentence, wherever its lines are broken.
#[track_caller]
fn note(report: &str, part: &str) {
    let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(report.contains(part), "{part:?} is missing from: {report}");
}

#[test]
fn a_gpt_card_is_shrunk_with_both_of_its_tables() {
    let bench = Bench::new();
    let root = root_filesystem(&bench);
    let sgdisk = ["sgdisk", "-n", "1:2048:+4M", "-n", "2:0:+32M"];
    let card = image(&bench, 200 * MIB, "gdisk", &sgdisk, &[(5 * MIB, &root)]);
    let before = fs::read(&card).unwrap();
    let report = saved(&bench, &["base.img", "new.img", "--base"]);
    note(&report, "partition 2, shrunk from 32.0 MiB");
    let image = bench.path("new.img");
    let verdict = run("gdisk", "sgdisk", &["--verify", image.to_str().unwrap()]);
    assert!(verdict.contains("No problems found"), "{verdict}");
    e2fsck_at(&image, 5 * MIB);
    assert!(fs::metadata(&image).unwrap().len() < 40 * MIB);
    assert!(fs::read(&card).unwrap() == before, "the card was changed");
    bench.built(&["--base", "new.img", "--node", "xu4-node1"]);
    let (code, out, error) = verify(&bench, &["out/xu4-node1.img", "--base", "new.img"]);
    assert_eq!(code, Some(0), "{out}{error}");
}

#[test]
fn a_root_that_is_not_the_last_partition_stays_as_large_as_it_is() {
    let bench = Bench::new();
    let root = root_filesystem(&bench);
    let sgdisk = ["sgdisk", "-n", "1:2048:+32M", "-n", "2:0:+8M", "-t", "2:8200"];
    let swap = [7; 5000];
    let contents: [(u64, &[u8]); 2] = [(MIB, &root), (33 * MIB, &swap)];
    let card = image(&bench, 60 * MIB, "gdisk", &sgdisk, &contents);
    let report = saved(&bench, &["base.img", "new.img"]);
    note(&report, "the root filesystem is not shrunk: partition 2 follows it");
    let new = bench.path("new.img");
    let size = fs::metadata(&new).unwrap().len();
    assert_eq!(size, fs::metadata(&card).unwrap().len());
    // What nobody knows is copied whole.
    assert_eq!(bytes(&new, 33 * MIB, 5000), swap);
    e2fsck_at(&new, MIB);
    let verdict = run("gdisk", "sgdisk", &["--verify", new.to_str().unwrap()]);
    assert!(verdict.contains("No problems found"), "{verdict}");
}

#[test]
fn of_two_roots_the_user_chooses_one_and_the_other_is_saved_too() {
    let bench = Bench::new();
    let root = root_filesystem(&bench);
    let sgdisk = ["sgdisk", "-n", "1:2048:+32M", "-n", "2:0:+32M"];
    let card = image(&bench, 120 * MIB, "gdisk", &sgdisk, &[(MIB, &root), (33 * MIB, &root)]);
    not_saved(&bench, 4, &["base.img", "new.img"], &["partitions 1 and 2", "--root"]);
    not_saved(&bench, 4, &["base.img", "new.img", "--base"], &["partitions 1 and 2"]);
    let report = saved(&bench, &["base.img", "new.img", "--root", "2", "--base"]);
    note(&report, "partition 2, shrunk from 32.0 MiB");
    let new = bench.path("new.img");
    e2fsck_at(&new, MIB);
    e2fsck_at(&new, 33 * MIB);
    assert_eq!(tree(&bench, &new, MIB), tree(&bench, &card, MIB), "partition 1 differs");
    let first = saved(&bench, &["base.img", "new.img", "--root", "1", "--base", "--overwrite"]);
    note(&first, "partition 2 follows it");
    // A copy of everything needs no root.
    saved(&bench, &["base.img", "copy.img", "--exact", "--no-shrink"]);
    e2fsck_at(&bench.path("copy.img"), 33 * MIB);
}

/// A transaction in the journal, as a card has that was pulled while it was in use.
#[test]
fn a_journal_is_replayed_in_the_image_and_not_on_the_card() {
    let bench = built();
    let card = bench.path(CARD);
    let block = debugfs(&card, "blocks /home/odroid/nodes.txt");
    let block = block.split_whitespace().next().unwrap().to_owned();
    let size = fs::metadata(&card).unwrap().len();
    let stated = debugfs(&card, "show_super_stats -h");
    let stated = stated.lines().find_map(|line| line.strip_prefix("Block size:")).unwrap();
    let mut contents = vec![b'!'; stated.trim().parse().unwrap()];
    contents[..11].copy_from_slice(b"journalled\n");
    fs::write(bench.path("block"), &contents).unwrap();
    let script = format!("jo\njw -b {block} {}\njc\n", bench.path("block").display());
    fs::write(bench.path("script"), script).unwrap();
    let script = bench.path("script");
    let target = format!("{}?offset={ROOT_OFFSET}", card.display());
    run("e2fsprogs", "debugfs", &["-w", "-f", script.to_str().unwrap(), &target]);
    let before = fs::read(&card).unwrap();
    assert!(debugfs(&card, "show_super_stats -h").contains("needs_recovery"));
    assert!(!cat(&card, "/home/odroid/nodes.txt").starts_with("journalled"));

    for more in [&["--exact"][..], &["--base"], &["--exact", "--no-shrink"]] {
        saved(&bench, &[&[CARD, "new.img", "--overwrite"], more].concat());
        let image = bench.path("new.img");
        e2fsck(&image);
        assert!(!debugfs(&image, "show_super_stats -h").contains("needs_recovery"), "{more:?}");
        assert!(cat(&image, "/home/odroid/nodes.txt").starts_with("journalled"), "{more:?}");
        assert!(fs::read(&card).unwrap() == before, "the card was changed");
    }
    assert_eq!(fs::metadata(&card).unwrap().len(), size);
}

/// The address was set by hand, by a file that nodecard did not write.
#[test]
fn an_address_that_was_set_by_hand_goes_back_to_dhcp() {
    let bench = built();
    let text = "auto lo\niface lo inet loopback\nallow-hotplug eth0\niface eth0 inet static\n  address \
                10.9.8.7/24\n  gateway 10.9.8.1\niface eth0 inet6 static\n  address fd00::7/64\n";
    write(&bench, CARD, "/etc/network/interfaces", text);
    let report = saved(&bench, &[CARD, "new.img", "--profile", "profile.yaml"]);
    note(&report, "the static address (/etc/network/interfaces)");
    note(&report, "the address fd00::7/64 of eth0 stays, in /etc/network/interfaces, line 6");
    let after = cat(&bench.path("new.img"), "/etc/network/interfaces");
    assert!(after.contains("iface eth0 inet dhcp") && !after.contains("10.9.8"), "{after}");
}

/// Writes into free space of a card: what a deleted file leaves behind.
#[test]
fn free_blocks_are_zero_in_the_image() {
    let bench = built();
    let card = bench.path(CARD);
    let secret = b"the diary of somebody who sold this card";
    let file = fs::OpenOptions::new().read(true).write(true).open(&card).unwrap();
    let free = debugfs(&card, "ffb 1");
    let block: u64 = free.split_whitespace().last().unwrap().parse().unwrap();
    let stated = debugfs(&card, "show_super_stats -h");
    let stated = stated.lines().find_map(|line| line.strip_prefix("Block size:")).unwrap();
    let size: u64 = stated.trim().parse().unwrap();
    file.write_all_at(secret, ROOT_OFFSET + block * size).unwrap();
    for more in [&["--exact"][..], &["--base"], &["--exact", "--no-shrink"]] {
        saved(&bench, &[&[CARD, "new.img", "--overwrite"], more].concat());
        let image = fs::read(bench.path("new.img")).unwrap();
        assert!(!image.windows(secret.len()).any(|window| window == secret), "{more:?}");
    }
}
