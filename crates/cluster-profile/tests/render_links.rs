//! Symlinks in the places of files that are written: which are followed, and which are replaced.

mod common;

use cluster_profile::{Change, render_node, render_shared};
use common::{Fixture, Memory, NOW, PROFILE, ubuntu_1604};

const SHADOW: &str = "root:$6$secret:18000::::::\n";

fn card(base: &Memory) -> Memory {
    let fixture = Fixture::new(PROFILE);
    fixture.card(base, 1).unwrap().0
}

#[test]
fn no_file_is_written_through_a_symlink_to_one_with_another_purpose() {
    let base = ubuntu_1604().file("/etc/shadow", SHADOW).with_mode("/etc/shadow", 0o640);
    let plain = card(&base);
    for path in ["/etc/hosts", "/etc/hostname", "/etc/network/interfaces"] {
        let linked = card(&base.clone().link(path, "shadow"));
        assert_eq!(linked.text("/etc/shadow"), plain.text("/etc/shadow"), "{path}");
        let text = linked.text(path);
        assert!(!text.contains("secret"), "{path} shows the passwords:\n{text}");
        assert!(text.contains("xu4-node1") || text.contains("192.168.1.81"), "{path}: {text}");
    }
    // What is no secret stays.
    let hosts = "10.0.0.7 printer\n";
    let linked =
        card(&base.clone().file("/etc/hosts.local", hosts).link("/etc/hosts", "hosts.local"));
    assert!(linked.text("/etc/hosts").contains("printer"), "{}", linked.text("/etc/hosts"));
    assert_eq!(linked.text("/etc/hosts.local"), hosts);
}

#[test]
fn a_file_that_was_moved_elsewhere_is_written_there() {
    let moved = ubuntu_1604()
        .file("/data/etc/hosts", "10.0.0.7 printer\n")
        .link("/etc/hosts", "../data/etc/hosts")
        // It is made at its place.
        .dir("/data/etc")
        .link("/etc/hostname", "/data/etc/hostname");
    let card = card(&moved);
    assert!(card.text("/data/etc/hosts").contains("xu4-node1"));
    assert!(card.text("/data/etc/hosts").contains("printer"));
    assert_eq!(card.text("/data/etc/hostname"), "xu4-node1\n");
}

/// Nothing fills it with name servers, so the file itself has them.
#[test]
fn a_symlink_of_the_resolver_is_replaced() {
    let old = "nameserver 10.0.0.9\n";
    let base =
        ubuntu_1604().file("/data/resolv.conf", old).link("/etc/resolv.conf", "/data/resolv.conf");
    let card = card(&base);
    let text = card.text("/etc/resolv.conf");
    assert!(text.contains("nameserver 192.168.1.1"), "{text}");
    assert_eq!(card.text("/data/resolv.conf"), old);
}

#[test]
fn a_symlink_into_what_is_empty_after_a_boot_is_replaced() {
    let base = ubuntu_1604().link("/etc/hosts", "/run/hosts").dir("/run");
    let card = card(&base);
    assert!(card.text("/etc/hosts").contains("xu4-node1"));
    assert!(!card.has("/run/hosts"));
}

#[test]
fn a_loop_of_symlinks_is_replaced() {
    let base = ubuntu_1604().link("/etc/hosts", "hosts.loop").link("/etc/hosts.loop", "hosts");
    let fixture = Fixture::new(PROFILE);
    let node = &fixture.cluster.nodes[1];
    let shared = render_shared(&fixture.cluster, &fixture.keys, &base, NOW).unwrap();
    assert!(shared.edits.iter().all(|edit| edit.path != "/etc/hosts"));
    let own = render_node(&fixture.cluster, node, &fixture.keys, &base, NOW).unwrap();
    let hosts: Vec<&Change> = own
        .edits
        .iter()
        .filter(|edit| edit.path == "/etc/hosts")
        .map(|edit| &edit.change)
        .collect();
    assert!(matches!(hosts[..], [Change::Remove, Change::Write { .. }]), "{hosts:?}");
}

