//! Correcting cards in place: differences are fixed, everything else stays, and nothing is
//! written without confirmation.

use std::fs;

use crate::support::*;

/// Runs `nodecard apply` on the image of xu4-node2, with an answer on standard input.
fn apply(bench: &Bench, more: &[&str], answer: &str) -> (Option<i32>, String, String) {
    apply_to(bench, IMAGE, more, answer)
}

#[test]
fn only_differences_are_fixed() {
    let bench = damaged_card();
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
fn nothing_is_written_without_confirmation() {
    let bench = damaged_card();
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

/// A mistyped node would turn one card into a copy of another. The question says so, and without
/// a question it has to be asked for.
#[test]
fn a_card_of_another_node_is_changed_only_on_purpose() {
    let bench = Bench::new();
    bench.built(&["--node", "xu4-node2"]);
    let before = fs::read(bench.path(IMAGE)).unwrap();
    let apply = |more: &[&str], answer: &str| apply_as(&bench, "xu4-node1", IMAGE, more, answer);
    let (code, _, error) = apply(&[], "no\n");
    assert_eq!(code, Some(4), "{error}");
    let asked = "belongs to xu4-node2, by its host key";
    let question = "to change the card of xu4-node2 into that of xu4-node1:";
    assert!(error.contains(asked) && error.contains(question), "{error}");
    for more in [&["--yes"][..], &["--yes", "--json"]] {
        let (code, _, error) = apply(more, "");
        assert_eq!(code, Some(4), "{error}");
        assert!(error.contains(asked) && error.contains("--allow-other"), "{error}");
        assert!(error.contains(&format!("give it as xu4-node2={IMAGE}")), "{error}");
    }
    assert!(fs::read(bench.path(IMAGE)).unwrap() == before);
    let (code, out, error) = apply(&["--yes", "--allow-other"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert!(code == Some(0) && out.contains("xu4-node1 (192.168.1.81), as expected"), "{out}");
}

#[test]
fn the_card_is_filled_with_grow() {
    let bench = damaged_card();
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

/// What only the owner can decide stays, and the exit code says so.
#[test]
fn an_error_that_stays_is_a_failure() {
    let bench = damaged_card();
    write(&bench, IMAGE, "/etc/overlayroot.conf", "overlayroot=tmpfs\n");
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(1), "{out}{error}");
    assert!(out.contains("not fixed: /etc/overlayroot.conf:1: "), "{out}");
    // All else was fixed.
    let (code, out, _) = verify(&bench, &[IMAGE]);
    assert!(code == Some(1) && out.contains("1 error") && out.contains("overlayroot"), "{out}");
    let (code, out, _) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(1), "{out}");
    write(&bench, IMAGE, "/etc/overlayroot.conf", "overlayroot=disabled\n");
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert_fixed(&bench);
}

#[test]
fn errors_leave_the_card_as_it_was() {
    let bench = damaged_card();
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
    // Without a journal, a change cannot be atomic.
    let target = format!("{}?offset={ROOT_OFFSET}", bench.path(IMAGE).display());
    run("e2fsprogs", "tune2fs", &["-O", "^has_journal", &target]);
    let without = fs::read(bench.path(IMAGE)).unwrap();
    assert!(without != before);
    let target = format!("xu4-node2={IMAGE}");
    let error = refused(&[&target, "--yes"], 4);
    assert!(error.contains("journal"), "{error}");
    assert!(fs::read(bench.path(IMAGE)).unwrap() == without);
}

/// The command that `verify` suggests fixes the card.
#[test]
fn verify_names_the_command_that_fixes_a_card() {
    let bench = damaged_card();
    let (_, out, _) = verify(&bench, &[IMAGE]);
    let command = format!("nodecard apply profile.yaml xu4-node2={IMAGE}");
    let fixes: Vec<&str> = out.lines().filter(|line| line.contains("fix:")).collect();
    assert!(fixes.len() > 2 && fixes.iter().all(|line| line.contains(&command)), "{out}");
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert_fixed(&bench);
}

/// Only identities that were copied from the base image need it.
#[test]
fn the_base_image_may_be_missing() {
    let bench = damaged_card();
    fs::remove_dir_all(bench.path("cache")).unwrap();
    let (code, out, error) = apply(&bench, &["--yes"], "");
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(one_line(&out).contains("are not detected, and stay on the card: the base"), "{out}");
    assert_fixed(&bench);

    // A file copied from the base image is found only if the base image is available.
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
    assert!(one_line(&out).contains("does not exist"), "{out}");
}

#[test]
fn targets_that_cannot_be_written() {
    let bench = damaged_card();
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
    assert!(error.contains("compressed image") && error.contains("decompress it first"), "{error}");
    let base = decoded_base(&bench);
    let error = bench
        .nodecard(&["apply", "profile.yaml", "--base", "base.img", "xu4-node2=base.img", "--yes"])
        .output()
        .unwrap();
    assert_eq!(error.status.code(), Some(4));
    let text = String::from_utf8_lossy(&error.stderr).into_owned();
    assert!(text.contains("base.img cannot be changed: it is the base image itself"), "{text}");
    drop(base);
    let error = refused(".");
    assert!(error.contains(". cannot be changed: it is a directory"), "{error}");
    fs::write(bench.path("text"), "hello, this is text").unwrap();
    let error = refused("text");
    assert!(error.contains("not a disk image"), "{error}");

    // Permission bits do not keep root out; the immutable attribute does.
    let before = fs::read(&image).unwrap();
    let root = run("coreutils", "id", &["-u"]).trim() == "0";
    let (lock, unlock): ([&str; 2], [&str; 2]) = if root {
        (["chattr", "+i"], ["chattr", "-i"])
    } else {
        (["chmod", "0444"], ["chmod", "0644"])
    };
    run("e2fsprogs", lock[0], &[lock[1], image.to_str().unwrap()]);
    let error = refused(IMAGE);
    run("e2fsprogs", unlock[0], &[unlock[1], image.to_str().unwrap()]);
    assert!(
        error.contains("you have no permission to write to it")
            && error.contains("nothing was written"),
        "{error}"
    );
    assert!(fs::read(&image).unwrap() == before);
}
