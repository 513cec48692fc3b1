//! Correcting cards in place: what is wrong is fixed, everything else stays, and nothing is
//! written without consent.

use std::{
    fs,
    io::Write as _,
    process::{Output, Stdio},
};

use crate::{
    support::*,
    verify::{verify, write},
};

pub const IMAGE: &str = "out/xu4-node2.img";

/// Runs `nodecard apply` on the image of xu4-node2, with an answer on standard input.
fn apply(bench: &Bench, more: &[&str], answer: &str) -> (Option<i32>, String, String) {
    let target = format!("xu4-node2={IMAGE}");
    let all = [&["apply", "profile.yaml", &target], more].concat();
    let mut command = bench.nodecard(&all);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("nodecard starts");
    // It may have ended without asking.
    let _ = child.stdin.take().expect("a pipe").write_all(answer.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("nodecard ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, error) = (text(stdout), text(stderr));
    assert!(!error.contains("panicked"), "{error}");
    (status.code(), out, error)
}

/// A card in use: broken in several ways, with a user's own files and lines, and the
/// identity that Docker has made since.
pub fn broken() -> Bench {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node2"]);
    let image = bench.path(IMAGE);
    let text = cat(&image, "/etc/network/interfaces");
    let typo = text.replace("address 192", "addres 192");
    write(&bench, IMAGE, "/etc/network/interfaces", &typo);
    write(&bench, IMAGE, "/etc/hostname", "xu4-nod2\n");
    let hosts = cat(&image, "/etc/hosts");
    let fewer: String = hosts
        .lines()
        .filter(|line| !line.contains("xu4-node3"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_ne!(fewer, hosts);
    write(&bench, IMAGE, "/etc/hosts", &format!("{fewer}192.168.1.50 printer\n"));
    write(&bench, IMAGE, "/etc/docker/key.json", "{\"made\": \"since then\"}\n");
    write(&bench, IMAGE, "/home/odroid/diary", "dear diary\n");
    e2fsck(&image);
    bench
}

pub fn assert_fixed(bench: &Bench) {
    let image = bench.path(IMAGE);
    e2fsck(&image);
    let (code, out, error) = verify(bench, &[IMAGE]);
    assert_eq!(code, Some(0), "{out}{error}");
    assert_eq!(cat(&image, "/etc/hostname"), "xu4-node2\n");
    assert!(cat(&image, "/etc/hosts").contains("192.168.1.50 printer"));
    assert!(cat(&image, "/etc/hosts").contains("xu4-node3"));
    assert_eq!(cat(&image, "/etc/docker/key.json"), "{\"made\": \"since then\"}\n");
    assert_eq!(cat(&image, "/home/odroid/diary"), "dear diary\n");
}

#[test]
fn what_is_wrong_is_fixed_and_nothing_else() {
    let bench = broken();
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert_eq!(code, Some(1), "{out}");
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    for part in ["-    addres 192.168.1.82", "+    address 192.168.1.82", "-xu4-nod2", "+xu4-node2"]
    {
        assert!(out.contains(part), "{part} is missing: {out}");
    }
    assert!(!out.contains("docker") && !out.contains("diary"), "{out}");
    assert_fixed(&bench);

    let before = fs::read(bench.path(IMAGE)).unwrap();
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("nothing to change"), "{out}");
    assert!(fs::read(bench.path(IMAGE)).unwrap() == before);
}

#[test]
fn nothing_is_written_without_consent() {
    let bench = broken();
    let before = fs::read(bench.path(IMAGE)).unwrap();
    for answer in ["", "\n", "yes\n"] {
        let (code, out, error) = apply(&bench, &[], answer);
        assert_eq!(code, Some(4), "{out}{error}");
        assert!(error.contains("nothing was written"), "{error}");
        assert!(fs::read(bench.path(IMAGE)).unwrap() == before, "{answer:?}");
    }
    let (code, out, error) = apply(&bench, &[], "xu4-node2.img\n");
    assert_eq!(code, Some(0), "{out}{error}");
    assert_fixed(&bench);
}

#[test]
fn the_card_is_filled_where_that_is_asked_for() {
    let bench = broken();
    let image = bench.path(IMAGE);
    let size = fs::metadata(&image).unwrap().len() + (200 << 20);
    fs::OpenOptions::new().write(true).open(&image).unwrap().set_len(size).unwrap();
    let (code, out, error) = apply(&bench, &["--yes", "--grow"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("grows from"), "{out}");
    assert_fixed(&bench);
    let free = |out: &str| out.lines().filter(|line| line.contains("stays as it is")).count();
    let (code, out, error) = apply(&bench, &["--yes", "--grow"], "");
    assert_eq!((code, free(&out)), (Some(0), 0), "{out}{error}");
    assert!(out.contains("nothing to change"), "{out}");
}

#[test]
fn what_cannot_be_applied() {
    let bench = broken();
    let before = fs::read(bench.path(IMAGE)).unwrap();
    let refused = |arguments: &[&str], code: i32| {
        let all = [&["apply", "profile.yaml"], arguments].concat();
        let output = bench.nodecard(&all).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        error
    };
    let target = format!("xu9={IMAGE}");
    assert!(refused(&[&target, "--yes"], 2).contains("xu9"));
    assert!(refused(&["xu4-node2=nowhere.img", "--yes"], 4).contains("nowhere.img"));
    // Without a journal a change cannot be all or nothing.
    let target = format!("{}?offset={ROOT_OFFSET}", bench.path(IMAGE).display());
    run("e2fsprogs", "tune2fs", &["-O", "^has_journal", &target]);
    let without = fs::read(bench.path(IMAGE)).unwrap();
    assert!(without != before);
    let target = format!("xu4-node2={IMAGE}");
    let error = refused(&[&target, "--yes"], 4);
    assert!(error.contains("journal"), "{error}");
    assert!(fs::read(bench.path(IMAGE)).unwrap() == without);
}

/// The fix that `verify` names fixes the card.
#[test]
fn verify_names_the_command() {
    let bench = broken();
    let (_, out, _) = verify(&bench, &[IMAGE]);
    let command = format!("nodecard apply profile.yaml xu4-node2={IMAGE}");
    let fixes: Vec<&str> = out.lines().filter(|line| line.contains("fix:")).collect();
    assert!(fixes.len() > 2 && fixes.iter().all(|line| line.contains(&command)), "{out}");
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert_fixed(&bench);
}

/// A change is shown and made without the base, but for what only the base can tell.
#[test]
fn the_base_need_not_be_there() {
    let bench = broken();
    fs::remove_dir_all(bench.path("cache")).unwrap();
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("not looked for, as the base would have to be decoded first"), "{out}");
    assert_fixed(&bench);

    // A clone of the base's: only with the base at hand.
    let base = decoded_base(&bench);
    write(&bench, IMAGE, "/etc/docker/key.json", &cat(&base, "/etc/docker/key.json"));
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!((code, out.contains("nothing to change")), (Some(0), true), "{out}{error}");
    let base = base.to_str().unwrap().to_owned();
    let (code, out, _) = verify(&bench, &[IMAGE, "--base", &base]);
    assert_eq!(code, Some(1), "{out}");
    let command = format!("nodecard apply profile.yaml xu4-node2={IMAGE} --base {base}");
    assert!(out.contains(&command), "{out}");
    let (code, out, error) = apply(&bench, &["--yes", "--base", &base], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("/etc/docker/key.json: removed"), "{out}");
    let (code, out, _) = verify(&bench, &[IMAGE, "--base", &base]);
    assert_eq!(code, Some(0), "{out}");
    let text = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    let gone = text.replace(".img.xz", ".is-gone");
    fs::write(bench.path("profile.yaml"), gone).unwrap();
    write(&bench, IMAGE, "/etc/hostname", "xu4\n");
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("is not there"), "{out}");
}

#[test]
fn targets_that_cannot_be_written() {
    let bench = broken();
    let refused = |target: &str| {
        let target = format!("xu4-node2={target}");
        let output = bench.nodecard(&["apply", "profile.yaml", &target, "--yes"]).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{target}: {error}");
        assert!(output.stdout.is_empty() || error.contains("nothing was written"), "{error}");
        error
    };
    let image = bench.path(IMAGE);
    run("xz-utils", "xz", &["-0", "--keep", image.to_str().unwrap()]);
    let error = refused("out/xu4-node2.img.xz");
    assert!(error.contains("compressed image; decompress it first"), "{error}");
    let base = decoded_base(&bench);
    let error = bench
        .nodecard(&["apply", "profile.yaml", "--base", "base.img", "xu4-node2=base.img", "--yes"])
        .output()
        .unwrap();
    assert_eq!(error.status.code(), Some(4));
    let text = String::from_utf8_lossy(&error.stderr).into_owned();
    assert!(text.contains("the base image itself"), "{text}");
    drop(base);
    let error = refused(".");
    assert!(error.contains("a directory"), "{error}");
    fs::write(bench.path("text"), "hello, this is text").unwrap();
    let error = refused("text");
    assert!(error.contains("not a disk image"), "{error}");

    // As root no mode keeps anybody away; the attribute does.
    let before = fs::read(&image).unwrap();
    let root = run("coreutils", "id", &["-u"]).trim() == "0";
    let (lock, unlock): ([&str; 2], [&str; 2]) = match root {
        true => (["chattr", "+i"], ["chattr", "-i"]),
        false => (["chmod", "0444"], ["chmod", "0644"]),
    };
    run("e2fsprogs", lock[0], &[lock[1], image.to_str().unwrap()]);
    let error = refused(IMAGE);
    run("e2fsprogs", unlock[0], &[unlock[1], image.to_str().unwrap()]);
    assert!(
        error.contains("you may not write to it") && error.contains("nothing was written"),
        "{error}"
    );
    assert!(fs::read(&image).unwrap() == before);
}
