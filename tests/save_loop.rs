//! Saving block devices: loop devices, which need root.

use std::{fs, os::unix::fs::symlink};

use crate::{save::*, support::*};

#[test]
fn a_device_is_saved_as_its_file_is() {
    if !loops("save_loop::a_device_is_saved_as_its_file_is") {
        return;
    }
    let bench = built();
    let before = fs::read(bench.path(CARD)).unwrap();
    saved(&bench, &[CARD, "file.img", "--profile", "profile.yaml"]);
    let card = Loop::attach(&bench.path(CARD), &[]);
    saved(&bench, &[&card.device, "device.img", "--profile", "profile.yaml"]);
    drop(card);
    let same =
        fs::read(bench.path("file.img")).unwrap() == fs::read(bench.path("device.img")).unwrap();
    assert!(same, "the image of the device is another one");
    assert!(fs::read(bench.path(CARD)).unwrap() == before, "the card was changed");
}

/// Mounted for writing, it can change while it is read. Mounted read-only, it cannot.
#[test]
fn a_mounted_card_is_saved_only_if_it_is_read_only() {
    if !loops("save_loop::a_mounted_card_is_saved_only_if_it_is_read_only") {
        return;
    }
    let bench = built();
    let card = Loop::attach(&bench.path(CARD), &[]);
    let offset = ROOT_OFFSET.to_string();
    let root = Loop::attach(&bench.path(CARD), &["--offset", &offset]);
    let point = bench.path("mounted");
    for target in [card.device.as_str(), root.device.as_str(), CARD] {
        let mounted = Mounted::new(&[&root.device], point.clone());
        not_saved(&bench, 4, &[target, "new.img"], &["is mounted at", "umount"]);
        // On the card itself.
        let inside = mounted.0.join("new.img");
        let inside = inside.to_str().unwrap();
        not_saved(&bench, 4, &[target, inside], &["the image would be written to it"]);
        assert!(!mounted.0.join("new.img").exists());
    }
    let mounted = Mounted::new(&["-o", "ro", &root.device], point.clone());
    for target in [card.device.as_str(), CARD] {
        saved(&bench, &[target, "read-only.img"]);
        e2fsck(&bench.path("read-only.img"));
        let inside = mounted.0.join("new.img");
        let inside = inside.to_str().unwrap();
        not_saved(&bench, 4, &[target, inside], &["the image would be written to it"]);
    }
}

#[test]
fn an_image_never_replaces_the_card() {
    if !loops("save_loop::an_image_never_replaces_the_card") {
        return;
    }
    let bench = built();
    let card = Loop::attach(&bench.path(CARD), &[]);
    let before = fs::read(bench.path(CARD)).unwrap();
    symlink(&card.device, bench.path("link.img")).unwrap();
    let advice = "choose another file for the image";
    not_saved(&bench, 4, &[&card.device, "link.img"], &["the image would overwrite it", advice]);
    // The file behind the device has the same bytes.
    not_saved(&bench, 4, &[&card.device, CARD], &["the image would overwrite it"]);
    not_saved(&bench, 4, &[&card.device, &card.device], &["the image would overwrite it"]);
    // A link is replaced, and nothing is written through it.
    saved(&bench, &[CARD, "link.img"]);
    assert!(fs::symlink_metadata(bench.path("link.img")).unwrap().is_file());
    assert!(fs::read(bench.path(CARD)).unwrap() == before, "the card was changed");
}

/// Another program has the device open exclusively, as one that mounts or writes it does.
#[test]
fn a_device_in_use_is_refused() {
    if !loops("save_loop::a_device_in_use_is_refused") {
        return;
    }
    let bench = built();
    let card = Loop::attach(&bench.path(CARD), &[]);
    let holder = ExclusiveHolder::open(&card);
    not_saved(&bench, 4, &[&card.device, "new.img"], &["another program is using it"]);
    drop(holder);
    saved(&bench, &[&card.device, "new.img"]);
}

/// Sectors that a device really cannot read: the device-mapper's `error` target.
#[test]
fn bad_sectors_of_a_device_are_named_with_their_file() {
    if !loops("save_loop::bad_sectors_of_a_device_are_named_with_their_file") {
        return;
    }
    let bench = built();
    let loop_device = Loop::attach(&bench.path(CARD), &[]);
    let blocks = debugfs(&bench.path(CARD), "blocks /home/odroid/nodes.txt");
    let block: u64 = blocks.split_whitespace().next().unwrap().parse().unwrap();
    let stated = debugfs(&bench.path(CARD), "show_super_stats -h");
    let stated = stated.lines().find_map(|line| line.strip_prefix("Block size:")).unwrap();
    let bad = (ROOT_OFFSET + block * stated.trim().parse::<u64>().unwrap()) / 512;
    let (end, device) = (64 * MIB / 512, &loop_device.device);
    let table = format!(
        "0 {bad} linear {device} 0\n{bad} 1 error\n{} {} linear {device} {}\n",
        bad + 1,
        end - bad - 1,
        bad + 1
    );
    fs::write(bench.path("table"), table).unwrap();
    let name = format!("nodecard-test-{}", std::process::id());
    let table = bench.path("table");
    let made = std::process::Command::new("/usr/sbin/dmsetup")
        .args(["create", &name, table.to_str().unwrap()])
        .output();
    if !made.as_ref().is_ok_and(|made| made.status.success()) {
        eprintln!("NOT CHECKED: bad sectors of a device need the device-mapper: {made:?}");
        return;
    }
    struct Mapped(String);
    impl Drop for Mapped {
        fn drop(&mut self) {
            let _ =
                std::process::Command::new("/usr/sbin/dmsetup").args(["remove", &self.0]).status();
        }
    }
    let mapped = Mapped(name.clone());
    let target = format!("/dev/mapper/{name}");
    let parts = ["512 bytes of /home/odroid/nodes.txt of partition 2", "--keep-going"];
    not_saved(&bench, 5, &[&target, "new.img"], &parts);
    let (code, _, error) = save(&bench, &[&target, "new.img", "--keep-going"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("/home/odroid/nodes.txt"), "{error}");
    drop(mapped);
    e2fsck(&bench.path("new.img"));
}