/// Whether users can log in is decided on the card as it will be.
#[test]
fn a_loop_in_the_place_of_authorized_keys_keeps_nobody_out() {
    let path = "/root/.ssh/authorized_keys";
    for target in ["authorized_keys", "/etc/shadow"] {
        let base = ubuntu_1604().file("/etc/shadow", SHADOW).with_mode("/etc/shadow", 0o640);
        let base = base.link(path, target);
        let fixture = Fixture::new(PROFILE);
        let shared = render_shared(&fixture.cluster, &fixture.keys, &base, NOW);
        let shared = shared.unwrap_or_else(|error| panic!("{target}: {error}"));
        let at = shared.edits.iter().filter(|edit| edit.path == path).map(|edit| &edit.change);
        assert!(matches!(at.collect::<Vec<_>>()[..], [Change::Remove, Change::Write { .. }]));
    }
}

/// Two users' files are two files.
#[test]
fn a_symlink_to_a_file_that_another_edit_makes_is_replaced() {
    let keys = "ssh-rsa AAAAUSER odroid@desk\n";
    let base = ubuntu_1604()
        .file("/home/odroid/.ssh/authorized_keys", keys)
        .link("/root/.ssh/authorized_keys", "/home/odroid/.ssh/authorized_keys");
    let card = card(&base);
    assert!(card.has("/root/.ssh/authorized_keys"));
    let lines = |path: &str| card.text(path).lines().count();
    assert!(lines("/home/odroid/.ssh/authorized_keys") > 1);
    assert!(lines("/root/.ssh/authorized_keys") >= 1);
    assert_eq!(card.mode("/root/.ssh/authorized_keys").1, (0, 0));
}

/// A user's keys are in files of the user's own, and nothing of root's is opened for them.
#[test]
fn keys_of_a_user_behind_symlinks_to_those_of_root_get_files_of_their_own() {
    const ROOTS: &str = "/root/.ssh/authorized_keys";
    let base = || ubuntu_1604().dir("/root").with_mode("/root", 0o700);
    let line =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAk7+5fdhtepRjC3WTWxqPoZ3pdIuqBjSIR0Xalan0j r\n";
    let with_keys = || base().file(ROOTS, line).with_mode(ROOTS, 0o600);
    let directory = |base: Memory| base.link("/home/odroid/.ssh", "/root/.ssh");
    let file = |base: Memory, target: &str| {
        base.dir("/home/odroid/.ssh").link("/home/odroid/.ssh/authorized_keys", target)
    };
    for (what, base) in [
        ("directory", directory(with_keys())),
        ("directory without keys", directory(base())),
        ("loop", base().link("/home/odroid/.ssh", ".ssh")),
        ("file in its place", base().file("/home/odroid/.ssh", "x")),
        ("file", file(with_keys(), ROOTS)),
        ("file that all may read", file(base().file(ROOTS, line), ROOTS)),
        ("file that is not there", file(base(), ROOTS)),
        ("loop in the place of the file", file(base(), "authorized_keys")),
    ] {
        let fixture = Fixture::new(PROFILE);
        let (card, _) = fixture.card(&base, 1).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(card.mode("/root").0, 0o700, "{what}");
        let text = card.text("/home/odroid/.ssh/authorized_keys");
        let key = fixture.keys.cluster().public().trim();
        assert!(text.contains(key), "{what}: {text}");
        assert!(!text.contains("Xalan0j") || what.ends_with("may read"), "{what}: {text}");
        assert!(card.text(ROOTS).contains(key), "{what}");
        assert!(card.has("/home/odroid/.ssh/id_ed25519"), "{what}");
        // Once it is right, nothing changes it.
        let again = fixture.card(&card, 1).unwrap().0;
        assert_eq!(again.text("/home/odroid/.ssh/authorized_keys"), text, "{what}");
    }
}
