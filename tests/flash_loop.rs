//! Writing cards on block devices: loop devices, which need root. Without root, these tests
//! report that they did not run, and only tests/flash.rs checks flashing.

use std::{
    fs,
    io::{Write as _, stderr},
    path::Path,
    process::Command,
};

use crate::support::*;

/// Checks that the kernel finds the new partitions, if it scans loop devices for them.
fn check_partition(card: &Loop) {
    let partition = format!("{}p2", card.device);
    let scans = fs::read_to_string(format!("/sys/block/{}/partscan", card.name()));
    if !Path::new(&partition).exists() {
        let what = format!("no {partition}; partscan is {scans:?}");
        let _ = writeln!(stderr().lock(), "flash_loop: partitions NOT SEEN by the kernel: {what}");
        return;
    }
    run("e2fsprogs", "e2fsck", &["-fn", &partition]);
}

#[test]
fn cards_of_several_sizes_beside_one_that_fails() {
    if !loops() {
        return;
    }
    let bench = Bench::new();
    let sizes = [64 * MIB, 96 * MIB];
    let cards =
        [Loop::of_size(&bench, "a.img", sizes[0]), Loop::of_size(&bench, "b.img", sizes[1])];
    // Its file is on a filesystem without enough room: from some point on, writing to
    // the device fails.
    let full = Mounted::new(&["-t", "tmpfs", "-o", "size=6m", "none"], bench.path("full"));
    let broken_file = full.0.join("card.img");
    fs::File::create(&broken_file).unwrap().set_len(64 * MIB).unwrap();
    let broken = Loop::attach(&broken_file, &[]);
    let arguments = [
        format!("xu4-master={}", cards[0].device),
        format!("xu4-node1={}", broken.device),
        format!("xu4-node2={}", cards[1].device),
    ];
    let arguments = arguments.each_ref().map(String::as_str);
    let output = bench.flash(&[&arguments[..], &["--yes"]].concat(), "");
    let report = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(5), "{report}");
    let failed = format!("cannot write xu4-node1's card to {}", broken.device);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains(&failed) && errors.contains("there is no space at byte"), "{errors}");
    assert!(report.contains(&format!("profile.yaml xu4-node1={}", broken.device)), "{report}");
    let safe = format!("Safe to remove: {} {}", cards[0].device, cards[1].device);
    assert!(report.contains(&safe), "{report}");
    assert!(is_marked(broken.path()), "the failed card must not look finished");
    for ((card, size), node) in cards.iter().zip(sizes).zip(["xu4-master", "xu4-node2"]) {
        assert_like_built(&bench, node, card.path(), size);
        check_partition(card);
    }
}

