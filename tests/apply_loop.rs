//! Correcting cards on block devices: loop devices, which need root.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::{
    apply::{IMAGE, assert_fixed, broken},
    flash::MIB,
    loops::{Loop, Mounted, loops},
    support::*,
    verify::{verify, write},
};

/// Runs `nodecard apply` on a device.
fn apply(
    bench: &Bench,
    device: &str,
    more: &[&str],
    answer: &str,
) -> (Option<i32>, String, String) {
    let target = format!("xu4-node2={device}");
    let mut command = bench.nodecard(&[&["apply", "profile.yaml", target.as_str()], more].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("nodecard starts");
    let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("nodecard ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, error) = (text(stdout), text(stderr));
    assert!(!error.contains("panicked"), "{error}");
    (status.code(), out, error)
}

fn extend(image: &Path, more: u64) {
    let file = fs::OpenOptions::new().write(true).open(image).unwrap();
    file.set_len(file.metadata().unwrap().len() + more).unwrap();
}

#[test]
fn a_device_is_fixed_and_filled() {
    if !loops("apply_loop::a_device_is_fixed_and_filled") {
        return;
    }
    let bench = broken();
    let image = bench.path(IMAGE);
    extend(&image, 60 * MIB);
    let card = Loop::attach(&image, &[]);
    // Its kernel's name is what is asked for, and nothing else is taken.
    let (code, _, error) = apply(&bench, &card.device, &["--grow"], &format!("{}\n", card.device));
    assert_eq!(code, Some(4), "{error}");
    assert!(error.contains("nothing was written"), "{error}");
    let (code, out, error) =
        apply(&bench, &card.device, &["--grow"], &format!("{}\n", card.name()));
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("partition 2 (root) grows from 53.5 MiB to 113.5 MiB"), "{out}");
    assert!(out.contains("its filesystem grows from 53.5 MiB to 113.5 MiB"), "{out}");
    // The device itself says so, through the cache and past it.
    let (code, out, error) = verify(&bench, &[&card.device]);
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, out, _) = apply(&bench, &card.device, &["--grow", "--yes"], "");
    assert!(code == Some(0) && out.contains("nothing to change"), "{out}");
    drop(card);
    assert_fixed(&bench);
}

/// A card with a GPT, whose second copy is where an image ended.
#[test]
fn a_gpt_card() {
    if !loops("apply_loop::a_gpt_card") {
        return;
    }
    let bench = broken();
    let root = bytes(&bench.path(IMAGE), ROOT_OFFSET, (53 << 20) + (1 << 19));
    let image = bench.path("gpt.img");
    fs::File::create(&image).unwrap().set_len(80 * MIB).unwrap();
    // Its root partition begins where support::cat looks for it.
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
        let (code, out, error) = apply(&bench, &card.device, more, "");
        assert_eq!(code, Some(0), "{out}{error}");
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

/// The filesystem of a node that was pulled: its journal is dirty, and a file that was
/// deleted is open still.
#[test]
fn a_card_that_was_pulled() {
    if !loops("apply_loop::a_card_that_was_pulled") {
        return;
    }
    let bench = broken();
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
    let (code, out, error) = apply(&bench, &card.device, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, out, error) = verify(&bench, &[&card.device]);
    assert_eq!(code, Some(0), "{out}{error}");
    drop(card);
    e2fsck(&pulled);
    assert_eq!(cat(&pulled, "/root/new"), "since then\n");
    assert_eq!(cat(&pulled, "/root/newer"), "and then\n");
    assert_eq!(cat(&pulled, "/etc/hostname"), "xu4-node2\n");
    // The kernel takes it as it is.
    let offset = format!("loop,offset={ROOT_OFFSET}");
    let point = Mounted::new(&["-o", &offset, pulled.to_str().unwrap()], bench.path("mnt"));
    assert_eq!(fs::read_to_string(point.0.join("etc/hostname")).unwrap(), "xu4-node2\n");
    assert!(!point.0.join("gone").exists());
    drop(point);
    e2fsck(&pulled);
}

#[test]
fn devices_that_are_refused() {
    if !loops("apply_loop::devices_that_are_refused") {
        return;
    }
    let bench = broken();
    let image = bench.path(IMAGE);
    let before = fs::read(&image).unwrap();
    let refused = |device: &str, words: &[&str]| {
        let (code, out, error) = apply(&bench, device, &["--yes"], "");
        assert_eq!(code, Some(4), "{out}{error}");
        for word in words.iter().copied().chain([device]) {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    let protected = Loop::attach(&image, &["--read-only"]);
    refused(&protected.device, &["write-protected", "LOCK"]);
    drop(protected);
    assert!(fs::read(&image).unwrap() == before);

    // A filesystem on the device as a whole is as good as one on a partition.
    let card = Loop::attach(&image, &["--offset", &ROOT_OFFSET.to_string()]);
    let mounted = Mounted::new(&[&card.device], bench.path("mnt"));
    refused(&card.device, &["is mounted on", "umount"]);
    drop(mounted);
    drop(card);

    let card = Loop::attach(&image, &[]);
    let script = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL); print(flush=True); \
                  sys.stdin.read()";
    let mut holder = Command::new("python3")
        .args(["-c", script, &card.device])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed: install the Debian package python3");
    holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    refused(&card.device, &["another program"]);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    // Then it goes.
    write(&bench, IMAGE, "/etc/hostname", "xu4\n");
    let (code, out, error) = apply(&bench, &card.device, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
}
