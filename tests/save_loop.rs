//! Saving block devices: loop devices, which need root.

use std::{fs, os::unix::fs::symlink};

use crate::{save::*, support::*};

#[test]
fn a_device_is_saved_as_its_file_is() {
    if !loops() {
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
    if !loops() {
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
        saved(&bench, &[target, "read-only.img", "--overwrite"]);
        e2fsck(&bench.path("read-only.img"));
        let inside = mounted.0.join("new.img");
        let inside = inside.to_str().unwrap();
        not_saved(&bench, 4, &[target, inside], &["the image would be written to it"]);
    }
}

#[test]
fn an_image_never_replaces_the_card() {
    if !loops() {
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
    saved(&bench, &[CARD, "link.img", "--overwrite"]);
    assert!(fs::symlink_metadata(bench.path("link.img")).unwrap().is_file());
    assert!(fs::read(bench.path(CARD)).unwrap() == before, "the card was changed");
}

/// Another program has the device open exclusively, as one that mounts or writes it does.
#[test]
fn a_device_in_use_is_refused() {
    if !loops() {
        return;
    }
    let bench = built();
    let card = Loop::attach(&bench.path(CARD), &[]);
    let holder = ExclusiveHolder::open(&card);
    not_saved(&bench, 4, &[&card.device, "new.img"], &["another program is using it"]);
    drop(holder);
    saved(&bench, &[&card.device, "new.img"]);
}
