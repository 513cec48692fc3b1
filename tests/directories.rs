//! Directories that cannot hold the images: read-only, full, or of another user. The error names
//! the file or directory, the reason and a way out, and nothing is left under a final name.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::Command,
};

use crate::{save::*, support::*};

fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn fails(command: &mut Command, code: i32, parts: &[&str]) {
    let output = command.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(!message.contains("panicked"), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing from: {message}");
    }
}

#[test]
fn a_read_only_directory_is_an_error() {
    if !loops() {
        return;
    }
    let bench = built();
    let mounted = Mounted::new(&["-t", "tmpfs", "-o", "ro", "none"], bench.path("ro"));
    let reason = "Read-only file system";
    let save = ["save", CARD, "ro/new.img"];
    let parts = ["cannot write images to ro\n", reason, "fix: choose another file for the image"];
    fails(&mut bench.nodecard(&save), 5, &parts);
    let build = ["build", "profile.yaml", "--out", "ro"];
    let parts = ["cannot write images to ro\n", reason, "choose another directory with --out"];
    fails(&mut bench.nodecard(&build), 5, &parts);
    let parts = ["cannot write images to ro/new\n", reason, "--out"];
    fails(&mut bench.nodecard(&["build", "profile.yaml", "--out", "ro/new"]), 5, &parts);
    assert_eq!(names(&mounted.0), [""; 0]);
}

#[test]
fn a_full_directory_is_an_error() {
    if !loops() {
        return;
    }
    let bench = built();
    // Too small for an image, without room for another file, and without room for any.
    for options in ["size=4m", "nr_inodes=3", "nr_inodes=2", "nr_inodes=1"] {
        let mounted = Mounted::new(&["-t", "tmpfs", "-o", options, "none"], bench.path("full"));
        for arguments in [
            &["save", CARD, "full/new.img"][..],
            &["save", CARD, "full/new.img.xz"],
            &["build", "profile.yaml", "--out", "full"],
            &["build", "profile.yaml", "--out", "full", "--format", "zst"],
        ] {
            // Compressed, the sample's contents fit.
            let is_packed = arguments.iter().any(|word| ["zst", "full/new.img.xz"].contains(word));
            if is_packed && options == "size=4m" {
                continue;
            }
            fails(&mut bench.nodecard(arguments), 5, &["full", "fix: "]);
            assert_eq!(names(&mounted.0), [""; 0], "{options}: {arguments:?}");
        }
    }
}

#[test]
fn a_directory_of_another_user_is_an_error() {
    if !loops() {
        return;
    }
    let bench = built();
    fs::copy(sample_base(), bench.path("base.img.xz")).unwrap();
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    let base = sample_base().display().to_string();
    fs::write(bench.path("profile.yaml"), profile.replace(&base, "base.img.xz")).unwrap();
    let save = ["save", CARD, "theirs/new.img"];
    let build = ["build", "profile.yaml", "--out", "theirs", "--node", "xu4-node1"];
    let theirs = bench.path("theirs");
    let of_root = |mode, files: &[(&str, &str)]| {
        let _ = fs::remove_dir_all(&theirs);
        fs::create_dir(&theirs).unwrap();
        for (name, text) in files {
            fs::write(theirs.join(name), text).unwrap();
        }
        fs::set_permissions(&theirs, fs::Permissions::from_mode(mode)).unwrap();
    };
    // as_nobody gives everything to nobody first.
    let run = |arguments: &[&str], code: i32, parts: &[&str]| {
        let mut command = bench.as_nobody(arguments);
        for entry in fs::read_dir(&theirs).unwrap() {
            chown(entry.unwrap().path(), Some(0), Some(0)).unwrap();
        }
        chown(&theirs, Some(0), Some(0)).unwrap();
        fails(&mut command, code, parts);
    };

    of_root(0o755, &[]);
    run(&save, 5, &["cannot write images to theirs\n", "Permission denied", "choose another file"]);
    run(&build, 5, &["cannot write images to theirs\n", "Permission denied", "--out"]);
    assert_eq!(names(&theirs), [""; 0]);

    // In a sticky directory, files of others cannot be replaced or removed.
    let lock = ["cannot open theirs/.nodecard.lock\n", "Permission denied", "fix: remove it if no"];
    of_root(0o1777, &[(".nodecard.lock", "")]);
    run(&save, 5, &lock);
    run(&build, 5, &lock);
    assert_eq!(names(&theirs), [".nodecard.lock"]);
    of_root(0o1777, &[("new.img", "theirs")]);
    run(&save, 2, &["theirs/new.img already exists"]);
    let replace = [&save[..], &["--overwrite"]].concat();
    run(&replace, 5, &["cannot create theirs/new.img\n", "Operation not permitted", "fix: "]);
    assert_eq!(names(&theirs), ["new.img"]);
    assert_eq!(fs::read(theirs.join("new.img")).unwrap(), b"theirs");
    // The same cluster's, made by another user.
    let manifest = fs::read_to_string(bench.path("out/manifest.json")).unwrap();
    let files = [("manifest.json", manifest.as_str()), ("SHA256SUMS", ""), ("xu4-node1.img", "i")];
    of_root(0o1777, &files);
    run(&build, 5, &["theirs/", "Operation not permitted", "choose another directory with --out"]);
    assert_eq!(names(&theirs), ["SHA256SUMS", "manifest.json", "xu4-node1.img"]);
    assert_eq!(fs::read(theirs.join("xu4-node1.img")).unwrap(), b"i");
}