#[test]
fn asks_for_the_kernels_name() {
    if !loops() {
        return;
    }
    let bench = Bench::new();
    let card = Loop::of_size(&bench, "a.img", 64 * MIB);
    let target = format!("xu4-master={}", card.device);
    for wrong in ["a.img", "/dev/loop", "/dev/../dev/sdb", "y", card.name().trim_start_matches("l")]
    {
        let output = bench.flash(&[&target], &format!("{wrong}\n"));
        assert_eq!(output.status.code(), Some(4), "{wrong}");
        assert_eq!(bytes(card.path(), 0, 512), [0xb5; 512]);
    }
    // The path of the device is as good as its name.
    for answer in [card.name(), &card.device] {
        used_card(card.path(), 64 * MIB);
        let output = bench.flash(&[&target, "--discard"], &format!("{answer}\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_like_built(&bench, "xu4-master", card.path(), 64 * MIB);
    }
}

#[test]
fn refuses_devices_in_use() {
    if !loops() {
        return;
    }
    let bench = Bench::new();
    let card = Loop::of_size(&bench, "a.img", 64 * MIB);
    let target = format!("xu4-master={}", card.device);
    run("e2fsprogs", "mke2fs", &["-q", "-F", &card.device]);
    let mounted = Mounted::new(&[&card.device], bench.path("mnt"));
    let umount = format!("umount {}", card.device);
    bench.not_flashed(4, &[&target], &[&card.device, "is mounted at", &umount]);
    let devices = bench.nodecard(&["devices"]).output().unwrap();
    let devices = String::from_utf8_lossy(&devices.stdout).into_owned();
    assert!(devices.contains(&umount), "{devices}");
    drop(mounted);
    let devices = bench.nodecard(&["devices"]).output().unwrap();
    let devices = String::from_utf8_lossy(&devices.stdout).into_owned();
    let cards = devices.split("Rejected:").next().unwrap();
    assert!(cards.contains(&card.device), "{devices}");

    // Another program has opened it exclusively.
    let holder = ExclusiveHolder::open(&card);
    bench.not_flashed(4, &[&target], &[&card.device, "another program"]);
    drop(holder);

    // An encrypted volume that is not in use.
    fs::OpenOptions::new()
        .write(true)
        .open(card.path())
        .unwrap()
        .write_all(b"LUKS\xba\xbe")
        .unwrap();
    bench.not_flashed(4, &[&target], &["encrypted volume (LUKS)", "wipefs -a"]);
}

/// Whatever shares its contents with a mounted filesystem is refused: another loop device over
/// the file, the file itself, a loop device over the device, and one over a file whose name is
/// gone.
#[test]
fn refuses_everything_that_shows_a_mounted_filesystem() {
    if !loops() {
        return;
    }
    let bench = Bench::new();
    let first = Loop::of_size(&bench, "a.img", 64 * MIB);
    fs::hard_link(bench.path("a.img"), bench.path("b.img")).unwrap();
    let second = Loop::attach(&bench.path("a.img"), &[]);
    let over = Loop::attach(first.path(), &[]);
    fs::remove_file(bench.path("a.img")).unwrap();
    let target = |path: &str| format!("xu4-master={path}");
    let paths = ["b.img", &second.device, &over.device];

    run("e2fsprogs", "mke2fs", &["-q", "-F", &first.device]);
    let mounted = Mounted::new(&[&first.device], bench.path("mnt"));
    let before = bytes(first.path(), 0, 1 << 20);
    let umount = format!("umount {}", first.device);
    for path in paths {
        bench.not_flashed(4, &[&target(path)], &[path, first.name(), "is mounted at", &umount]);
    }
    // A filesystem that is mounted where this process does not see it.
    drop(mounted);
    let holder = ExclusiveHolder::open(&first);
    for path in paths {
        bench.not_flashed(4, &[&target(path)], &[path, first.name(), "another program"]);
    }
    drop(holder);
    run("util-linux", "mkswap", &[&first.device]);
    run("mount", "swapon", &[&first.device]);
    for path in paths {
        let messages = bench.flash(&[&target(path), "--yes"], "");
        let messages = String::from_utf8_lossy(&messages.stderr).into_owned();
        assert!(messages.contains("in use as swap space"), "{messages}");
    }
    run("mount", "swapoff", &[&first.device]);
    assert_ne!(bytes(first.path(), 0, 1 << 20), before);

    // Two names for one storage are one card.
    let two = ["xu4-master=b.img".to_owned(), format!("xu4-node1={}", second.device)];
    bench.not_flashed(4, &[&two[0], &two[1]], &["also given for xu4-master"]);
    // As long as nobody uses it, the file may be overwritten.
    bench.flashed(&[&target("b.img")]);
    assert_like_built(&bench, "xu4-master", &bench.path("b.img"), 64 * MIB);
}

/// A file that is mounted through an overlay has another device number there than in its layer.
#[test]
fn refuses_files_that_are_mounted_through_an_overlay() {
    if !loops() {
        return;
    }
    let bench = Bench::new();
    for directory in ["lower", "upper", "work"] {
        fs::create_dir(bench.path(directory)).unwrap();
    }
    let card = |layer: &str| {
        let path = bench.path(&format!("{layer}/{layer}.img"));
        fs::File::create(&path).unwrap().set_len(64 * MIB).unwrap();
        run("e2fsprogs", "mke2fs", &["-q", "-F", path.to_str().unwrap()]);
    };
    card("lower");
    card("upper");
    let at = |directory: &str| bench.path(directory).display().to_string();
    let options =
        format!("lowerdir={},upperdir={},workdir={}", at("lower"), at("upper"), at("work"));
    let overlay = Mounted::new(&["-t", "overlay", "-o", &options, "none"], bench.path("merged"));
    // Read-only: otherwise the file of the lower layer would be copied to the upper one.
    for layer in ["lower", "upper"] {
        let device = Loop::attach(&overlay.0.join(format!("{layer}.img")), &["--read-only"]);
        let _mounted = Mounted::new(&["-o", "ro", &device.device], bench.path("mnt"));
        let path = format!("{layer}/{layer}.img");
        let target = format!("xu4-master={path}");
        bench.not_flashed(4, &[&target], &[&path, device.name(), "is mounted at"]);
        // The other way round, a mounted file is given by its path in the overlay.
        let below = Loop::attach(&bench.path(&path), &["--read-only"]);
        let _below = Mounted::new(&["-o", "ro", &below.device], bench.path("below"));
        let target = format!("xu4-master=merged/{layer}.img");
        bench.not_flashed(4, &[&target], &["merged/", "is mounted at"]);
    }
}

#[test]
fn refuses_read_only_devices_and_the_base() {
    if !loops() {
        return;
    }
    let bench = Bench::new();
    used_card(&bench.path("a.img"), 64 * MIB);
    let protected = Loop::attach(&bench.path("a.img"), &["--read-only"]);
    bench.not_flashed(
        4,
        &[&format!("xu4-master={}", protected.device)],
        &["write-protected", "LOCK"],
    );
    let large = bench.path("large.img");
    fs::File::create(&large).unwrap().set_len(200 << 30).unwrap();
    let large = Loop::attach(&large, &[]);
    let target = format!("xu4-master={}", large.device);
    bench.not_flashed(4, &[&target], &["too large for a card", "--max-size"]);
    // The base image under the number of a loop device.
    let base = decoded_base(&bench);
    let card = Loop::attach(&base, &[]);
    let target = format!("xu4-master={}", card.device);
    for base in [base.to_str().unwrap(), &card.device] {
        bench.not_flashed(4, &["--base", base, &target], &["the base image itself"]);
    }
    // The disk that holds the root filesystem and the base image.
    let root = run("mount", "findmnt", &["-n", "-o", "SOURCE", "/"]);
    if Path::new(root.trim()).exists() {
        bench.not_flashed(4, &[&format!("xu4-master={}", root.trim())], &[root.trim()]);
    }
}

/// Attaching another file to a loop device simulates swapping the card of a reader.
#[test]
fn one_reader_sees_the_swap() {
    if !loops() {
        return;
    }
    let nodes = "  - {name: one, address: 192.168.1.80}\n  - {name: two, address: 192.168.1.81}\n";
    let bench = Bench::with_profile(&format!(
        "cluster: test\nbase: {}\ncard: 64MiB\nnodes:\n{nodes}\
         network: {{interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}}\n",
        sample_base().display()
    ));
    let card = Loop::of_size(&bench, "one.img", 64 * MIB);
    let mut reader = OneReader::start(&bench, card.path(), &["--yes"]);
    reader.expect("insert the card for two");
    used_card(&bench.path("two.img"), 64 * MIB);
    run("mount", "losetup", &["-d", &card.device]);
    let mut attach = Command::new("/usr/sbin/losetup");
    let attached = attach.arg(&card.device).arg(bench.path("two.img")).status();
    if !attached.is_ok_and(|status| status.success()) {
        // Another program has taken the device, so this test must not detach it.
        drop(reader);
        std::mem::forget(card);
        panic!("the loop device was taken by another program meanwhile; run the test again");
    }
    let report = reader.finish();
    assert!(report.contains("one") && report.contains("two"), "{report}");
    for node in ["one", "two"] {
        assert_like_built(&bench, node, &bench.path(&format!("{node}.img")), 64 * MIB);
    }
}
