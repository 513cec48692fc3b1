//! Running `nodecard apply`, and a card that needs it.

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use super::*;

/// Runs `nodecard apply` on a card of xu4-node2, with an answer on standard input.
pub fn apply_to(
    bench: &Bench,
    target: &str,
    more: &[&str],
    answer: &str,
) -> (Option<i32>, String, String) {
    apply_as(bench, "xu4-node2", target, more, answer)
}

/// Runs `nodecard apply` on the card of a node, with an answer on standard input.
pub fn apply_as(
    bench: &Bench,
    node: &str,
    target: &str,
    more: &[&str],
    answer: &str,
) -> (Option<i32>, String, String) {
    let target = format!("{node}={target}");
    let mut command = bench.nodecard(&[&["apply", "profile.yaml", target.as_str()], more].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("nodecard starts");
    // It may have ended without asking.
    let _ = child.stdin.take().expect("a pipe").write_all(answer.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("nodecard ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, error) = (text(stdout), text(stderr));
    assert!(!error.contains("panicked"), "{error}");
    (status.code(), out, error)
}

pub const IMAGE: &str = "out/xu4-node2.img";

/// A card in use, damaged in several ways, with a user's own files and lines, and with an
/// identity that Docker made after its first start.
pub fn damaged_card() -> Bench {
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
