//! Correcting cards on block devices: loop devices, which need root.

use std::{fs, io::Read as _, path::Path};

use crate::support::*;

fn extend(image: &Path, more: u64) {
    let file = fs::OpenOptions::new().write(true).open(image).unwrap();
    file.set_len(file.metadata().unwrap().len() + more).unwrap();
}

#[test]
fn a_device_is_fixed_and_filled() {
    if !loops() {
        return;
    }
    let bench = damaged_card();
    let image = bench.path(IMAGE);
    extend(&image, 60 * MIB);
    let card = Loop::attach(&image, &[]);
    // Only the device's name or path confirms the changes.
    let (code, _, error) = apply_to(&bench, &card.device, &["--grow"], &format!("{IMAGE}\n"));
    assert_eq!(code, Some(4), "{error}");
    assert!(error.contains("nothing was written"), "{error}");
    let (code, out, error) =
        apply_to(&bench, &card.device, &["--grow"], &format!("{}\n", card.name()));
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("partition 2 (root) grows from 53.5 MiB to 113.5 MiB"), "{out}");
    assert!(out.contains("its filesystem grows from 53.5 MiB to 113.5 MiB"), "{out}");
    // The device itself, and not a file, is verified.
    let (code, out, error) = verify(&bench, &[&card.device]);
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, out, _) = apply_to(&bench, &card.device, &["--grow", "--yes"], "");
    assert!(code == Some(0) && out.contains("nothing to change"), "{out}");
    drop(card);
    assert_fixed(&bench);
}

/// On a card with a GPT that is larger than its image, the backup table is not at the end.
#[test]
fn a_gpt_card() {
    if !loops() {
        return;
    }
    let bench = damaged_card();
    let root = bytes(&bench.path(IMAGE), ROOT_OFFSET, (53 << 20) + (1 << 19));
    let image = bench.path("gpt.img");
    fs::File::create(&image).unwrap().set_len(80 * MIB).unwrap();
    // The root partition begins where support::cat expects it.
    let start = ROOT_OFFSET / 512;
    let second = format!("-n2:{start}:{}", start + root.len() as u64 / 512 - 1);
    let arguments = ["-a1", "-n1:2048:+4M", &second, image.to_str().unwrap()];
    run("gdisk", "sgdisk", &arguments);
    std::os::unix::fs::FileExt::write_all_at(
        &fs::OpenOptions::new().write(true).open(&image).unwrap(),
        &root,
        ROOT_OFFSET,
    )
    .unwrap();
    extend(&image, 40 * MIB);
    let card = Loop::attach(&image, &[]);
    for more in [&["--yes"][..], &["--yes", "--grow"]] {
        let (code, out, error) = apply_to(&bench, &card.device, more, "");
        // The boot area is not the base's, which apply cannot fix.
        assert_eq!(code, Some(1), "{out}{error}");
        assert!(out.contains("not fixed: the first partition does not begin where"), "{out}");
        assert_eq!(out.contains("grows from"), more.len() == 2, "{out}");
        e2fsck(&image);
        assert_eq!(cat(&image, "/etc/hostname"), "xu4-node2\n");
        assert_eq!(cat(&image, "/home/odroid/diary"), "dear diary\n");
    }
    drop(card);
    let verdict = run("gdisk", "sgdisk", &["--verify", image.to_str().unwrap()]);
    assert!(verdict.contains("No problems found"), "{verdict}");
    let json = run("fdisk", "sfdisk", &["-J", image.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let size = json["partitiontable"]["partitions"][1]["size"].as_u64().unwrap();
    assert_eq!(start + size, 119 * 2048);
}

/// A card that was pulled out of a running node has a dirty journal, and a deleted file that
/// was still open.
#[test]
fn a_card_that_was_pulled() {
    if !loops() {
        return;
    }
    let bench = damaged_card();
    let image = bench.path(IMAGE);
    let pulled = bench.path("pulled.img");
    {
        let offset = format!("loop,offset={ROOT_OFFSET}");
        let point = Mounted::new(&["-o", &offset, image.to_str().unwrap()], bench.path("mnt"));
        fs::write(point.0.join("gone"), vec![7; 3 << 20]).unwrap();
        fs::write(point.0.join("root/new"), "since then\n").unwrap();
        run("coreutils", "sync", &["-f", point.0.to_str().unwrap()]);
        let mut open = fs::File::open(point.0.join("gone")).unwrap();
        fs::remove_file(point.0.join("gone")).unwrap();
        fs::write(point.0.join("root/newer"), "and then\n").unwrap();
        run("coreutils", "sync", &["-f", point.0.to_str().unwrap()]);
        fs::copy(&image, &pulled).unwrap();
        let mut byte = [0];
        open.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [7]);
    }
    let (code, out, _) = verify(&bench, &["pulled.img"]);
    assert!(code == Some(1) && out.contains("filesystem-dirty"), "{out}");
    let before = bench.nodecard(&["inspect", "pulled.img"]).output().unwrap();
    let before = String::from_utf8(before.stdout).unwrap();
    assert!(before.contains("orphan") || before.contains("deleted"), "{before}");
    let card = Loop::attach(&pulled, &[]);
    let (code, out, error) = apply_to(&bench, &card.device, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, out, error) = verify(&bench, &[&card.device]);
    assert_eq!(code, Some(0), "{out}{error}");
    drop(card);
    e2fsck(&pulled);
    assert_eq!(cat(&pulled, "/root/new"), "since then\n");
    assert_eq!(cat(&pulled, "/root/newer"), "and then\n");
    assert_eq!(cat(&pulled, "/etc/hostname"), "xu4-node2\n");
    // The kernel mounts it without a check.
    let offset = format!("loop,offset={ROOT_OFFSET}");
    let point = Mounted::new(&["-o", &offset, pulled.to_str().unwrap()], bench.path("mnt"));
    assert_eq!(fs::read_to_string(point.0.join("etc/hostname")).unwrap(), "xu4-node2\n");
    assert!(!point.0.join("gone").exists());
    drop(point);
    e2fsck(&pulled);
}

#[test]
fn unsafe_devices_are_refused() {
    if !loops() {
        return;
    }
    let bench = damaged_card();
    let image = bench.path(IMAGE);
    let before = fs::read(&image).unwrap();
    let refused = |device: &str, words: &[&str]| {
        let (code, out, error) = apply_to(&bench, device, &["--yes"], "");
        assert_eq!(code, Some(4), "{out}{error}");
        for word in words.iter().copied().chain([device]) {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    let protected = Loop::attach(&image, &["--read-only"]);
    refused(&protected.device, &["write-protected", "LOCK"]);
    drop(protected);
    assert!(fs::read(&image).unwrap() == before);

    // A filesystem on the whole device counts like one on a partition.
    let card = Loop::attach(&image, &["--offset", &ROOT_OFFSET.to_string()]);
    let mounted = Mounted::new(&[&card.device], bench.path("mnt"));
    refused(&card.device, &["is mounted at", "umount"]);
    drop(mounted);
    drop(card);

    let card = Loop::attach(&image, &[]);
    let holder = ExclusiveHolder::open(&card);
    refused(&card.device, &["another program"]);
    drop(holder);
    // Once it is free, it can be changed.
    write(&bench, IMAGE, "/etc/hostname", "xu4\n");
    let (code, out, error) = apply_to(&bench, &card.device, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
}
